# SPDX-License-Identifier: GPL-2.0-or-later
"""The small world exploration is run in: every request on every quorum of two or three children.

Both patterns, every threshold (and for FIFO, which checks none, those no other quorum can have),
children that agree or not, with and without rewriting, and each child answering or failing with
one of the errnos.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import yaml

from qsim.quorum.revisions import Revision
from qsim.quorum.switches import NAMED_FIFO, READ_PATTERN, SCHEMA_READ_PATTERN
from qsim.scenario import Case
from qsim.scenario.load import load_text

#: What children that agree, that differ by one, and that all differ hold.
CONTENTS = {2: (["A", "A"], ["A", "B"]), 3: (["A", "A", "A"], ["A", "B", "A"], ["A", "B", "C"])}

STEPS: dict[str, dict[str, Any]] = {
    "read": {"read": [0, 512]},
    "write": {"write": [0, 512, "X"]},
    "flush": {"flush": True},
}

#: The errnos a child can fail with there.
ERRNOS = ("EIO", "ENOSPC", "EPERM")


def patterns_of(revision: Revision) -> tuple[str, ...]:
    """The read patterns a revision takes from blockdev-add."""
    pattern = "single" if NAMED_FIFO not in revision.switches else "fifo"
    if revision.engine == "coroutine":
        return ("quorum", "fifo")
    both = {READ_PATTERN, SCHEMA_READ_PATTERN} <= revision.switches
    return ("quorum", pattern) if both else ("quorum",)


def _quorums(children: int, patterns: Sequence[str], verb: str) -> Iterator[dict[str, Any]]:
    """The options of every quorum; a pattern that is the default is not named."""
    for pattern in patterns:
        if pattern == "quorum":
            for threshold in range(1, children + 1):
                yield {"vote-threshold": threshold}
                if verb == "read":
                    yield {"vote-threshold": threshold, "rewrite-corrupted": True}
        else:
            for threshold in (1, 0, children + 1):
                yield {"vote-threshold": threshold, "read-pattern": pattern}
                if verb == "read":
                    break


def _faults(children: int, errnos: Sequence[str], op: str) -> Iterator[dict[str, str]]:
    """Who fails and how: nobody, then each choice of each child."""
    for answers in product(("", *errnos), repeat=children):
        yield {f"c{i}": f"{op} {errno}" for i, errno in enumerate(answers) if errno}


def grid(
    children: Sequence[int] = (2, 3),
    patterns: Sequence[str] = ("quorum", "fifo"),
    errnos: Sequence[str] = ERRNOS,
) -> list[Case]:
    """All cases of the small world, each with one request; what must be seen is left open."""
    raw: list[dict[str, Any]] = []
    for count, verb in product(children, STEPS):
        for quorum in _quorums(count, patterns, verb):
            compares = verb == "read" and "read-pattern" not in quorum
            rewrites = "rewrite-corrupted" in quorum
            for contents in CONTENTS[count] if compares else CONTENTS[count][:1]:
                ops = (verb, "write") if rewrites and contents != CONTENTS[count][0] else (verb,)
                for op in ops:
                    for faults in _faults(count, errnos, op):
                        raw.append(_case(len(raw), contents, quorum, STEPS[verb], faults))
    text = yaml.safe_dump({"family": "explored", "about": ".", "source": ".", "cases": raw})
    return load_text("explored", text, ())


def _case(
    number: int,
    contents: list[str],
    quorum: dict[str, Any],
    step: dict[str, Any],
    faults: dict[str, str],
) -> dict[str, Any]:
    return {
        "name": f"way {number}",
        "children": contents,
        "quorum": quorum,
        "steps": [{**step, "faults": faults, "expect": {"undefined": "?"}}],
    }

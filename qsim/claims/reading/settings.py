# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings in which the cost of a read is predicted and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import yaml

from qsim.claims.reading.medium import (
    FAILING,
    FAR,
    FLAPPING,
    GONE,
    INSTANT,
    LOCAL,
    RACK,
    SHARED,
    SLOW,
    Due,
    Medium,
)
from qsim.scenario import Case
from qsim.scenario.load import load_text

#: Every guest read is of so many bytes.
READ_BYTES = 4096
#: What a child holds; reads go round in it.
CHILD_BYTES = 64 * 1024
#: Every byte of it.
CONTENTS = "A"


@dataclass(frozen=True)
class Setting:
    """Children in the driver's order, and how they are read; every read is alone."""

    name: str
    pattern: str
    children: tuple[Medium, ...]
    threshold: int = 1

    def plans(self, reads: int, seed: int) -> dict[str, tuple[Due, ...]]:
        """By child, what becomes of its requests; no child gets more of them than the guest."""
        return {
            # By name, so that the same child in another setting has the same times.
            name: medium.plan(reads, Random(f"{seed} {i} {medium.name}"))
            for i, (name, medium) in enumerate(self.named())
        }

    def named(self) -> list[tuple[str, Medium]]:
        """The children by the names they have in the scenario."""
        return [(f"c{i}", medium) for i, medium in enumerate(self.children)]

    def case(self, reads: int, plans: dict[str, tuple[Due, ...]]) -> Case:
        """The scenario: so many reads, one after the other, of children that fail as planned.

        It expects nothing: two witnesses are compared with each other.
        """
        places = CHILD_BYTES // READ_BYTES
        raw = {
            "name": self.name,
            "size": CHILD_BYTES,
            "children": [
                {"contents": CONTENTS, "faults": _faults(plan)} for plan in plans.values()
            ],
            "quorum": {"vote-threshold": self.threshold, "read-pattern": self.pattern},
            "guest": "read-only",
            "steps": [
                {"read": [i % places * READ_BYTES, READ_BYTES], "expect": {"undefined": "?"}}
                for i in range(reads)
            ],
        }
        head = {"family": "cost of a read", "about": ".", "source": "."}
        (case,) = load_text("cost of a read", yaml.safe_dump({**head, "cases": [raw]}), ())
        return case


def _faults(plan: Sequence[Due]) -> list[Any]:
    """As the scenario says it: each fault waits for what others have not failed before."""
    failing = [number for number, due in enumerate(plan) if due.fails]
    return [f"read EIO x1 after {number - earlier}" for earlier, number in enumerate(failing)]


def _both(name: str, *children: Medium, threshold: int = 1) -> list[Setting]:
    return [
        Setting(f"{name}, quorum", "quorum", children, threshold),
        Setting(f"{name}, fifo", "fifo", children),
    ]


#: What is not measured for its own sake: what QEMU and the harness add to a read.
BASE = Setting("two instant, fifo", "fifo", (INSTANT, INSTANT))

SETTINGS: tuple[Setting, ...] = (
    *_both("two local", LOCAL, LOCAL, threshold=2),
    *_both("local first of two", LOCAL, FAR, threshold=1),
    Setting("local last of two, fifo", "fifo", (FAR, LOCAL)),
    *_both("local, rack, far", LOCAL, RACK, FAR, threshold=2),
    *_both("three shared", SHARED, SHARED, SHARED, threshold=2),
    *_both("five in racks", RACK, RACK, RACK, RACK, RACK, threshold=3),
    *_both("slow first", SLOW, RACK, RACK),
    *_both("failing first", FAILING, RACK, RACK),
    *_both("flapping first", FLAPPING, RACK, RACK),
    Setting("one of five is left, fifo", "fifo", (GONE, GONE, GONE, GONE, RACK)),
)

#: So many children at most, all in racks, in what is told of the number of children.
MOST = 9

BY_NUMBER: tuple[Setting, ...] = tuple(
    Setting(f"{count} in racks, {pattern}", pattern, (RACK,) * count, threshold)
    for count in range(1, MOST + 1)
    for pattern, threshold in (("quorum", count // 2 + 1), ("fifo", 1))
)


def setting(name: str) -> Setting:
    """The setting of that name."""
    return next(one for one in (BASE, *SETTINGS, *BY_NUMBER) if one.name == name)

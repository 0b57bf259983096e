# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzing in parts: some blocks of a seed each, played by a worker on QEMUs of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qsim.cluster.engine import spread
from qsim.fuzz.blocks import BLOCK
from qsim.fuzz.campaign import Tally
from qsim.fuzz.known import Known
from qsim.fuzz.run import MOST_SHRUNK, Plan, Result, Smallest, fuzz
from qsim.quorum.revisions import nearest, revision
from qsim.target.background import Background

#: How many blocks a part has: a loss costs little, and starting QEMU even less.
PART_BLOCKS = 5


@dataclass(frozen=True)
class Part:
    """What one worker does: a plan, on the binary at this path of its machine."""

    plan: Plan
    binary: str
    revision: str | None
    known: tuple[Known, ...]


def parts(plan: Plan, binary: str, name: str | None, known: Sequence[Known]) -> list[Part]:
    """The parts of a plan."""
    size = PART_BLOCKS * BLOCK
    return [
        Part(
            replace(
                plan,
                count=min(size, plan.count - done),
                first_block=plan.first_block + done // BLOCK,
            ),
            binary,
            name,
            tuple(known),
        )
        for done in range(0, plan.count, size)
    ]


def fuzz_part(part: Part) -> Result:
    """Play one part, in a worker."""
    background = Background()
    try:
        pool = background.open(part.binary)
        wanted = revision(part.revision) if part.revision else nearest(pool.version)
        told = f"QEMU {pool.version} ({part.binary})"
        return fuzz(background, pool.run, wanted, part.plan, told, part.known)
    finally:
        background.close()


def fuzz_spread(
    client: Any,
    plan: Plan,
    binary: str,
    name: str | None,
    known: Sequence[Known],
    tick: Callable[[Tally], bool] = lambda tally: False,
) -> Result:
    """Fuzz on a cluster: what came of all parts, in the order of their blocks.

    :param tick: is told after each part what came of all so far.
    """
    to_do = parts(plan, binary, name, known)
    done: dict[int, Result] = {}
    try:
        for block, result in spread(client, _numbered, to_do):
            done[block] = result
            tick(merged(list(done.values())).tally)
    except KeyboardInterrupt:
        left = {part.plan.first_block for part in to_do} - done.keys()
        return replace(merged(list(done.values())), stopped_in=min(left, default=None))
    return merged(list(done.values()))


def _numbered(part: Part) -> tuple[int, Result]:
    """A part's first block, and what came of it."""
    return part.plan.first_block, fuzz_part(part)


def merged(results: Sequence[Result]) -> Result:
    """The results of parts as one; what several have found is there once, as the first has it."""
    tally = Tally()
    every: list[Smallest] = []
    for result in results:
        tally.counts += result.tally.counts
        tally.known += result.tally.known
        tally.outside += result.tally.outside
        tally.found += result.tally.found
        every += result.smallest
    tally.found.sort(key=lambda found: (found.block, found.number))
    smallest: dict[tuple[str, ...], Smallest] = {}
    for one in sorted(every, key=lambda one: (one.found.block, one.found.number)):
        smallest.setdefault(one.found.judged.signature, one)
    return Result(tally, list(smallest.values())[:MOST_SHRUNK])

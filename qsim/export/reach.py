# SPDX-License-Identifier: GPL-2.0-or-later
"""What image files, blkdebug and one order of completion can express, and what they cannot."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from qsim.block.child import FEATURES, Fault
from qsim.block.events import limiter_key
from qsim.block.flags import BDRV_SECTOR_SIZE
from qsim.scenario.case import Case, Step

#: What qemu-io can send to an export and the tools can then check.
VERBS = ("read", "write", "write-zeroes", "discard", "flush")
#: So many bytes are written in no time.
MAX_SIZE = 64 << 20
#: So many parts of a file are filled and looked at.
MAX_RUNS = 8
#: blkdebug's rules name one sector each; so many are still a script one can read.
MAX_SECTORS = 8
#: Flushes what it opens anew.
REOPEN = "blockdev-reopen"
#: What QEMU says when users of a node cannot agree.
PERMISSIONS = "Permission conflict"
#: So many like events at once are seen.
MOST_LIKE = 2
#: So many times a fault can be counted: blkdebug has a rule for each.
MAX_COUNT = 8


class BeyondReach(Exception):
    """A scenario that cannot be exported.

    :param reasons: all there are.
    :param nearest: the same scenario without what is in the way, if that is still one.
    """

    def __init__(self, reasons: list[str], nearest: dict[str, Any] | None) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        self.nearest = nearest


@dataclass(frozen=True)
class Obstacle:
    """One thing that is in the way; ``mend`` takes it out of a raw case, None if nothing can."""

    reason: str
    mend: Callable[[dict[str, Any]], None] | None = None


def check(case: Case) -> None:
    """Let a case pass that can be exported.

    :raise BeyondReach: for one that cannot.
    """
    found = [*_of_case(case), *_of_children(case), *_of_steps(case)]
    if not found:
        return
    nearest = None
    if all(one.mend is not None for one in found):
        nearest = copy.deepcopy(case.raw)
        for one in found:
            assert one.mend is not None
            one.mend(nearest)
    raise BeyondReach(list(dict.fromkeys(one.reason for one in found)), nearest)


def _without(*keys: str) -> Callable[[dict[str, Any]], None]:
    def mend(raw: dict[str, Any]) -> None:
        for key in keys:
            raw.pop(key, None)

    return mend


def _without_in_steps(key: str) -> Callable[[dict[str, Any]], None]:
    def mend(raw: dict[str, Any]) -> None:
        for step in raw.get("steps", []):
            step.pop(key, None)

    return mend


def _of_case(case: Case) -> Iterator[Obstacle]:
    if case.drive is not None:
        yield Obstacle("a -drive string is its own command line already: paste that")
    if case.is_open:
        yield Obstacle("it leaves something open; name one way, as 'qsim list' shows them")
    if case.above is not None:
        yield Obstacle("it has a node above the quorum node", _without("above"))
    writes = [step for step in case.steps if step.verb not in ("read", "flush", "qmp")]
    if case.guest == "read-only" and writes:
        yield Obstacle("the guest may only read, and writes", _without("guest"))
    expect = case.opening.expect
    if expect is not None and expect.error and expect.error[1].startswith(PERMISSIONS):
        yield Obstacle("which permissions there are depends on the guest that is there")
    options = case.options or {}
    if not all(isinstance(one, str) for one in options.get("children") or [{}]):
        yield Obstacle("children are defined in place")


def _of_children(case: Case) -> Iterator[Obstacle]:
    for name, spec in case.children.items():
        if len(spec.content.data) > MAX_SIZE:
            yield Obstacle(
                f"{name} is larger than {MAX_SIZE} bytes, which would have to be written"
            )
        if spec.block_size != 1:
            yield Obstacle(f"{name} has blocks of {spec.block_size} bytes", _without("block-size"))
        if spec.features != frozenset(FEATURES):
            yield Obstacle(f"{name} lacks {', '.join(sorted(set(FEATURES) - spec.features))}")
        if spec.node:
            yield Obstacle(f"{name} has options of NBD nodes: {', '.join(spec.node)}")
        if len(list(islice(spec.content.data.runs(), MAX_RUNS + 1))) > MAX_RUNS:
            yield Obstacle(f"{name} holds more than {MAX_RUNS} runs of one byte each")
        if spec.content.holes:
            yield Obstacle(f"{name} has holes")
        for fault in spec.faults:
            yield from _of_fault(name, fault)


def _of_fault(name: str, fault: Fault) -> Iterator[Obstacle]:
    if fault.dead:
        yield Obstacle(f"{name} dies: a file has no connection that could break")
    if fault.skip:
        yield Obstacle(f"a fault of {name} lets {fault.skip} requests pass")
    if fault.count is not None and fault.count > MAX_COUNT:
        yield Obstacle(f"a fault of {name} comes {fault.count} times, {MAX_COUNT} at most can")
    if fault.end is not None:
        aligned = fault.start % BDRV_SECTOR_SIZE == fault.end % BDRV_SECTOR_SIZE == 0
        if not aligned or fault.end - fault.start > MAX_SECTORS * BDRV_SECTOR_SIZE:
            yield Obstacle(f"a fault of {name} is not of at most {MAX_SECTORS} whole sectors")
        elif fault.count is not None:
            yield Obstacle(f"a fault of {name} is of some sectors and some times")


def _of_steps(case: Case) -> Iterator[Obstacle]:
    yield from _of_flushes(case)
    if case.runs_job:
        yield Obstacle("a block job runs, which goes on at a pace of its own between the requests")
    for step in case.steps:
        if step.verb == "kill":
            yield Obstacle("the process is killed")
            continue
        if step.complete:
            yield Obstacle(
                "it names an order of completion; files complete in one order only",
                _without_in_steps("complete"),
            )
        if step.faults:
            yield Obstacle(f"faults that begin only with a later request ({step})")
        if step.meanwhile is not None:
            yield Obstacle(f"a command while requests are held ({step})")
        yield from _of_events(step)
        if step.verb == "qmp":
            if step.expect is not None and step.expect.returns not in (None, {}):
                yield Obstacle(f"what {step.command} returns depends on the files")
            if case.guest != "none" and step.command != "x-blockdev-change":
                yield Obstacle(f"whether {step.command} may depends on the guest that is there")
            continue
        if step.verb not in VERBS:
            yield Obstacle(f"{step.verb} is nothing qemu-io can do here")
        if step.verb != "flush" and not step.bytes:
            yield Obstacle(f"a request of no bytes ({step})")
        if step.verb != "flush" and step.offset + step.bytes > _size(case):
            yield Obstacle(f"a request beyond the end ({step})")
        if step.verb in ("flush", "read", "discard") and step.flags:
            yield Obstacle(f"flags that only writes have ({step})")
        if step.data is not None and len(set(step.data)) > 1:
            yield Obstacle(f"what is written is not one byte repeated ({step})")
        yield from _of_result(step)


def _of_flushes(case: Case) -> Iterator[Obstacle]:
    """A node is not flushed to disk unless it was written since (bdrv_co_flush())."""
    faults = [fault for spec in case.children.values() for fault in spec.faults]
    if not any(fault.op in ("flush", "any") for fault in faults):
        return
    written = False
    for step in case.steps:
        if step.verb == "flush":
            yield Obstacle("a flush that can fail: qemu-io in the monitor tells nothing of it")
        if step.verb == "flush" or step.command == REOPEN:
            if not written:
                yield Obstacle("a flush that fails though nothing was written: a file skips it")
            written = False
        written = written or step.verb in ("write", "write-zeroes")


def _of_events(step: Step) -> Iterator[Obstacle]:
    """Of like events at once the limiter lets the first pass, and the last after a second."""
    expect = step.expect
    if expect is None:
        return
    keys = Counter(key for key in map(limiter_key, expect.events) if key)
    if any(count > MOST_LIKE for count in keys.values()):
        yield Obstacle(f"more than {MOST_LIKE} like events at once ({step})")


def _size(case: Case) -> int:
    return min(len(spec.content.data) for spec in case.children.values())


def _of_result(step: Step) -> Iterator[Obstacle]:
    expect = step.expect
    if expect is None:
        return
    if expect.exit is not None or expect.undefined is not None:
        yield Obstacle(f"the process ends ({step})")
    if expect.data is not None and len(set(expect.data)) > 1:
        yield Obstacle(f"what is read is not one byte repeated ({step})")

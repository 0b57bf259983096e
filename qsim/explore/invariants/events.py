# SPDX-License-Identifier: GPL-2.0-or-later
"""That every event has its cause, and every cause its event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from qsim.block.errno import number, strerror
from qsim.block.events import Event
from qsim.block.flags import BDRV_SECTOR_SIZE
from qsim.explore.invariants.seen import GONE, Seen, most
from qsim.quorum.switches import CO_FLUSH

#: What a report calls an operation, since it says so.
TYPES = {"write-zeroes": "write", "block-status": "read"}


def _failed(seen: Seen) -> bool:
    """Whether there is what QUORUM_FAILURE says: too few successes, or no version with enough."""
    if not (seen.votes or seen.writes):
        return False
    threshold = seen.quorum.threshold
    if sum(not errno for errno in seen.errnos().values()) < threshold:
        return True
    return seen.votes and most(seen.versions().values())[1] < threshold


def _outvoted(seen: Seen) -> set[str]:
    """The children that have other bytes than the guest got."""
    if not (seen.votes and seen.ret == "0" and len(seen.winners()) == 1):
        return set()
    winners = seen.winners()
    return {child for child, version in seen.versions().items() if version not in winners}


def _sectors(seen: Seen) -> tuple[int, int]:
    """First sector and number of sectors that an event about a request names."""
    if seen.step.verb == "flush":
        return 0, 0
    first, last = seen.start // BDRV_SECTOR_SIZE, -(-seen.end // BDRV_SECTOR_SIZE)
    return first, last - first


def cause(seen: Seen) -> Iterator[str]:
    """An event says what has happened, of whom it did, when it has."""
    if not seen.ops:
        return
    for event in seen.events:
        if seen.step.verb != "block-status" and _sectors(seen) != (
            event.get("sector-num"), event.get("sectors-count")
        ):  # fmt: skip
            yield "an event names other sectors than those of the request"
        if event.name == "QUORUM_FAILURE":
            if not _failed(seen):
                yield "QUORUM_FAILURE though nothing has failed"
        elif "error" in dict(event.data):
            yield from _error(seen, event)
        elif len(seen.winners()) > 1:
            continue  # They differ in what only the driver has seen.
        elif event.get("node-name") not in _outvoted(seen):
            yield "a child is reported as outvoted that was not"
        elif _after(event) < seen.said("read")[event.get("node-name")][0]:
            yield "a child is reported as outvoted before it has voted"


def _after(event: Event) -> float:
    return float("inf") if event.after is None else event.after


def _error(seen: Seen, event: Event) -> Iterator[str]:
    """What is wrong with a report of an error."""
    child, text = event.get("node-name"), event.get("error")
    kind = TYPES.get(seen.step.verb, seen.step.verb)
    if seen.turn.coroutines and event.get("type") != kind:
        yield "a report names another operation than what failed"
    if child in seen.turn.gone and text in [strerror(number(one)) for one in GONE]:
        return
    failures = [
        at
        for at, beat in seen.answered
        if beat.child == child and beat.op in seen.ops and text == strerror(seen.errno_of(beat))
    ]
    if not failures:
        yield "a child is reported with an error it has not failed with"
    elif _after(event) < failures[0]:
        yield "a child is reported before it has failed"


def told(seen: Seen) -> Iterator[str]:
    """Each failure, each child that was outvoted and each request that failed has its event."""
    if not seen.ops:
        return
    verb, turn = seen.step.verb, seen.turn
    bad = [event for event in seen.events if event.name == "QUORUM_REPORT_BAD"]
    errors = Counter(event.get("node-name") for event in bad if "error" in dict(event.data))
    # Of 2014: a FIFO read says nothing, and until the driver had flushes for itself only its own
    # half of one did, since it had coroutines.
    silent = (verb == "read" and seen.quorum.fifo and not turn.coroutines) or (
        verb == "flush" and CO_FLUSH not in turn.revision.switches
    )
    if not silent:
        failures = Counter(
            beat.child for _, beat in seen.answered if beat.op in seen.ops and beat.errno
        )
        yield from _counts(seen, failures, errors, "failed")
    outvoted = Counter(event.get("node-name") for event in bad if "error" not in dict(event.data))
    if seen.votes and (seen.ret != "0" or len(seen.winners()) == 1):
        yield from _counts(seen, Counter(_outvoted(seen)), outvoted, "was outvoted")
    sent = len(seen.events) - len(bad)
    if _failed(seen) and not sent:
        yield f"too few children for a {verb}, and no QUORUM_FAILURE"
    elif sent > 1:
        yield "QUORUM_FAILURE comes more than once"


def _counts(seen: Seen, wanted: Counter[str], had: Counter[str], what: str) -> Iterator[str]:
    for child in seen.quorum.children:
        if child in seen.turn.gone:
            continue
        if had[child] < wanted[child]:
            yield f"a child that {what} is not reported"
        elif had[child] > wanted[child] > 0:
            yield f"a child that {what} is reported more than once"

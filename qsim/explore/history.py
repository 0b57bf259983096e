# SPDX-License-Identifier: GPL-2.0-or-later
"""What went before in a step, as far as an invariant can look at it, without the order.

Runs that differ in nothing else are in one state, so whatever an invariant asks of the order must
be here: whether a read was asked for after one had succeeded, and whether the child that an event
names had answered before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from qsim.block.events import Event
from qsim.block.stage import Answered, Asked, Beat


def history(beats: Sequence[Beat], events: Sequence[Event]) -> object:
    """A step's story and its events, or as much of them as there is."""
    asked: list[str] = []
    answered: dict[str, list[str]] = {}
    read: set[tuple[int, int]] = set()
    order: list[str] = []
    for beat in beats:
        if isinstance(beat, Asked):
            for request in beat.requests:
                late = (request.offset, request.bytes) in read
                asked.append(f"{request} {request.data!r} {late}")
        elif isinstance(beat, Answered) and beat.request is not None:
            order.append(beat.child)
            if beat.op == "read" and not beat.errno:
                read.add((beat.request.offset, beat.request.bytes))
            its = answered.setdefault(beat.child, [])
            its.append(f"{beat.request} {beat.errno} {beat.dead} {beat.data!r}")
    told = [(str(event), event.get("node-name") in order[: event.after]) for event in events]
    return sorted(asked), sorted(answered.items()), sorted(told)

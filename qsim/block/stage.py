# SPDX-License-Identifier: GPL-2.0-or-later
"""The stage: all children of a scenario, what they were asked, and who is answered next.

Both witnesses play on it.  A run is a sequence of rounds: the driver runs until it can do
nothing more (all requests it has sent are *held*), then exactly one held request is completed,
and the driver runs again.  What was asked in a round and which request was completed is the
story; two runs with the same story did the same things in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from qsim.block.child import Reply, Request, ScriptedChild
from qsim.block.errno import name

Cookie = TypeVar("Cookie")


@dataclass(frozen=True)
class StopAfter:
    """The completion with which a step ends: of the ``count``-th ``op`` that ``child`` was asked
    for in it.  What children hold then, they go on to hold.
    """

    child: str
    op: str
    count: int

    def __str__(self) -> str:
        return f"{self.child} {self.op} x{self.count}"


@dataclass(frozen=True)
class Asked:
    """What children were asked for in one round, children in order."""

    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Answered:
    """One request was completed: ``errno`` 0 is success; ``dead`` a closed connection.

    ``request`` and ``data`` are what was asked and what was read: no part of the story, which
    knows both from what came before, but of what is checked about it.
    """

    child: str
    op: str
    errno: int
    dead: bool = False
    request: Request | None = field(default=None, compare=False, repr=False)
    data: bytes = field(default=b"", compare=False, repr=False)

    def __str__(self) -> str:
        result = "dies" if self.dead else name(self.errno) if self.errno else "ok"
        return f"{self.child} {self.op}: {result}"


@dataclass(frozen=True)
class Cancelled:
    """A guest request was cancelled, by its place among those in flight, oldest first."""

    place: int

    def __str__(self) -> str:
        return f"request {self.place}: cancelled"


Beat = Asked | Answered | Cancelled

#: The word of a schedule that cancels a guest request; ``cancel.1`` is the second oldest.
CANCEL = "cancel"


@dataclass(eq=False)
class Held(Generic[Cookie]):
    """A request that waits to be completed; ``cookie`` is the witness's own handle on it.

    Two that ask for the same are two.
    """

    request: Request
    cookie: Cookie


@dataclass
class Stage(Generic[Cookie]):
    """The children by name, in the scenario's order, and the requests they hold.

    ``order`` is the schedule: names of children, the next to be answered first; ``c0.1`` is the
    second oldest request that c0 holds.  When the schedule is used up, or what it names is not
    there, the oldest request is answered.
    """

    children: dict[str, ScriptedChild]
    order: list[str] = field(default_factory=list)
    held: list[Held[Cookie]] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)
    #: How many requests of this step were completed; those a child takes with it count as one.
    completions: int = 0
    #: How many more completions of what the step ends with there are to be; None without such.
    to_come: int | None = None
    #: What the step that is over was to end with, and did not come so often.
    missed: StopAfter | None = None
    _stop_after: StopAfter | None = None
    _arrived: list[Held[Cookie]] = field(default_factory=list)

    def begin(self, order: Sequence[str], stop_after: StopAfter | None = None) -> None:
        """A new step with its schedule; the story starts afresh."""
        self.order = list(order)
        self._stop_after = stop_after
        self.to_come = None if stop_after is None else stop_after.count
        self.beats = []
        self.completions = 0

    def arrive(self, request: Request, cookie: Cookie) -> None:
        """A child received a request."""
        self._arrived.append(Held(request, cookie))

    @property
    def waiting(self) -> bool:
        """Whether requests have arrived that are not yet part of the story."""
        return bool(self._arrived)

    def drop(self) -> None:
        """Who asked is no more: what is held has no effect."""
        self._arrived, self.held = [], []

    def settle(self) -> None:
        """The driver can do nothing more: what arrived since is one round of the story."""
        if not self._arrived:
            return
        rank = {child: i for i, child in enumerate(self.children)}
        arrived = sorted(self._arrived, key=lambda held: rank[held.request.child])
        self._arrived = []
        self.held += arrived
        self.beats.append(Asked(tuple(held.request for held in arrived)))

    def cancel_next(self) -> int | None:
        """The place of the guest request to be cancelled next; None for another turn."""
        if not self.order or self.order[0].partition(".")[0] != CANCEL:
            return None
        return int(self.order[0].partition(".")[2] or 0)

    def cancelled(self, place: int) -> None:
        """The request whose turn it was has been cancelled."""
        self.order.pop(0)
        self.beats.append(Cancelled(place))

    def complete_next(self) -> list[tuple[Held[Cookie], Reply]]:
        """Complete the request that is next by the schedule; empty when nothing is held.

        More than one when the child dies of it: all it held are lost with it, oldest first.
        """
        if not self.held:
            return []
        chosen = self._choose()
        request = chosen.request
        reply = self.children[request.child].complete(request)
        self.beats.append(
            Answered(request.child, request.op, reply.errno, reply.dead, request, reply.data)
        )
        self.completions += 1
        stop = self._stop_after
        if stop and self.to_come and (request.child, request.op) == (stop.child, stop.op):
            self.to_come -= 1
        gone = [chosen]
        if reply.dead:
            gone = [held for held in self.held if held.request.child == request.child]
        self.held = [held for held in self.held if held not in gone]
        return [(held, reply) for held in gone]

    def _choose(self) -> Held[Cookie]:
        while self.order:
            wanted = self.order.pop(0)
            child, _, place = (wanted, "", "") if wanted in self.children else wanted.partition(".")
            its = [held for held in self.held if held.request.child == child]
            if int(place or 0) < len(its):
                return its[int(place or 0)]
            self.impossible.append(wanted)
        return self.held[0]

    def end(self) -> list[Beat]:
        """The step is over: its story.  What the schedule still names was impossible."""
        self.settle()
        self.impossible += self.order
        self.order = []
        self.missed = self._stop_after if self.to_come else None
        self._stop_after, self.to_come = None, None
        return self.beats

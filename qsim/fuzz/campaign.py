# SPDX-License-Identifier: GPL-2.0-or-later
"""A campaign: block after block of scenarios, played and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from qsim.fuzz.judge import WRONG, Judge, Judged, Kind
from qsim.fuzz.strategy import Drawn
from qsim.target.background import Background, any_done

#: So many scenarios are in flight: enough that waiting for QEMU's event limiter costs no time.
IN_FLIGHT = 128
#: Of more differences than these only the number is kept.
KEPT = 50


@dataclass(frozen=True)
class Found:
    """A scenario to be looked at: its place among all that can be generated, what became of it."""

    seed: int
    block: int
    number: int
    drawn: Drawn
    judged: Judged

    def __str__(self) -> str:
        return f"seed {self.seed}, block {self.block}, number {self.number}"


@dataclass
class Tally:
    """What became of all scenarios so far."""

    counts: Counter[Kind] = field(default_factory=Counter)
    #: Known differences by name, scenarios outside by reason.
    known: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)
    #: Those with which it has failed, in the order they were found; not all if they are many.
    found: list[Found] = field(default_factory=list)

    def add(self, one: Found) -> None:
        """Count a scenario."""
        kind = one.judged.kind
        self.counts[kind] += 1
        if kind is Kind.KNOWN:
            self.known[one.judged.reason] += 1
        elif kind is Kind.OUTSIDE:
            self.outside[one.judged.reason] += 1
        elif kind in WRONG and len(self.found) < KEPT:
            self.found.append(one)

    @property
    def wrong(self) -> int:
        """With how many it has failed."""
        return sum(self.counts[kind] for kind in WRONG)

    @property
    def total(self) -> int:
        """How many scenarios there were."""
        return sum(self.counts.values())


class Campaign:
    """Plays scenarios on a thread that plays, and counts what becomes of them.

    :param background: the thread; it stays the caller's.
    :param in_flight: how many scenarios are under way at once.
    """

    def __init__(
        self, background: Background, judge: Judge, seed: int, in_flight: int = IN_FLIGHT
    ) -> None:
        self.background = background
        self.judge = judge
        self.seed = seed
        self.in_flight = in_flight
        self.tally = Tally()
        #: If it was told to stop (Ctrl-C): the first block of which not all was played.
        self.stopped_in: int | None = None

    def run(
        self,
        blocks: Iterable[tuple[int, list[Drawn]]],
        count: int | None = None,
        enough: Callable[[Tally], bool] = lambda tally: False,
    ) -> Tally:
        """Play the scenarios of ``blocks``; on Ctrl-C, as far as it has come.

        :param count: play at most so many.
        :param enough: asked after each scenario whether to stop.
        """
        #: With their blocks.
        under_way: dict[Future[Found], int] = {}
        number = 0
        every = ((block, i, one) for block, drawn in blocks for i, one in enumerate(drawn))
        try:
            for number, i, one in islice(every, count):
                played = self.background.submit(partial(self._played, number, i, one))
                under_way[played] = number
                if len(under_way) >= self.in_flight:
                    self._count(under_way)
                if enough(self.tally):
                    break
            while under_way and not enough(self.tally):
                self._count(under_way)
        except KeyboardInterrupt:
            self.stopped_in = min(under_way.values(), default=number)
        for future in under_way:
            future.cancel()
        return self.tally

    async def _played(self, block: int, number: int, drawn: Drawn) -> Found:
        return Found(self.seed, block, number, drawn, await self.judge.judge(drawn))

    def _count(self, under_way: dict[Future[Found], int]) -> None:
        """Take out those that are done, of which there is one at least, and count them."""
        for future in any_done(under_way):
            del under_way[future]
            self.tally.add(future.result())

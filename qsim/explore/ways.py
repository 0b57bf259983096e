# SPDX-License-Identifier: GPL-2.0-or-later
"""A case that leaves something open as cases that do not: one for each way it can go.

All ways up to a bound; beyond it one to each outcome, and a fair sample: at every place where
there is a choice each edge is as likely as the others.  The sample depends on the case's name
alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from qsim.explore.possible import Possible, possible
from qsim.explore.search import Reduction, Search, Todo, Way
from qsim.outcome import against_fixture, nearest_allowed
from qsim.quorum.revisions import Revision
from qsim.scenario import Case

#: So many ways of one case are played, unless somebody asks for more.
MOST = 24
#: A sample is given up after so many times its size.
TRIES = 8


@dataclass(frozen=True)
class Ways:
    """The ways ``case`` can go on the model of ``revision``.

    :param most: how many of them are wanted.
    """

    case: Case
    revision: Revision
    most: int = MOST

    @cached_property
    def set(self) -> dict[Possible, Way]:
        """All that can come of it, and a way to each."""
        found: dict[Possible, Way] = {}
        for way in Search(self.case, self.revision, cancel=False).ways():
            found.setdefault(possible(way.outcome), way)
        return found

    @cached_property
    def chosen(self) -> list[Way]:
        """The ways to be played: all there are, or so many as are wanted."""
        search = Search(self.case, self.revision, Reduction.ORDERS, cancel=False)
        ways = list(islice(search.ways(), self.most + 1))
        if len(ways) <= self.most:
            return ways
        chosen = {way.path: way for way in self.set.values()}
        for way in islice(self._sample(), TRIES * self.most):
            if len(chosen) >= self.most:
                break
            chosen[way.path] = way
        return list(chosen.values())

    def _sample(self) -> Iterator[Way]:
        """Ways drawn at random, again and again."""
        draw = random.Random(self.case.id)
        while True:
            search = Search(self.case, self.revision, Reduction.ORDERS, cancel=False)
            yield walk(search, draw)

    @cached_property
    def closed(self) -> dict[str, Case]:
        """The cases to be played, by id."""
        cases = (_foreseen(way.closed(self.case), way) for way in self.chosen)
        return {case.id: case for case in cases}

    @cached_property
    def leads_to(self) -> dict[str, Possible]:
        """What comes of each on the model."""
        return {way.closed(self.case).id: possible(way.outcome) for way in self.chosen}

    def wrong(self) -> list[str]:
        """Where the model's set is not what the case allows."""
        found = []
        for way in self.set.values():
            closed = way.closed(self.case)
            found += [f"{closed.name}: {one}" for one in against_fixture(closed, way.outcome)]
        return found + unmet(self.case, self.set.values())


def unmet(case: Case, ways: Iterable[Way]) -> list[str]:
    """What ``case`` allows that none of ``ways``, which are all there are, comes to."""
    met = {
        id(nearest_allowed(way.closed(case), i, way.outcome))
        for way in ways
        for i in range(len(way.outcome.steps))
    }
    return [
        f"{case.file}:{expect.line}: allowed, and never comes"
        for step in case.steps
        for expect in step.allowed
        if id(expect) not in met
    ]


def _foreseen(closed: Case, way: Way) -> Case:
    """The case, knowing what should come of it."""
    steps = tuple(
        replace(step, foreseen=nearest_allowed(closed, i, way.outcome)) if step.allowed else step
        for i, step in enumerate(closed.steps, 1)
    )
    return replace(closed, steps=steps)


def walk(search: Search, draw: random.Random) -> Way:
    """One way from the beginning to the end, each edge as likely as the others."""
    search.todo = [Todo(draw=draw)]
    way = search.play()
    assert way is not None
    return way


def expanded(cases: Iterable[Case], revision: Revision, most: int = MOST) -> list[Case]:
    """``cases`` with nothing left open: each that does leave something is its ways."""
    found: list[Case] = []
    for case in cases:
        if not case.is_open:
            found.append(case)
            continue
        closed = Ways(replace(case, way=""), revision, most).closed
        found += [one for one in closed.values() if case.way in ("", one.name, one.id)]
    return found

# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases explored one after the other: what can come of each, and the shortest way to a defect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from qsim.explore.paths import Defect, defects_on, shortest
from qsim.explore.possible import Possible, possible
from qsim.explore.search import UNBOUNDED, Bounds, Figures, Reduction, Search, Way
from qsim.quorum.revisions import Revision
from qsim.scenario import Case


@dataclass
class Exploration:
    """An exploration, which can stop at any time and go on.

    :param cancel: also cancel a guest request at every point, once in a run.
    :param bounds: what each case may take.
    """

    cases: Sequence[Case]
    revision: Revision
    reduction: Reduction = Reduction.FULL
    cancel: bool = True
    bounds: Bounds = UNBOUNDED
    #: Of each case, what can come of it and one way to each.
    outcomes: list[dict[Possible, Way]] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)
    #: The shortest way to each defect so far.
    found: list[tuple[int, Way, Defect]] = field(default_factory=list)
    #: Cases whose ways are not all known: a bound was reached.
    bounded: list[int] = field(default_factory=list)
    search: Search | None = None

    @property
    def number(self) -> int:
        """How many cases are done."""
        return len(self.outcomes) - (self.search is not None)

    @property
    def over(self) -> bool:
        """Whether all cases are done."""
        return self.search is None and self.number == len(self.cases)

    @property
    def defects(self) -> list[Defect]:
        """The shortest way to each defect."""
        return shortest(defect for _, _, defect in self.found)

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Explore what is left.

        :param tick: called after every run of the model; an exception from it leaves everything
            so that :meth:`run` goes on with the next.
        """
        while not self.over:
            if self.search is None:
                self.begin(self.search_of(self.number))
            self.go(tick)

    def begin(self, search: Search) -> None:
        """The next case is explored by ``search``."""
        self.outcomes.append({})
        self.search = search

    def go(self, tick: Callable[[], None] = lambda: None) -> None:
        """Explore the case that was begun."""
        assert self.search is not None
        while self.search.todo and not self.search.beyond:
            self.step()
            tick()
        self.end()

    def step(self) -> None:
        """Make one run."""
        assert self.search is not None
        before = self.search.figures.copy()
        way = self.search.play()
        self.figures.add(self.search.figures, before)
        if way is not None:
            self.came(len(self.outcomes) - 1, way)

    def end(self) -> None:
        """The case that was begun is over, or as far as the bounds let it go."""
        assert self.search is not None
        if self.search.todo:
            self.bounded.append(len(self.outcomes) - 1)
        self.search = None

    def search_of(self, number: int) -> Search:
        """A search of case ``number`` from its beginning."""
        case = self.cases[number]
        return Search(case, self.revision, self.reduction, self.cancel, self.bounds)

    def came(self, number: int, way: Way) -> None:
        """A way of a case was played to its end."""
        case = self.cases[number]
        self.outcomes[number].setdefault(possible(way.outcome), way)
        for defect in defects_on(case, way, self.revision):
            known = [one for one in self.found if one[2].what == defect.what]
            if not known:
                self.found.append((number, way, defect))
            elif defect.length < known[0][2].length:
                self.found[self.found.index(known[0])] = (number, way, defect)

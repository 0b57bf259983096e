# SPDX-License-Identifier: GPL-2.0-or-later
"""An exploration in parts: some of many cases, or sub-trees of the search through a few.

A worker does not know which states others have entered, so of a case that is split more runs are
made in all; what can come of it, and what is wrong with it, is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from qsim.cluster.engine import spread
from qsim.explore.choices import Edge
from qsim.explore.exploration import Exploration
from qsim.explore.search import Figures, Todo, play_way

#: Into how many parts an exploration is split, if it can be.
PARTS = 64


@dataclass(frozen=True)
class Part:
    """What one worker does: in each case of ``alone``, the runs that begin with these prefixes."""

    alone: Exploration
    numbers: tuple[int, ...]
    prefixes: tuple[tuple[tuple[Edge, ...], ...], ...]


@dataclass(frozen=True)
class Searched:
    """What a part has come to: by number of the case, a way to each outcome and each defect."""

    ways: tuple[tuple[int, tuple[Edge, ...]], ...]
    figures: Figures
    bounded: tuple[int, ...]


def search_part(part: Part) -> Searched:
    """Search one part, in a worker."""
    alone = part.alone
    for here, prefixes in enumerate(part.prefixes):
        search = alone.search_of(here)
        search.todo = [Todo(prefix) for prefix in prefixes]
        alone.begin(search)
        alone.go()
    ways = [
        (number, way.path)
        for number, outcomes in zip(part.numbers, alone.outcomes, strict=True)
        for way in outcomes.values()
    ]
    ways += [(part.numbers[here], way.path) for here, way, _ in alone.found]
    bounded = tuple(part.numbers[here] for here in alone.bounded)
    return Searched(tuple(dict.fromkeys(ways)), alone.figures, bounded)


def explore_spread(
    exploration: Exploration, client: Any, tick: Callable[[], None] = lambda: None
) -> None:
    """Explore on a cluster; afterwards ``exploration`` is as if it had been done here."""
    parts = list(_parts(exploration))
    for searched in spread(client, search_part, parts):
        for number, path in searched.ways:
            case = exploration.cases[number]
            way = play_way(case, exploration.revision, path, exploration.cancel)
            exploration.came(number, way)
        exploration.figures.add(searched.figures, Figures())
        exploration.bounded += [n for n in searched.bounded if n not in exploration.bounded]
        tick()


def _parts(exploration: Exploration) -> Iterator[Part]:
    count = len(exploration.cases)
    if count >= PARTS:
        exploration.outcomes = [{} for _ in exploration.cases]
        for first in range(PARTS):
            numbers = tuple(range(first, count, PARTS))
            yield _part(exploration, numbers, tuple(((),) for _ in numbers))
        return
    for number in range(count):
        search = exploration.search_of(number)
        exploration.begin(search)
        while 0 < len(search.todo) < PARTS // count and not search.beyond:
            # What was put off first is the greatest.
            search.todo.append(search.todo.pop(0))
            exploration.step()
        left, search.todo = search.todo, []
        exploration.end()
        for todo in left:
            yield _part(exploration, (number,), ((todo.prefix,),))


def _part(
    exploration: Exploration,
    numbers: tuple[int, ...],
    prefixes: tuple[tuple[tuple[Edge, ...], ...], ...],
) -> Part:
    cases = [exploration.cases[number] for number in numbers]
    alone = Exploration(
        cases,
        exploration.revision,
        exploration.reduction,
        exploration.cancel,
        replace(exploration.bounds),
    )
    return Part(alone, numbers, prefixes)

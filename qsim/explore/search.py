# SPDX-License-Identifier: GPL-2.0-or-later
"""The search: every way a case can go, each state entered once.

A run of the model is decided by its schedule, so the search plays a case again and again, each
time with another edge at the last place where there was a choice.  ``ORDERS`` plays every
schedule; ``STATES`` ends a run that comes to a state in which another has been; ``FULL`` leaves
out besides what only exchanges neighbours that do not depend on each other (sleep sets: see
:mod:`qsim.explore.independent`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from qsim.block.stage import CANCEL, Asked, Held, Stage
from qsim.explore.choices import Edge, Made, closed, decide, picks
from qsim.explore.history import history
from qsim.explore.independent import Move, independent, move_of
from qsim.explore.possible import possible_step
from qsim.explore.state import run_of, state_of
from qsim.outcome import Outcome
from qsim.quorum.revisions import Revision
from qsim.scenario import Case
from qsim.target.model import Run, run_model


class Reduction(Enum):
    """What is left out of the search; never an outcome."""

    ORDERS = "none"
    STATES = "states"
    FULL = "full"


@dataclass(frozen=True)
class Bounds:
    """Where a search ends although there is more."""

    executions: int = 1_000_000
    states: int = 1_000_000


UNBOUNDED = Bounds()


class Cut(BaseException):
    """This run comes to nothing new from here on."""


@dataclass(frozen=True)
class Way:
    """One way a case can go to its end: the edges, and the step each belongs to."""

    path: tuple[Edge, ...]
    at: tuple[int, ...]
    outcome: Outcome

    @property
    def schedule(self) -> tuple[str, ...]:
        """The words of the schedule."""
        return tuple(edge.word for edge in self.path)

    def closed(self, case: Case) -> Case:
        """The case as it goes this way."""
        return closed(case, self.path, self.at)


@dataclass
class Todo:
    """A run to be made: it follows ``prefix``, whose last edge leaves ``state``.

    ``asleep`` are the moves that need not be made after it, if they are independent of it.
    ``draw`` chooses at random what comes then, and nothing else is left to do.
    """

    prefix: tuple[Edge, ...] = ()
    state: bytes = b""
    asleep: tuple[Move, ...] = ()
    draw: random.Random | None = None


@dataclass
class Figures:
    """How much a search has done."""

    executions: int = 0
    states: int = 0
    edges: int = 0
    ends: int = 0

    def copy(self) -> Figures:
        """As they are now."""
        return replace(self)

    def add(self, after: Figures, before: Figures) -> None:
        """Add what was done between ``before`` and ``after``."""
        for name, number in vars(after).items():
            setattr(self, name, getattr(self, name) + number - getattr(before, name))


@dataclass
class Search:
    """A search through the ways of ``case`` on the model of ``revision``.

    :param cancel: also cancel a guest request at every point, once in a run.
    """

    case: Case
    revision: Revision
    reduction: Reduction = Reduction.FULL
    cancel: bool = True
    bounds: Bounds = UNBOUNDED
    figures: Figures = field(default_factory=Figures)
    todo: list[Todo] = field(default_factory=lambda: [Todo()])
    #: The states that were entered, and what was asleep there.
    entered: dict[bytes, frozenset[Move]] = field(default_factory=dict)
    #: Of moves that were made: whether anything was to be seen of them.
    silent: dict[tuple[bytes, Move], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A schedule of its own would stand behind the words that are decided here.
        steps = tuple(replace(step, complete=()) for step in self.case.steps)
        self.case = replace(self.case, steps=steps)
        self.cancel = self.cancel and self.revision.engine == "callback"

    @property
    def complete(self) -> bool:
        """Whether nothing is left."""
        return not self.todo

    @property
    def beyond(self) -> bool:
        """Whether a bound has been reached."""
        done, bounds = self.figures, self.bounds
        return done.executions >= bounds.executions or done.states >= bounds.states

    def ways(self) -> Iterator[Way]:
        """The ways that were played to their end, until all are known or a bound is reached."""
        while self.todo and not self.beyond:
            way = self.play()
            if way is not None:
                yield way

    def play(self) -> Way | None:
        """Make one run; None when it was cut short."""
        run = _Play(self, self.todo.pop())
        self.figures.executions += 1
        try:
            outcome = run_model(self.case, self.revision, run.decide)
        except Cut:
            return None
        run.over(outcome)
        self.figures.ends += 1
        return Way(tuple(run.path), tuple(run.at), outcome)


class _Play:
    """One run of the search."""

    def __init__(self, search: Search, todo: Todo) -> None:
        self.search = search
        self.todo = todo
        self.path: list[Edge] = []
        self.at: list[int] = []
        self.made: Made = {}
        self.asleep: tuple[Move, ...] = todo.asleep
        #: The steps that have ended, as far as they count for the state.
        self.past: list[object] = []
        #: The move made last, beyond the prefix: where, by what, and what was to be seen before.
        self.last: tuple[bytes, Move] | None = None
        self.seen: tuple[int, ...] = ()

    def decide(self, stage: Stage[Any], callers: int) -> str:
        """The next word of the schedule."""
        run = run_of()
        at = len(run.outcome.steps) - 1
        number, prefix = len(self.path), self.todo.prefix
        if number < len(prefix) - 1:
            edge = prefix[number]
        else:
            edges = self._edges(run, at, callers)
            if number < len(prefix):
                edge, state = prefix[number], self.todo.state
            else:
                edge, state = self._new(run, edges)
            self.last = (state, edges[edge])
            self.seen = _seen(run)
        self.path.append(edge)
        self.at.append(at)
        decide(self.search.case, self.made, stage.children, edge)
        return edge.word

    def over(self, outcome: Outcome) -> None:
        """The run has come to its end: the last move was to be seen."""
        if self.last is not None:
            self.search.silent[self.last] = False

    def _new(self, run: Run, edges: dict[Edge, Move]) -> tuple[Edge, bytes]:
        """Choose in a place where no run has been by this way; leave the others to later runs."""
        search = self.search
        if self.todo.draw is not None:
            return self.todo.draw.choice(list(edges)), b""
        reduction = search.reduction
        state = b""
        sleeping: tuple[Move, ...] = ()
        if reduction is Reduction.FULL:
            sleeping = self._still_asleep(run, edges)
        todo = [edge for edge, move in edges.items() if move not in sleeping]
        if reduction is not Reduction.ORDERS:
            state = state_of(self._history(run))
            before = search.entered.get(state)
            now = frozenset(sleeping)
            if before is None:
                search.figures.states += 1
                search.entered[state] = now
            else:
                # What slept then and does not now is still to be done.
                todo = [edge for edge, move in edges.items() if move in before - now]
                search.entered[state] = before & now
        if not todo:
            raise Cut
        search.figures.edges += len(todo)
        path = tuple(self.path)
        moves = [edges[edge] for edge in todo]
        for i in range(len(todo) - 1, 0, -1):
            asleep_there = (*sleeping, *moves[:i]) if reduction is Reduction.FULL else ()
            search.todo.append(Todo((*path, todo[i]), state, asleep_there))
        self.asleep = sleeping
        return todo[0], state

    def _still_asleep(self, run: Run, edges: dict[Edge, Move]) -> tuple[Move, ...]:
        """Of what slept before the last move that which still does."""
        if self.last is None:
            return ()
        state, last = self.last
        silent = self.search.silent
        silent[self.last] = _seen(run) == self.seen
        if not silent[self.last]:
            return ()
        here = Counter(edges.values())
        return tuple(
            move
            for move in self.asleep
            # Of two that have one name it could be either.
            if here[move] == 1 and silent.get((state, move), False) and independent(move, last)
        )

    def _edges(self, run: Run, at: int, callers: int) -> dict[Edge, Move]:
        """Everything that can happen now."""
        search = self.search
        edges: dict[Edge, Move] = {}
        for word, held in words(run.stage):
            child = run.stage.children[held.request.child]
            for way in picks(search.case, self.made, at, child, held.request):
                edges[Edge(word, way)] = move_of(run, held, way)
        if search.cancel and not any(edge.word.startswith(CANCEL) for edge in self.path):
            for i in range(callers):
                edges[Edge(f"{CANCEL}.{i}" if i else CANCEL)] = Move(None, None)
        return edges

    def _history(self, run: Run) -> object:
        """What went before, as far as what is seen or checked in the end knows it."""
        ended = run.outcome.steps[:-1]
        for step in ended[len(self.past) :]:
            self.past.append((repr(possible_step(step)), history(step.beats or (), step.events)))
        first = sum(len(step.events) for step in ended)
        return (
            self.past,
            run.outcome.steps[-1].label,
            history(run.stage.beats, run.world.events[first:]),
            sorted(self.made.items()),
            any(edge.word.startswith(CANCEL) for edge in self.path),
        )


def play_way(case: Case, revision: Revision, path: tuple[Edge, ...], cancel: bool) -> Way:
    """Play one way again that a search has found."""
    search = Search(case, revision, Reduction.ORDERS, cancel)
    search.todo = [Todo(path)]
    way = search.play()
    assert way is not None and way.path == path
    return way


def _seen(run: Run) -> tuple[int, ...]:
    """How much there was to be seen so far: events, requests asked, answers."""
    asked = sum(len(beat.requests) for beat in run.stage.beats if isinstance(beat, Asked))
    return len(run.world.events), asked, len(run.replies), len(run.outcome.steps)


def words(stage: Stage[Any]) -> Iterator[tuple[str, Held[Any]]]:
    """The words for all requests held now."""
    seen: dict[str, int] = {}
    for held in stage.held:
        child = held.request.child
        place = seen[child] = seen.get(child, -1) + 1
        yield f"{child}.{place}" if place else child, held

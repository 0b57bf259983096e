# SPDX-License-Identifier: GPL-2.0-or-later
"""Exploration: every order in which children can answer, every point at which to cancel.

A run of the model is decided by its schedule alone, so exploring is playing a case again and
again, each time with another word at the last place where there was a choice.  What is looked
for are defects: behaviour C leaves undefined, memory never freed, a run that hangs, a guest that
is answered too early.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from qsim.block.stage import CANCEL, Stage
from qsim.outcome import Outcome
from qsim.quorum.revisions import Revision
from qsim.scenario import Case
from qsim.target.model import run_model


@dataclass(frozen=True)
class Path:
    """One way a case can go: the whole schedule, and what came of it."""

    schedule: tuple[str, ...]
    outcome: Outcome


@dataclass(frozen=True)
class Defect:
    """A defect, and the shortest way found to it: ``case`` with its schedule filled in."""

    what: str
    case: Case
    outcome: Outcome

    @property
    def length(self) -> tuple[int, ...]:
        """How long the way is: children, faults, words of the schedule, bytes of its options."""
        faults = [child.faults for child in self.case.children.values() if child.faults]
        faults += [fault for step in self.case.steps for fault in step.faults.values()]
        words = [word for step in self.case.steps for word in step.complete]
        return len(self.case.children), len(faults), len(words), len(str(self.case.options))


def paths(case: Case, revision: Revision, cancel: bool = True) -> Iterator[Path]:
    """Every way ``case`` can go.

    :param cancel: also cancel a guest request at every point, once in a run.
    """
    # A schedule of its own would stand behind the words that are decided here.
    case = replace(case, steps=tuple(replace(step, complete=()) for step in case.steps))
    prefixes: list[tuple[str, ...]] = [()]
    while prefixes:
        prefix = prefixes.pop()
        words: list[str] = []

        def decide(
            stage: Stage[object],
            callers: int,
            words: list[str] = words,
            prefix: tuple[str, ...] = prefix,
        ) -> str:
            options = [*_held(stage)]
            if cancel and not any(word.startswith(CANCEL) for word in words):
                options += [f"{CANCEL}.{i}" if i else CANCEL for i in range(callers)]
            if len(words) < len(prefix):
                word = prefix[len(words)]
            else:
                word = options[0]
                prefixes.extend((*words, other) for other in options[1:])
            words.append(word)
            return word

        outcome = run_model(case, revision, decide)
        yield Path(tuple(words), outcome)


def _held(stage: Stage[object]) -> Iterator[str]:
    """The words for all requests held now."""
    seen: dict[str, int] = {}
    for held in stage.held:
        child = held.request.child
        place = seen[child] = seen.get(child, -1) + 1
        yield f"{child}.{place}" if place else child


def defects_of(outcome: Outcome) -> list[str]:
    """What is wrong with a run, in words that do not depend on which child it hit."""
    found = [step.undefined for step in outcome.steps if step.undefined]
    found += [f"leak of {what}" for what in outcome.leaks or ()]
    found += outcome.trouble
    found += [
        "the guest is answered before the end of what was asked for it"
        for step in outcome.steps
        if step.early
    ]
    return [re.sub(r"\[\d+\]", "[i]", text) for text in found]


def defects_on(case: Case, path: Path) -> list[Defect]:
    """The defects of one way, each once, with the case as it goes that way."""
    return [
        Defect(what, scheduled(case, path.schedule), path.outcome)
        for what in dict.fromkeys(defects_of(path.outcome))
    ]


def explore(cases: Iterable[Case], revision: Revision, cancel: bool = True) -> Iterator[Defect]:
    """Play every way of every case; each defect of each way."""
    for case in cases:
        for path in paths(case, revision, cancel):
            yield from defects_on(case, path)


def shortest(found: Iterable[Defect]) -> list[Defect]:
    """The shortest way to each defect, by name of the defect."""
    best: dict[str, Defect] = {}
    for defect in found:
        if defect.what not in best or defect.length < best[defect.what].length:
            best[defect.what] = defect
    return [best[what] for what in sorted(best)]


def scheduled(case: Case, schedule: tuple[str, ...]) -> Case:
    """``case`` with a schedule for its only step."""
    return replace(case, steps=(replace(case.steps[0], complete=schedule), *case.steps[1:]))

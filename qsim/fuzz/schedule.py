# SPDX-License-Identifier: GPL-2.0-or-later
"""From a drawn scenario to a concrete one: the model runs, and numbers become names.

Whoever plays the concrete scenario, on whatever binary, completes the same requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qsim.block.child import Request
from qsim.block.stage import Answered, Asked, Beat, Held, Stage
from qsim.fuzz.strategy import Drawn
from qsim.outcome import Outcome
from qsim.scenario import Case
from qsim.scenario.asked import load_asked
from qsim.target.model import Decide

#: Plays a case on the model, asking for each word of the schedule if there is somebody to ask.
Model = Callable[[Case, Decide | None], Outcome]


@dataclass(frozen=True)
class Concrete:
    """A scenario with its schedule, and what the model says of it."""

    raw: dict[str, Any]
    case: Case
    model: Outcome


def word_of(held: Sequence[Request], i: int) -> str:
    """The word of a schedule for the ``i``-th of the held requests."""
    child = held[i].child
    place = sum(request.child == child for request in held[:i])
    return f"{child}.{place}" if place else child


def concrete(drawn: Drawn, model: Model) -> Concrete:
    """The concrete scenario, played on the model.

    :raise ScenarioError: when it is none, or does something the model does not know.
    """
    case = load_asked(drawn.raw, "fuzz")
    if any("complete" in step for step in drawn.raw["steps"]):
        return Concrete(drawn.raw, case, model(case, None))
    numbers = iter(drawn.order)

    def decide(stage: Stage[Any], _callers: int) -> str:
        held = [one.request for one in stage.held]
        number = next(numbers, 0) if len(held) > 1 else 0
        return word_of(held, number % len(held))

    outcome = model(case, decide if drawn.order else None)
    schedules = [list(words_of(step.beats or ())) for step in outcome.steps]
    if schedules and schedules[0]:
        # An opening has no schedule.
        outcome = model(case, None)
        schedules = [[] for _ in outcome.steps]
    if not any(schedules):
        return Concrete(drawn.raw, case, outcome)
    # Steps that were not reached have none.
    every = schedules[1:] + [[] for _ in case.steps[len(schedules) - 1 :]]
    raw = [
        {**step, "complete": words} if words else step
        for step, words in zip(drawn.raw["steps"], every, strict=True)
    ]
    steps = (
        replace(step, complete=tuple(words)) for step, words in zip(case.steps, every, strict=True)
    )
    return Concrete({**drawn.raw, "steps": raw}, replace(case, steps=tuple(steps)), outcome)


def up_to_the_undefined(one: Concrete) -> Concrete:
    """The steps before the first that C leaves undefined: what comes of that, nobody can expect,
    nor leave time for its events.
    """
    before = next(i for i, shown in enumerate(one.model.steps) if shown.undefined)
    steps = max(before - 1, 0)
    raw = {**one.raw, "steps": one.raw["steps"][:steps], "guest": one.case.guest}
    model = replace(one.model, steps=one.model.steps[:before], contents=None, leaks=None)
    return Concrete(raw, replace(one.case, steps=one.case.steps[:steps]), model)


def words_of(story: Sequence[Beat]) -> list[str]:
    """The schedule a story went by, without the words at its end that change nothing."""
    held: list[Held[None]] = []
    words: list[str] = []
    needed = 0
    for beat in story:
        if isinstance(beat, Asked):
            held += [Held(request, None) for request in beat.requests]
        elif isinstance(beat, Answered):
            i = next(i for i, one in enumerate(held) if one.request is beat.request)
            words.append(word_of([one.request for one in held], i))
            if i:
                needed = len(words)
            if beat.dead:
                held = [one for one in held if one.request.child != beat.child]
            else:
                del held[i]
    return words[:needed]

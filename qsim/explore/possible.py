# SPDX-License-Identifier: GPL-2.0-or-later
"""What can come of a case whose order is left open: an outcome without what the order decides.

Which child answered first is no part of it, nor in which order events came and guest requests
were answered, nor how child requests fell into rounds.  All else is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from qsim.block.sparse import PAGE, Sparse
from qsim.outcome import Outcome, StepOutcome, exit_text
from qsim.scenario.case import Answer
from qsim.scenario.content import describe


@dataclass(frozen=True)
class PossibleStep:
    """What a step can show.

    :param results: name and value of each result that is there.
    :param requests: all a child was asked for, sorted; data as a scenario writes it.
    :param events: sorted.
    """

    label: str
    results: tuple[tuple[str, str], ...]
    requests: tuple[str, ...]
    events: tuple[str, ...]


@dataclass(frozen=True)
class Possible:
    """What a run can show: its steps, and what the children hold at the end.

    ``wrong`` is what is the matter with the run itself: leaks, hangs and the like.
    """

    steps: tuple[PossibleStep, ...]
    contents: tuple[tuple[str, str], ...] = ()
    wrong: tuple[str, ...] = ()

    @cached_property
    def lines(self) -> list[str]:
        """For people: the last step, which is what is explored, and the end."""
        step = self.steps[-1]
        lines = [" ".join(pair) for pair in step.results]
        lines += [f"asks {text}" for text in step.requests]
        lines += [f"event {text}" for text in step.events]
        return [*lines, *self.wrong]


def possible_step(step: StepOutcome) -> PossibleStep:
    """A step without its order."""
    return PossibleStep(
        step.label,
        tuple(_results(step)),
        tuple(
            sorted(
                str(request) if request.data is None else f"{request} = {_data(request.data)}"
                for beat in step.beats or ()
                for request in getattr(beat, "requests", ())
            )
        ),
        tuple(sorted(map(str, step.events))),
    )


def _results(step: StepOutcome) -> Iterator[tuple[str, str]]:
    if step.exit is not None:
        yield "exit", exit_text(step.exit)
        return
    for name, value in step.results():
        if name == "data":
            yield name, _data(step.data or b"")
        elif not name.startswith("answer "):
            yield name, value
    for i, answer in zip(sorted(step.finish), step.answers, strict=True):
        yield f"answer {i}", _answer(answer)


def _answer(answer: Answer) -> str:
    data = "" if answer.data is None else f", data {_data(answer.data)}"
    extent = "" if answer.extent is None else f", {answer.extent[0]} {answer.extent[1]}"
    return f"{answer.ret}{data}{extent}"


def _data(data: bytes) -> str:
    """Bytes for people, and no two as the same."""
    text = describe(data)
    return text if "…" not in text else f"{text} {_digest(data)}"


def possible(outcome: Outcome) -> Possible:
    """An outcome without its order."""
    contents = outcome.contents or {}
    return Possible(
        tuple(possible_step(step) for step in outcome.steps),
        tuple((name, _held(held)) for name, held in sorted(contents.items())),
        tuple(sorted([*outcome.trouble, *(f"leak of {what}" for what in outcome.leaks or ())])),
    )


def _held(contents: Sparse) -> str:
    """The contents of a child: the same for the same bytes, written or not."""
    plain = bytes([contents.fill]) * PAGE
    pages = [f"{i}:{_digest(page)}" for i, page in contents.pages().items() if page != plain]
    return " ".join([f"{contents.fill}:{contents.size}", *pages])


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()

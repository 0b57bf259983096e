# SPDX-License-Identifier: GPL-2.0-or-later
"""A case that expects what an outcome shows."""

from __future__ import annotations

from dataclasses import replace

from qsim.outcome import Outcome, StepOutcome
from qsim.scenario.case import SILENT, Case, Expectation, Step


def expecting(case: Case, outcome: Outcome) -> Case:
    """``case`` with all that ``outcome`` shows of its steps as what they must show.

    A pool reads from it which events it has to give time for, and whether the process ends.
    """
    shown = [*outcome.steps, *(StepOutcome("") for _ in case.steps)]
    return replace(
        case,
        opening=_expecting(case.opening, shown[0]),
        steps=tuple(map(_expecting, case.steps, shown[1:])),
        contents=outcome.contents if outcome.contents is not None else case.contents,
    )


def _expecting(step: Step, shown: StepOutcome) -> Step:
    if step.verb in SILENT:
        return step
    rounds = shown.rounds()
    return replace(
        step,
        expect=Expectation(
            line=step.line,
            ret=shown.ret,
            data=shown.data,
            extent=shown.extent,
            requests=None if rounds is None else tuple(rounds),
            events=tuple(shown.events),
            returns=shown.returns,
            error=shown.error,
            exit=shown.exit,
            answers=shown.answers,
            finish=shown.finish,
            undefined=shown.undefined,
            meanwhile=shown.meanwhile,
        ),
    )

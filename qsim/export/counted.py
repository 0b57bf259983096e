# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults that last for a step, as faults that come so many times.

blkdebug knows nothing of steps.  But a rule that is gone after one failure does the same where
the step's requests are the first of their kind that the child gets.
"""

from __future__ import annotations

from dataclasses import replace

from qsim.block.child import Fault, Request
from qsim.block.stage import Answered, Asked
from qsim.outcome import Outcome, StepOutcome
from qsim.scenario.case import Case


def counted(case: Case, outcome: Outcome) -> Case:
    """``case`` with the faults of its steps given to the children, where that is the same."""
    faults = {name: list(spec.faults) for name, spec in case.children.items()}
    steps = []
    for i, step in enumerate(case.steps, 1):
        left = {}
        for name, some in step.faults.items():
            early = [one for shown in outcome.steps[:i] for one in _asked(shown, name)]
            if i >= len(outcome.steps) or any(f.matches(one) for f in some for one in early):
                left[name] = some
                continue
            faults[name] += [
                replace(fault, count=_failures(outcome.steps[i], name, fault)) for fault in some
            ]
        steps.append(replace(step, faults=left))
    children = {
        name: replace(spec, faults=tuple(one for one in faults[name] if one.count != 0))
        for name, spec in case.children.items()
    }
    return replace(case, children=children, steps=tuple(steps))


def _asked(shown: StepOutcome, child: str) -> list[Request]:
    """What a child was asked for in a step."""
    return [
        request
        for beat in shown.beats or ()
        if isinstance(beat, Asked)
        for request in beat.requests
        if request.child == child
    ]


def _failures(shown: StepOutcome, child: str, fault: Fault) -> int:
    """How often a child failed in a step as the fault says."""
    return sum(
        beat.child == child
        and beat.errno == fault.errno
        and beat.request is not None
        and replace(fault, count=None).matches(beat.request)
        for beat in shown.beats or ()
        if isinstance(beat, Answered)
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""Looking over the model's shoulder: which C function has just ended, and with what.

The driver's functions carry C's names, so what they decide can be heard from outside, by the
interpreter's own profiling hook.  The driver has no line for it, and a run that nobody watches
costs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from qsim.block.memory import Undefined
from qsim.block.node import World
from qsim.outcome import Outcome
from qsim.quorum.revisions import Revision
from qsim.scenario.case import Case
from qsim.target.model import Run, played
from qsim.trace.why import CALLED, RETURNED, Reason

_EMIT = World.emit.__code__


@dataclass(frozen=True)
class Remark:
    """What the driver decided, and when.

    :param step: of the run, 0 for the opening.
    :param beat: how many beats of the step's story came before it.
    :param event: the number of the step's event that it is, if it is one.
    """

    step: int
    beat: int
    reason: Reason | None = None
    event: int | None = None


class Watch:
    """Hears what a run's driver does.  One run can be watched at a time in a thread."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.remarks: list[Remark] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hear everything from here on."""
        before = sys.getprofile()
        sys.setprofile(self._heard)
        try:
            yield
        finally:
            sys.setprofile(before)

    def _heard(self, frame: FrameType, what: str, value: Any) -> None:
        if what == "return" and frame.f_code is _EMIT:
            self._add(None, len(self.run.world.events) - self.run.first_event - 1)
            return
        explain = {"call": CALLED, "return": RETURNED}.get(what, {}).get(frame.f_code)
        if explain is None:
            return
        try:
            reason = explain(frame, value)
        except Undefined:
            # To look at it is undefined too; the run will say so itself.
            return
        if reason is not None:
            self._add(reason, None)

    def _add(self, reason: Reason | None, event: int | None) -> None:
        run = self.run
        step = len(run.outcome.steps) - 1
        if step < 0 or run.closing:
            return
        remark = Remark(step, len(run.stage.beats), reason, event)
        self.remarks.append(remark)


def watched(case: Case, revision: Revision) -> tuple[Outcome, list[Remark]]:
    """Play ``case`` on the model of ``revision`` and hear why it does what it does.

    :raise ScenarioError: when it does something the model does not know.
    :raise ModelError: when the model fails.
    """
    run = Run(case, revision, None)
    watch = Watch(run)
    with watch.watching():
        outcome = played(run)
    return outcome, watch.remarks

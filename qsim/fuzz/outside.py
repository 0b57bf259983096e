# SPDX-License-Identifier: GPL-2.0-or-later
"""What the model plays and yet cannot be compared: why, for scenarios that come to it."""

from __future__ import annotations

from collections.abc import Iterator

from qsim.block.stage import Answered
from qsim.fuzz.schedule import Concrete
from qsim.outcome import StepOutcome
from qsim.scenario import Case
from qsim.scenario.case import Step

CHANGING = ("write", "write-zeroes")


def outside(one: Concrete) -> str:
    """Why a scenario cannot be compared; "" when it can."""
    return next(_reasons(one), "")


def _reasons(one: Concrete) -> Iterator[str]:
    for step, shown in zip(one.case.steps, one.model.steps[1:], strict=False):
        if step.meanwhile is not None and not shown.beats:
            yield "a command is given meanwhile, and no child holds anything for it to wait for"
        if _writes_unread(one.case, step, shown):
            yield "padding that could not be read is written: whatever was in memory"
    for shown in one.model.steps:
        if any(str(event.get("node-name")).startswith("#") for event in shown.events):
            yield "a node without a name reports: nobody knows whose it is"


def _writes_unread(case: Case, step: Step, shown: StepOutcome) -> bool:
    """Whether the read that a padded write begins with may have failed.

    bdrv_co_pwritev_part() does not look at what bdrv_padding_rmw_read() returns (7.2).
    """
    verbs = {part.verb for part in step.parts or (step,)}
    padded = case.above or any(child.block_size > 1 for child in case.children.values())
    rewrites = "rewrite-corrupted" in str(case.options)
    if not padded or not (rewrites or verbs & set(CHANGING)):
        return False
    failed = any(
        isinstance(beat, Answered) and beat.op == "read" and (beat.errno or beat.dead)
        for beat in shown.beats or ()
    )
    voted = any(event.name == "QUORUM_FAILURE" for event in shown.events)
    dead = any(event.get("error") for event in shown.events)
    return failed or (voted and case.above is not None) or dead

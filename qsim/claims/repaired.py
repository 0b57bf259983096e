# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a child that a mirror has put into the quorum holds what the guest has written."""

from __future__ import annotations

from qsim.claims.stale import Told, steps
from qsim.outcome import Outcome
from qsim.scenario import Case


def newcomer(case: Case, outcome: Outcome) -> bool | None:
    """Whether the target holds, in the end, all that the guest was told is written.

    None where no mirror with ``replaces`` was completed, or its process was killed afterwards.
    """
    told = Told(case)
    target = ""
    completed = False
    for step, shown in steps(case, outcome):
        told.take(step, shown)
        if step.command == "blockdev-mirror" and "replaces" in step.arguments:
            target = step.arguments["target"]
        completed = step.verb != "kill" and (
            completed or any(_fine(event.name, event.get("error")) for event in shown.events)
        )
    if not (target and completed):
        return None
    assert outcome.contents is not None
    held = outcome.contents[target]
    known = told.at(0, len(held))
    return all(k is None or k == h for k, h in zip(known, held.read(0, len(held)), strict=True))


def _fine(event: str, error: str | None) -> bool:
    return event == "BLOCK_JOB_COMPLETED" and error is None

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the model plays and yet cannot be compared: why, for scenarios that come to it."""

from __future__ import annotations

from collections.abc import Iterator

from qsim.fuzz.schedule import Concrete


def outside(one: Concrete) -> str:
    """Why a scenario cannot be compared; "" when it can."""
    return next(_reasons(one), "")


def _reasons(one: Concrete) -> Iterator[str]:
    for step, shown in zip(one.case.steps, one.model.steps[1:], strict=False):
        if step.meanwhile is not None and not shown.beats:
            yield "a command is given meanwhile, and no child holds anything for it to wait for"
    for shown in one.model.steps:
        if any(str(event.get("node-name")).startswith("#") for event in shown.events):
            yield "a node without a name reports: nobody knows whose it is"

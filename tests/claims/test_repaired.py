# SPDX-License-Identifier: GPL-2.0-or-later
"""Which mirrors leave the newcomer with the guest's data: judged by hand for every case."""

from __future__ import annotations

import pytest

from qsim.claims.repaired import newcomer
from qsim.claims.safety import REPAIR, cases
from qsim.explore.ways import expanded
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.select import cases_of
from qsim.target.model import run_model

TODAY = revision("7.2")
#: Cases in which a mirror with ``replaces`` is completed, and whether its target has it all then.
WHOLE = {
    "a mirror replaces the stale child while the guest writes": True,
    "ready is not repaired, the stale child is still read": True,
    "a stale first child of a fifo is what is copied, though it is the one that goes": False,
    "a stale first child of a fifo, and the good one is replaced, so the write is nowhere": False,
    "a stale first child of a fifo is removed and added again, and then replaced": True,
    "a vote copies what most children hold, and reports the stale one": True,
    "a vote of two with threshold 1 copies the last child, stale or not": False,
    "a write that fails on one child while the job copies": False,
    "killed in the middle, the repair begins anew": True,
}
PLAYED = [case for case in expanded(cases_of(cases(), TODAY), TODAY) if case.family == REPAIR]


@pytest.mark.parametrize("case", PLAYED, ids=lambda case: case.id)
def test_newcomer_holds_what_the_guest_was_told(case: Case) -> None:
    assert newcomer(case, run_model(case, TODAY)) == WHOLE.get(case.name)


def test_the_cases_that_are_judged_exist() -> None:
    assert WHOLE.keys() <= {case.name for case in PLAYED}

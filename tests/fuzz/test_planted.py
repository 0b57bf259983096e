# SPDX-License-Identifier: GPL-2.0-or-later
"""Defects planted into the model are found, and shrunk to a few lines.

The model as it is stands in for the binary, so none is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from qsim.fuzz.campaign import Tally
from qsim.fuzz.judge import Kind
from qsim.fuzz.run import Plan, Result, fuzz
from qsim.outcome import Outcome, against_fixture
from qsim.quorum import coroutine, options, vote
from qsim.quorum.revisions import REVISIONS, revision
from qsim.scenario import Case
from qsim.scenario.load import load_file
from qsim.target.background import Background
from qsim.target.model import Decide, run_model

from .conftest import play_model

NAMES = [one.name for one in REVISIONS]
MOST_SCENARIOS = 2000
MOST_LINES = 12


def _lax_threshold(patch: pytest.MonkeyPatch) -> None:
    """A threshold of zero is taken."""
    checked = options.quorum_valid_threshold

    def check(threshold: int, num_children: int, value: str) -> None:
        checked(threshold or 1, num_children, value)

    patch.setattr(options, "quorum_valid_threshold", check)


def _first_version_wins(patch: pytest.MonkeyPatch) -> None:
    """Of two versions with as many votes the one that came first wins."""
    winner = vote.quorum_get_vote_winner

    def first(votes: Any) -> Any:
        most = winner(votes).vote_count
        # The newest stands first in the list.
        return [one for one in votes.vote_list if one.vote_count == most][-1]

    patch.setattr(coroutine, "quorum_get_vote_winner", first)


def _silent_fifo(patch: pytest.MonkeyPatch) -> None:
    """FIFO reports no child that fails, unless it is the first."""
    report = coroutine.quorum_report_bad_acb

    def reports(acb: Any, sacb: Any, ret: int) -> None:
        if not acb.is_read or acb.bs.read_pattern != "fifo" or sacb is acb.qcrs[0]:
            report(acb, sacb, ret)

    patch.setattr(coroutine, "quorum_report_bad_acb", reports)


PLANTED = {
    "option parsing": _lax_threshold,
    "vote": _first_version_wins,
    "fifo": _silent_fifo,
}


def _found(plant: Callable[[pytest.MonkeyPatch], None], background: Background) -> Result:
    def planted(case: Case, decide: Decide | None) -> Outcome:
        with pytest.MonkeyPatch.context() as patch:
            plant(patch)
            outcome = run_model(case, revision("7.2"), decide)
        outcome.leaks = None
        return outcome

    def one_differs(tally: Tally) -> bool:
        return bool(tally.counts[Kind.DIFFERS])

    return fuzz(
        background,
        play_model,
        revision("7.2"),
        Plan(2014, MOST_SCENARIOS),
        "the model",
        model=planted,
        enough=one_differs,
    )


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect_is_found_and_shrunk_to_a_scenario_that_shows_it(
    name: str, background: Background, tmp_path: Path
) -> None:
    result = _found(PLANTED[name], background)
    assert result.smallest
    (path, *_) = result.write(tmp_path)
    text = path.read_text("utf-8")
    case_lines = text.partition("cases:\n")[2].splitlines()
    assert len(case_lines) <= MOST_LINES, text
    (case,) = load_file(path, NAMES)
    # It expects what the sound one does, and the planted one does not.
    assert against_fixture(case, run_model(case, revision("7.2"))) == []
    with pytest.MonkeyPatch.context() as patch:
        PLANTED[name](patch)
        assert against_fixture(case, run_model(case, revision("7.2"))) != []
    assert yaml.safe_load(text)["source"].startswith("the model; qsim fuzz, seed 2014, block ")

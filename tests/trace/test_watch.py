# SPDX-License-Identifier: GPL-2.0-or-later
"""What is heard of the model while it plays, and that it plays the same."""

from __future__ import annotations

import pytest

from qsim.outcome import between
from qsim.quorum.revisions import Revision, revision
from qsim.scenario import Case
from qsim.scenario.asked import load_asked
from qsim.scenario.short import parse_short
from qsim.target.model import run_model
from qsim.trace.diagram import diagram
from qsim.trace.watch import watched


def told(text: str, name: str = "7.2") -> list[tuple[str, str, str]]:
    """Function, kind and short text of each decision in a scenario."""
    _, remarks = watched(load_asked(parse_short(text)), revision(name))
    reasons = [remark.reason for remark in remarks if remark.reason is not None]
    return [(one.function, one.kind, one.short) for one in reasons if one.kind != "free"]


def because(text: str, function: str, name: str = "7.2") -> str:
    _, remarks = watched(load_asked(parse_short(text)), revision(name))
    return " ".join(
        sentence
        for remark in remarks
        if remark.reason is not None and remark.reason.function == function
        for sentence in remark.reason.because
    )


@pytest.mark.parametrize("name", ["7.2", "v4"])
def test_a_vote_says_who_voted_for_what_and_who_won(name: str) -> None:
    text = "children=A,B,B threshold=2; read 0 512"
    assert ("quorum_vote", "vote", "vote: B:512 wins") in told(text, name)
    why = because(text, "quorum_vote", name)
    assert "B:512 has 2 votes (c2, c1); A:512 has 1 vote (c0)." in why
    assert "B:512 has most votes." in why
    assert "2 votes reach vote-threshold 2" in why


@pytest.mark.parametrize("name", ["7.2", "v4"])
def test_a_tie_says_by_which_rule_it_was_decided(name: str) -> None:
    why = because("children=A,A,B,B threshold=2; read 0 512", "quorum_vote", name)
    assert "A tie: of 2 with 2 votes the version that came last stands first" in why


@pytest.mark.parametrize("name", ["7.2", "v4"])
def test_a_vote_below_the_threshold_is_an_error(name: str) -> None:
    text = "children=A,B,C threshold=2; read 0 512"
    assert ("quorum_vote", "vote", "vote: C:512 has 1 of 2: EIO") in told(text, name)
    assert "1 vote do not reach vote-threshold 2" in because(text, "quorum_vote", name)


@pytest.mark.parametrize("name", ["7.2", "v4"])
def test_errors_are_voted_on(name: str) -> None:
    text = "children=3 threshold=2; c0: EIO; c1: ENOSPC; c2: ENOSPC; write 0 512"
    assert ("quorum_vote_error", "vote", "vote: ENOSPC wins") in told(text, name)
    assert ("quorum_has_too_much_io_failed", "vote", "too few succeeded") in told(text, name)


@pytest.mark.parametrize("name", ["7.2", "v4"])
def test_fifo_says_who_is_next(name: str) -> None:
    text = "children=A,B pattern=fifo; c0: EIO; read 0 512"
    assert ("read_fifo_child", "retry", "retry: c1 is next") in told(text, name)
    assert "c0 failed with EIO; 1 of 2 had their turn." in because(text, "read_fifo_child", name)


def test_fifo_says_that_no_child_is_left() -> None:
    text = "children=2 pattern=fifo; c0: EIO; c1: ENOSPC; read 0 512"
    assert ("read_fifo_child", "retry", "no child is left") in told(text)
    assert "its ENOSPC is the answer" in because(text, "read_fifo_child")


def test_of_2014_it_says_how_far_the_buffers_are_freed() -> None:
    text = "children=2 pattern=fifo; c0: EIO; c1: EIO; read 0 512"
    assert "acb->qcrs[2] is behind the array of 2" in because(text, "quorum_aio_finalize", "v4")


@pytest.mark.parametrize("name", ["7.2", "v4"])
def test_a_rewrite_says_who_is_rewritten(name: str) -> None:
    text = "children=A,A,B threshold=2 rewrite=on; read 0 512"
    assert ("quorum_rewrite_bad_versions", "rewrite", "rewrite c2") in told(text, name)


def test_all_that_agree_need_no_vote() -> None:
    text = "children=3 threshold=2; read 0 512"
    assert ("quorum_vote", "vote", "all agree") in told(text)
    text = "children=2 threshold=1; c0: EIO; read 0 512"
    assert ("quorum_vote", "vote", "only c1 answered") in told(text)


def test_flush_and_block_status_are_explained() -> None:
    text = "children=2 threshold=2; c0: flush EIO; write 0 512; flush"
    assert ("quorum_co_flush", "branch", "too few succeeded") in told(text)
    assert ("quorum_co_flush", "vote", "vote: EIO wins") in told(text)
    text = "children=hole,hole; block-status 0 4k"
    assert ("quorum_co_block_status", "branch", "zero") in told(text)


def test_frees_are_told_as_the_c_code_names_them() -> None:
    case = load_asked(parse_short("children=3 threshold=2; read 0 512"))
    outcome, remarks = watched(case, revision("v4"))
    rows = [row.text for row in diagram(case, outcome, remarks).rows if row.style == "free"]
    assert any("acb->qcrs[0..2].buf" in text and text.endswith("acb") for text in rows)


def test_a_watched_run_is_the_same_run(shipped_cases: list[Case]) -> None:
    """Of each family the cases that no other way is left open in, at the revision they are of."""
    for case in shipped_cases[::9]:
        if case.is_open:
            continue
        wanted: Revision = revision(case.until or case.since or "7.2")
        outcome, _ = watched(case, wanted)
        assert not between(run_model(case, wanted), outcome), case.id

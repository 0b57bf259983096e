# SPDX-License-Identifier: GPL-2.0-or-later
"""Every combination of candidate, baseline, model and intention: the table of docs/gate.md.

The binaries here are outcomes of the model, made to differ in one field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qsim.block.events import Event
from qsim.outcome import Outcome
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.target.model import run_model
from qsim.verdict import Kind, judge, judge_beside, judge_intended

CASES = """
- name: a read
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
"""
INTENDED = CASES.replace("ret: 0, data: A", "ret: EIO")
FAILURE = Event.of("QUORUM_FAILURE", {"reference": "q", "sector-num": 0, "sectors-count": 1})


@pytest.fixture
def case(load: Callable[[str], list[Case]]) -> Case:
    return load(CASES)[0]


@pytest.fixture
def intended(load: Callable[[str], list[Case]]) -> Case:
    return load(INTENDED)[0]


@pytest.fixture
def right(case: Case) -> Outcome:
    """What the fixture and the model say."""
    return run_model(case, revision("7.2"))


def read(outcome: Outcome, ret: str, data: bytes | None = None) -> Outcome:
    """The same, but the read ends with ``ret``."""
    opening, step = outcome.steps
    return replace(outcome, steps=[opening, replace(step, ret=ret, data=data)])


def with_failure(outcome: Outcome) -> Outcome:
    """The same, and QUORUM_FAILURE is sent."""
    opening, step = outcome.steps
    return replace(outcome, steps=[opening, replace(step, events=[FAILURE])])


def unable() -> Outcome:
    return Outcome("QEMU 2.1", unsupported="it cannot")


def test_a_candidate_alone(case: Case, right: Outcome) -> None:
    assert judge(case, right, right).kind is Kind.AGREES
    verdict = judge(case, right, read(right, "EIO"))
    assert (verdict.kind, [one.what for one in verdict.found]) == (Kind.DIFFERS, ["ret"])
    assert judge(case, right, unable()).kind is Kind.UNSUPPORTED


def test_what_only_the_model_says_counts_where_the_model_is_right(
    case: Case, right: Outcome
) -> None:
    other = replace(right, steps=[right.steps[0], replace(right.steps[1], beats=[])])
    assert judge(case, right, other).kind is Kind.DIFFERS


def test_a_known_bug_fails_nothing(case: Case, right: Outcome) -> None:
    bug = replace(case, bug="it should fail, see the list")
    assert judge(bug, right, right).kind is Kind.AGREES
    assert judge(bug, right, read(right, "EIO")).kind is Kind.BUG_GONE
    assert judge_beside(bug, right, read(right, "EIO"), right).kind is Kind.BUG_GONE


@pytest.mark.parametrize(
    ("candidate", "baseline", "kind"),
    [
        ("right", "right", Kind.AGREES),
        ("right", "EIO", Kind.MENDED),
        ("EIO", "right", Kind.BROKEN),
        ("EIO", "ENOSPC", Kind.CHANGED),
        ("EIO", "EIO", Kind.AS_BEFORE),
        ("unable", "right", Kind.LOST),
        ("unable", "unable", Kind.UNSUPPORTED),
        ("right", "unable", Kind.AGREES),
        ("EIO", "unable", Kind.DIFFERS),
    ],
)
def test_a_candidate_beside_a_baseline(
    case: Case, right: Outcome, candidate: str, baseline: str, kind: Kind
) -> None:
    def outcome(name: str) -> Outcome:
        return {"right": right, "unable": unable()}.get(name) or read(right, name)

    verdict = judge_beside(case, right, outcome(candidate), outcome(baseline))
    assert verdict.kind is kind
    told = verdict.change and kind not in (Kind.AGREES, Kind.AS_BEFORE)
    assert bool(verdict.change) == bool(told)


def test_what_is_intended_is_demanded_and_nothing_else(
    case: Case, intended: Case, right: Outcome
) -> None:
    def kind(candidate: Outcome, baseline: Outcome = right) -> Kind:
        return judge_intended(intended, case, candidate, baseline).kind

    failing = read(right, "EIO")
    assert kind(failing) is Kind.INTENDED
    assert kind(right) is Kind.NOT_AS_INTENDED
    assert kind(with_failure(failing)) is Kind.NOT_AS_INTENDED
    assert kind(failing, failing) is Kind.NO_CHANGE
    assert kind(unable()) is Kind.LOST


def test_a_second_change_does_not_hide_behind_an_intended_one(
    case: Case, intended: Case, right: Outcome
) -> None:
    # The fixture says nothing about the order of the answers; the two binaries do.
    opening, step = read(right, "EIO").steps
    assert step.beats is not None
    other = replace(right, steps=[opening, replace(step, beats=step.beats, early=("c0 read 0 1",))])
    verdict = judge_intended(intended, case, other, right)
    assert verdict.kind is Kind.NOT_AS_INTENDED
    turned = replace(step, beats=[step.beats[0], *step.beats[:0:-1]])
    verdict = judge_intended(intended, case, replace(right, steps=[opening, turned]), right)
    assert verdict.kind is Kind.BEYOND
    assert [one.what for one in verdict.found] == ["story"]


def test_the_docs_have_every_verdict() -> None:
    text = (Path(__file__).parent.parent / "docs" / "gate.md").read_text("utf-8")
    for kind in Kind:
        passes = "passes" if kind.passes else "**fails**"
        assert f"| {kind.text} | {passes} |" in text, kind

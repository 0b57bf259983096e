# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page knows of a case: by whom, how long, and, beside a baseline, old and new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from qsim.outcome import Outcome, against_fixture
from qsim.page.facts import case_facts, matrix, shown_beside, worst
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.target.model import run_model
from qsim.trace.diagram import Diagram
from qsim.verdict import Kind, Verdict, judge, judge_beside, judge_intended

CASES = """
- name: a read
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
"""
REVISION = revision("7.2")


@pytest.fixture
def case(load: Callable[[str], list[Case]]) -> Case:
    return load(CASES)[0]


@pytest.fixture
def intended(load: Callable[[str], list[Case]]) -> Case:
    return load(CASES.replace("ret: 0, data: A", "ret: EIO"))[0]


@pytest.fixture
def right(case: Case) -> Outcome:
    """What the fixture says, as a binary might show it."""
    return replace(run_model(case, REVISION), witness="QEMU 7.2.22", seconds=0.25)


@pytest.fixture
def failing(right: Outcome) -> Outcome:
    """The same, but the read fails."""
    opening, step = right.steps
    return replace(right, steps=[opening, replace(step, ret="EIO", data=None)], seconds=0.5)


def turned(outcome: Outcome) -> Outcome:
    """The same, but the answers come the other way round, of which this fixture says nothing."""
    opening, step = outcome.steps
    assert step.beats is not None
    return replace(
        outcome, steps=[opening, replace(step, beats=[step.beats[0], *step.beats[:0:-1]])]
    )


def facts(case: Case, shown: dict[str, Any], intended: Case | None = None) -> dict[str, Any]:
    """The case with what came of it on the binary."""
    told = {"id": case.id, "witness": "qemu", "result": "failed", **shown}
    return case_facts(case, REVISION, [told], "qsim compare", intended)


def test_a_case_that_agrees_is_told_shortly(case: Case, right: Outcome) -> None:
    found = facts(case, shown_beside(judge(case, right, right), right, None))
    assert found["source"] == "block/quorum.c example_function() (7.2)"
    assert found["place"] == "example.yaml:5"
    assert found["results"]["qemu"]["seconds"] == 0.25
    assert list(found["diagrams"]) == ["model"]
    assert found["changed"] is False


def test_a_case_that_differs_is_drawn_beside_the_model(
    case: Case, right: Outcome, failing: Outcome
) -> None:
    found = facts(case, shown_beside(judge(case, right, failing), failing, None))
    told = found["results"]["qemu"]
    assert told["found"][0] == ["read 0 512: ret", "0", "EIO"]
    assert (told["against"], told["by"], told["kind"]) == ("the fixture", "QEMU 7.2.22", "DIFFERS")
    assert set(found["diagrams"]) == {"model", "qemu"}
    assert "baseline" not in found["results"]


def test_beside_a_baseline_old_and_new_are_there(
    case: Case, right: Outcome, failing: Outcome
) -> None:
    verdict = judge_beside(case, right, right, failing)
    found = facts(case, shown_beside(verdict, right, failing))
    assert found["kind"] == "MENDED"
    assert found["changed"] is True
    assert found["results"]["qemu"]["change"][0] == ["read 0 512: ret", "EIO", "0"]
    assert found["results"]["baseline"]["result"] == "failed"
    assert found["results"]["baseline"]["seconds"] == 0.5
    assert set(found["diagrams"]) == {"model", "baseline", "qemu"}


def test_a_candidate_that_has_lost_a_case_is_drawn_as_it_was(case: Case, right: Outcome) -> None:
    unable = Outcome("QEMU", unsupported="it cannot")
    found = facts(case, shown_beside(judge_beside(case, right, unable, right), unable, right))
    assert found["results"]["qemu"]["reason"] == "it cannot"
    assert found["results"]["baseline"]["result"] == "passed"
    assert set(found["diagrams"]) == {"model", "baseline"}


@pytest.mark.parametrize("known", [True, False])
def test_an_intention_is_named(case: Case, intended: Case, right: Outcome, known: bool) -> None:
    verdict = judge_intended(intended, case if known else None, right, right)
    found = facts(case if known else intended, shown_beside(verdict, right, right), intended)
    assert found["intention"] == "block/quorum.c example_function() (7.2)"
    assert found["intended"] == "example.yaml:5"
    told = found["results"]["qemu"]
    assert (told["kind"], told["against"]) == ("NOT_AS_INTENDED", "the intention")
    # Of a case that only the patch has the suite says nothing, nor does the model.
    assert found["results"]["baseline"]["result"] == ("passed" if known else "")
    assert ("model" in found["diagrams"]) is known


def test_the_baseline_is_held_against_the_suite(
    case: Case, right: Outcome, failing: Outcome
) -> None:
    def standing(candidate: Outcome, baseline: Outcome) -> str:
        verdict: Verdict = judge_beside(case, right, candidate, baseline)
        return verdict.baseline

    unable = Outcome("QEMU", unsupported="it cannot")
    assert standing(right, right) == "passed"
    assert standing(failing, right) == "passed"
    assert standing(failing, failing) == "failed"
    assert standing(unable, failing) == "failed"
    assert standing(right, unable) == "skipped"
    assert judge(case, right, right).baseline == ""


def test_the_baseline_is_told_as_the_suite_would_tell_it_alone(
    case: Case, intended: Case, right: Outcome, failing: Outcome
) -> None:
    # A known bug that does not show any more passes.
    bug = replace(case, bug="it should fail, see the list")
    assert judge(bug, right, failing).kind.passes
    assert judge_beside(bug, right, failing, failing).baseline == "passed"
    # What only the model says counts, beside an intention too.
    other = turned(right)
    assert not judge(case, right, other).kind.passes
    assert judge_intended(intended, case, failing, other, right).baseline == "failed"
    assert judge_intended(intended, case, failing, right, right).baseline == "passed"


def test_what_only_the_model_says_is_not_called_the_fixture_s(case: Case, right: Outcome) -> None:
    other = turned(right)
    assert against_fixture(case, other) == []
    verdict = judge_beside(case, replace(right, witness="model 7.2"), other, other)
    assert verdict.kind is Kind.AS_BEFORE
    assert shown_beside(verdict, other, other)["against"] == "model 7.2"


def test_what_the_fixture_says_too_is_called_the_fixture_s(
    case: Case, right: Outcome, failing: Outcome
) -> None:
    verdict = judge_beside(case, right, failing, failing)
    assert verdict.kind is Kind.AS_BEFORE
    assert shown_beside(verdict, failing, failing)["against"] == "the fixture"


def test_a_verdict_is_not_lost_where_nothing_can_be_drawn(
    case: Case, right: Outcome, failing: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> Diagram:
        raise IndexError("no such lane")

    monkeypatch.setattr("qsim.page.facts.diagram", broken)
    shown = shown_beside(judge_beside(case, right, failing, right), failing, right)
    assert shown["kind"] == "BROKEN"
    for one, who in ((shown, failing), (shown["baseline"], right)):
        assert one["diagram"]["witness"] == who.witness
        assert one["diagram"]["trouble"] == ("this cannot be drawn: IndexError: no such lane",)


def test_the_matrix_counts_and_begins_with_what_fails() -> None:
    def one(family: str, qemu: str, baseline: str) -> dict[str, Any]:
        results = {"qemu": {"result": qemu}, "baseline": {"result": baseline}}
        return {"family": family, "worst": worst([qemu]), "results": results}

    cases = [
        one("a", "passed", "failed"),
        one("a", "passed", "passed"),
        one("b", "failed", ""),
        one("b", "skipped", "skipped"),
    ]
    assert matrix(cases, ["qemu", "baseline"]) == [
        {"family": "b", "cells": {"qemu": {"failed": 1, "skipped": 1}, "baseline": {"skipped": 1}}},
        {"family": "a", "cells": {"qemu": {"passed": 2}, "baseline": {"failed": 1, "passed": 1}}},
    ]
    assert worst(["passed", "skipped", "failed"]) == "failed"
    assert worst(["passed", "skipped"]) == "skipped"
    assert worst([]) == "passed"

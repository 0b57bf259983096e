# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios in any order and generated ones, through the suite on a real QEMU."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from qsim import cli
from qsim.quorum import coroutine
from qsim.quorum.coroutine import QuorumAIOCB, QuorumChildRequest, quorum_report_bad_acb

OPEN = """
- name: a read
  children: 3
  quorum: {vote-threshold: 1}
  steps:
  - read: [0, 512]
    faults: {c1: "any of ok, EIO"}
    complete: any
    expect:
    - {when: {c1: ok}, ret: 0, data: A, requests: all}
    - {when: {c1: EIO}, ret: 0, data: A, requests: all, events: [QUORUM_REPORT_BAD read c1 0 1 EIO]}
"""
NEVER = "    - {ret: EIO, requests: all}\n"


@pytest.fixture
def run(
    pytester: pytest.Pytester,
    suite: Path,
    qemu: str,
    family_text: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    tmpdir_here: Path,
) -> Callable[..., pytest.RunResult]:
    """``pytest conformance --qemu`` on a file of these cases."""
    monkeypatch.delenv("CI", raising=False)
    path = pytester.path / "example.yaml"

    def go(cases: str, *arguments: str) -> pytest.RunResult:
        path.write_text(family_text(cases), "utf-8")
        return pytester.runpytest_inprocess(
            str(suite),
            *("-p", "no:cacheprovider", "--jobs=2"),
            *(f"--scenarios={path}", f"--qemu={qemu}"),
            *arguments,
        )

    return go


def test_all_orders_are_seen_and_all_outcomes(run: Callable[..., pytest.RunResult]) -> None:
    result = run(OPEN, "-v")
    # Six orders, with and without the failure, on both; and the set.
    result.assert_outcomes(passed=25)
    text = result.stdout.str()
    for way in ("c0,-c1,-c2", "c2,-c1-EIO,-c0", "c1-EIO,-c2,-c0"):
        for witness in ("model", "qemu"):
            assert f"[example/a-read-by-{way}-{witness}] PASSED" in text
    assert "1 scenarios in any order went 12 ways on the binary; 2 of 2 possible" in text
    assert "example/a-read: 12 ways, 2 of 2 outcomes seen" in text


def test_sample_has_every_outcome(run: Callable[..., pytest.RunResult]) -> None:
    result = run(OPEN, "--ways=3")
    result.assert_outcomes(passed=7)
    assert "went 3 ways on the binary; 2 of 2 possible outcomes were seen" in result.stdout.str()


def test_what_is_allowed_and_never_comes_fails(run: Callable[..., pytest.RunResult]) -> None:
    result = run(OPEN + NEVER)
    assert result.ret == 1
    result.assert_outcomes(passed=24, failed=1)
    assert "example.yaml:15: allowed, and never comes" in result.stdout.str()


def test_defect_that_shows_in_some_orders_fails_those_ways_and_the_command_shown_does_again(
    run: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    def report(acb: QuorumAIOCB, sacb: QuorumChildRequest, ret: int) -> None:
        if acb.count < 2:  # The last child to come back is not reported.
            quorum_report_bad_acb(acb, sacb, ret)

    monkeypatch.setattr(coroutine, "quorum_report_bad_acb", report)
    result = run(OPEN)
    assert result.ret == 1
    text = result.stdout.str()
    failed = set(re.findall(r"FAILED .*\[(example/a-read-by-\S+)-model\]", text))
    assert failed == {
        "example/a-read-by-c0,-c2,-c1-EIO",
        "example/a-read-by-c2,-c0,-c1-EIO",
    }
    assert "example.yaml::a read by c0, c2, c1 EIO" in text
    again = CliRunner().invoke(cli.main, ["compare", "example.yaml::a read by c0, c2, c1 EIO"])
    assert again.exit_code == 1
    assert "1 cases, 1 differ" in again.output


def test_generated_scenarios_are_played_when_asked_for(
    run: Callable[..., pytest.RunResult], tmpdir_here: Path
) -> None:
    result = run(OPEN, "--fuzz=40", "--seed=3", "-k", "test_fuzz")
    assert result.ret == 0
    result.assert_outcomes(passed=1, deselected=25)
    text = result.stdout.str()
    assert "40 scenarios, seed 3 from block 0 on" in text
    assert os.listdir(tmpdir_here) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fuzz=0"], "--fuzz: a number from 1 up"),
        (["--fuzz=5", "--seed=-1"], "--seed one from 0 up"),
        (["--fuzz=5", "--known=no/such"], "--known: no/such: no list of known differences"),
    ],
)
def test_wrong_options_end_the_session_at_once(
    run: Callable[..., pytest.RunResult], words: list[str], said: str
) -> None:
    result = run(OPEN, *words)
    assert result.ret == 4
    assert said in result.stderr.str()

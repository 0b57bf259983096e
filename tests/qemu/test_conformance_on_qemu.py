# SPDX-License-Identifier: GPL-2.0-or-later
"""``pytest conformance --qemu`` and the command line on a real QEMU."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from qsim import cli
from qsim.quorum import coroutine
from qsim.quorum.vote import QuorumVotes, QuorumVoteVersion

CASES = """
- name: a read, all agree
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
- name: a tie
  source: block/quorum.c quorum_get_vote_winner() (7.2)
  children: [A, B]
  quorum: {vote-threshold: 1}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: B, requests: all, events: [QUORUM_REPORT_BAD read c0 0 1]}
- name: not so
  source: block/quorum.c quorum_vote() (7.2)
  children: [A, A, B]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: B, requests: all, events: [QUORUM_REPORT_BAD read c2 0 1]}
"""


@pytest.fixture
def scenarios(pytester: pytest.Pytester, family_text: Callable[[str], str]) -> Path:
    """The cases above as a file."""
    path = pytester.path / "example.yaml"
    path.write_text(family_text(CASES), "utf-8")
    return path


@pytest.fixture
def conformance(
    pytester: pytest.Pytester,
    suite: Path,
    qemu: str,
    scenarios: Path,
    tmpdir_here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., pytest.RunResult]:
    """``pytest conformance --qemu`` in this process, with the cases above."""
    # In CI pytest says every failure twice, at length in the summary too.
    monkeypatch.delenv("CI", raising=False)

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(
            str(suite),
            *("-p", "no:cacheprovider", "--jobs=2"),
            *(f"--scenarios={scenarios}", f"--qemu={qemu}"),
            *arguments,
        )

    return run


def test_wrong_expectation_fails_on_both_witnesses_and_the_command_shown_fails_again(
    conformance: Callable[..., pytest.RunResult],
    qemu: str,
    scenarios: Path,
    tmpdir_here: Path,
) -> None:
    result = conformance("--repeat=2")
    assert result.ret == 1
    result.assert_outcomes(passed=4, failed=2)
    text = result.stdout.str()
    for witness in (r"model \d+\.\d+", r"QEMU \d+\.\d+\.\d+"):
        assert re.search(
            rf"^example/not-so: {witness} is not what the fixture says$", text, re.MULTILINE
        )
    assert text.count(f"fixture:   {scenarios.name}:24") == 2
    assert text.count("behaviour: block/quorum.c quorum_vote() (7.2)") == 2
    assert "each case was played 2 times on the binary" in text
    assert "NO BINARY" not in text
    assert re.search(rf"^QEMU \S+ \({re.escape(qemu)}\) +3 +2 +1$", text, re.MULTILINE)
    assert os.listdir(tmpdir_here) == []

    commands = re.findall(r"^again: (.*)$", text, re.MULTILINE)
    assert sorted(commands) == [
        "qsim compare 'example.yaml::not so'",
        f"qsim compare 'example.yaml::not so' --qemu {qemu}",
    ]
    again = CliRunner().invoke(cli.main, shlex.split(max(commands, key=len))[1:])
    assert again.exit_code == 1
    assert "1 cases, 1 differ (fixture, model " in again.output


def test_defect_of_the_model_is_no_failure_of_the_binary(
    conformance: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_seen_wins(votes: QuorumVotes) -> QuorumVoteVersion:
        return max(reversed(votes.vote_list), key=lambda version: version.vote_count)

    monkeypatch.setattr(coroutine, "quorum_get_vote_winner", first_seen_wins)
    result = conformance("-k", "tie")
    result.assert_outcomes(passed=1, failed=1, deselected=4)
    assert "example/a-tie: model" in result.stdout.str()


def test_cases_that_were_not_chosen_are_not_played(
    conformance: Callable[..., pytest.RunResult],
) -> None:
    result = conformance("-k", "agree")
    result.assert_outcomes(passed=2, deselected=4)
    assert re.search(r"^QEMU \S+ \(.*\) +1 +1 +0$", result.stdout.str(), re.MULTILINE)


def test_run_tells_the_story_of_the_binary(qemu: str, scenarios: Path, tmpdir_here: Path) -> None:
    result = CliRunner().invoke(cli.main, ["run", f"{scenarios}::a tie", "--qemu", qemu])
    assert result.exit_code == 0
    assert re.search(r"^QEMU \d+\.\d+\.\d+$", result.output, re.MULTILINE)
    assert "data B:512" in result.output
    assert os.listdir(tmpdir_here) == []


def test_compare_without_differences_names_the_three_witnesses(
    qemu: str, scenarios: Path, tmpdir_here: Path
) -> None:
    result = CliRunner().invoke(cli.main, ["compare", f"{scenarios}::a tie", "--qemu", qemu])
    assert result.exit_code == 0
    assert re.fullmatch(
        r"1 cases, 0 differ \(fixture, model \d+\.\d+, QEMU \d+\.\d+\.\d+\)\n", result.output
    )


def test_schema_compare_finds_nothing_unexplained(qemu: str, tmpdir_here: Path) -> None:
    result = CliRunner().invoke(cli.main, ["schema", "compare", "--qemu", qemu])
    assert result.exit_code == 0, result.output
    assert os.listdir(tmpdir_here) == []

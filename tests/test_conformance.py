# SPDX-License-Identifier: GPL-2.0-or-later
"""``pytest conformance`` as people use it, without a binary; with one see tests/qemu."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from qsim.block.flags import Req
from qsim.block.io import bdrv_co_flush, bdrv_co_preadv
from qsim.data import data_path
from qsim.quorum import aio, coroutine
from qsim.quorum.coroutine import QuorumAIOCB, quorum_report_bad_acb
from qsim.quorum.node import QuorumNode
from qsim.quorum.report import quorum_report_bad
from qsim.quorum.vote import (
    QuorumVotes,
    QuorumVoteVersion,
    quorum_count_vote,
    quorum_get_vote_winner,
)

FamilyText = Callable[[str], str]
Run = Callable[..., pytest.RunResult]

RIGHT = """
- name: a read, all agree
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
"""
WRONG = """
- name: not so
  source: block/quorum.c quorum_vote() (7.2)
  children: [A, A, B]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
"""


@pytest.fixture
def conformance(pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``pytest conformance`` in this process, where what the tests have patched is patched."""
    # In CI pytest says every failure twice, at length in the summary too.
    monkeypatch.delenv("CI", raising=False)

    def run(*arguments: str | Path) -> pytest.RunResult:
        return pytester.runpytest_inprocess(str(suite), "-p", "no:cacheprovider", *arguments)

    return run


@pytest.fixture
def scenarios(pytester: pytest.Pytester, family_text: FamilyText) -> Callable[[str], str]:
    """The option that names a file with these cases."""

    def write(cases: str) -> str:
        path = pytester.path / "example.yaml"
        path.write_text(family_text(cases), "utf-8")
        return f"--scenarios={path}"

    return write


def test_without_a_binary_it_passes_and_says_loudly_that_none_was_compared(
    conformance: Run, scenarios: Callable[[str], str]
) -> None:
    result = conformance(scenarios(RIGHT))
    assert result.ret == 0
    result.assert_outcomes(passed=1)
    text = result.stdout.str()
    assert "NO BINARY WAS COMPARED: name one with --qemu=PATH" in text
    assert re.search(r"^model of QEMU 7\.2 block/quorum\.c +1 +1 +0$", text, re.MULTILINE)


def test_the_suite_of_another_revision_says_which(
    conformance: Run, scenarios: Callable[[str], str]
) -> None:
    result = conformance(scenarios(RIGHT), "--revision=10.0")
    assert result.ret == 0
    assert "model of QEMU 10.0 block/quorum.c" in result.stdout.str()


def test_cases_about_other_revisions_are_left_out_and_counted(
    conformance: Run, scenarios: Callable[[str], str]
) -> None:
    cases = RIGHT + WRONG + "  since: '10.0'\n"
    result = conformance(scenarios(cases))
    result.assert_outcomes(passed=1)
    assert "1 cases are about other revisions than 7.2" in result.stdout.str()
    result = conformance(scenarios(cases), "--revision=10.0")
    result.assert_outcomes(passed=1, failed=1)


def test_collection_names_every_case_and_witness_readably(
    conformance: Run, scenarios: Callable[[str], str]
) -> None:
    option = scenarios(RIGHT + WRONG)
    result = conformance(option, "--collect-only", "-q")
    assert result.ret == 0
    assert [line.partition("::")[2] for line in result.outlines if "::" in line] == [
        "test_scenario[example/a-read,-all-agree-model]",
        "test_scenario[example/not-so-model]",
    ]
    assert "NO BINARY" not in result.stdout.str()


def test_collection_with_a_binary_starts_none(
    conformance: Run, scenarios: Callable[[str], str]
) -> None:
    result = conformance(scenarios(RIGHT), "--collect-only", "-q", "--qemu=/no/such/qemu")
    assert result.ret == 0
    assert [line.partition("::")[2] for line in result.outlines if "::" in line] == [
        "test_scenario[example/a-read,-all-agree-model]",
        "test_scenario[example/a-read,-all-agree-qemu]",
    ]


def test_cases_are_chosen_by_their_names(conformance: Run, scenarios: Callable[[str], str]) -> None:
    result = conformance(scenarios(RIGHT + WRONG), "-k", "agree")
    result.assert_outcomes(passed=1, deselected=1)


def test_failure_names_place_function_values_and_how_to_run_it_again(
    conformance: Run, scenarios: Callable[[str], str], pytester: pytest.Pytester
) -> None:
    result = conformance(scenarios(RIGHT + WRONG))
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1)
    text = result.stdout.str()
    path = pytester.path / "example.yaml"
    assert "example/not-so: model 7.2 is not what the fixture says" in text
    assert "behaviour: block/quorum.c quorum_vote() (7.2)" in text
    assert f"fixture:   {path.name}:18" in text
    assert "read 0 512: events" in text
    assert "the fixture: none" in text
    assert re.search(r"^again: qsim compare 'example\.yaml::not so'$", text, re.MULTILINE)
    assert re.search(r"^model of QEMU 7\.2 block/quorum\.c +2 +1 +1$", text, re.MULTILINE)
    assert "Traceback" not in text


def test_failure_shows_both_stories_and_marks_where_they_part(
    conformance: Run, scenarios: Callable[[str], str]
) -> None:
    lines = conformance(scenarios(WRONG)).outlines
    (header,) = [i for i, line in enumerate(lines) if re.match(r" +the fixture +\| model", line)]
    rows = [line for line in lines[header:] if "|" in line or line.startswith("> ")]
    marked = [line for line in rows if line.startswith(">")]
    assert len(marked) == 1
    assert "event QUORUM_REPORT_BAD" in marked[0].partition("|")[2]
    assert [line.partition("|")[0].strip() for line in rows[1:]][:2] == [
        "return {}",
        "asks c0 read 0 512",
    ]


def test_nothing_selected_and_interrupted_are_told_apart(
    conformance: Run,
    scenarios: Callable[[str], str],
    pytester: pytest.Pytester,
    suite: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    option = scenarios(RIGHT)
    assert conformance(option, "-k", "nosuch").ret == pytest.ExitCode.NO_TESTS_COLLECTED == 5

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("qsim.suite.run_model", interrupted)
    run = pytester.inline_run(str(suite), "-p", "no:cacheprovider", option, no_reraise_ctrlc=True)
    assert run.ret == pytest.ExitCode.INTERRUPTED == 2


def test_the_plugin_leaves_other_tests_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_other(): pass")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert "quorum conformance" not in result.stdout.str()


# Defects planted into the model: the suite finds each and says what behaviour it is.


def tie_break_first_seen(votes: QuorumVotes) -> QuorumVoteVersion:
    """quorum_get_vote_winner() with >= for >."""
    winner, most = votes.vote_list[0], 0
    for candidate in votes.vote_list:
        if candidate.vote_count >= most:
            winner, most = candidate, candidate.vote_count
    return winner


async def fifo_without_retry(acb: QuorumAIOCB) -> int:
    """read_fifo_child() that never asks a second child."""
    assert acb.qiov is not None
    edge = acb.bs.quorum_children[0]
    acb.qcrs[0].bs = edge.bs
    ret = await bdrv_co_preadv(edge, acb.offset, acb.bytes, acb.qiov, Req.NONE)
    if ret < 0:
        quorum_report_bad_acb(acb, acb.qcrs[0], ret)
    return ret


async def flush_needs_one_more(bs: QuorumNode) -> int:
    """quorum_co_flush() with > for >=, where an error is there to be given."""
    votes = QuorumVotes(bs.world.ledger)
    success_count = 0
    for i, edge in enumerate(bs.quorum_children):
        result = await bdrv_co_flush(edge.bs)
        if result:
            quorum_report_bad(bs.world, "flush", 0, 0, edge.bs.node_name, result)
            quorum_count_vote(votes, result, i)
        else:
            success_count += 1
    if success_count > bs.threshold or not votes.vote_list:
        return 0
    value = quorum_get_vote_winner(votes).value
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize(
    ("name", "defect", "family", "source", "field"),
    [
        (
            "quorum_get_vote_winner",
            tie_break_first_seen,
            "ties",
            "block/quorum.c quorum_get_vote_winner(), quorum_count_vote() (7.2)",
            "data",
        ),
        (
            "read_fifo_child",
            fifo_without_retry,
            "fifo",
            "block/quorum.c read_fifo_child() (7.2)",
            "requests",
        ),
        (
            "quorum_co_flush",
            flush_needs_one_more,
            "flush",
            "block/quorum.c quorum_co_flush() (7.2)",
            "ret",
        ),
    ],
)
def test_planted_defect_is_found_and_named(
    conformance: Run,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    defect: Callable[..., object],
    family: str,
    source: str,
    field: str,
) -> None:
    fixture = data_path("fixtures") / f"{family}.yaml"
    assert conformance(f"--scenarios={fixture}").ret == 0
    monkeypatch.setattr(coroutine, name, defect)
    result = conformance(f"--scenarios={fixture}")
    assert result.ret == 1
    counts = result.parseoutcomes()
    assert counts["failed"] >= 3
    # What the defect does not touch still passes.
    assert counts["passed"] >= 3
    text = result.stdout.str()
    assert f"{family}/" in text
    assert f"behaviour: {source}" in text
    assert re.search(rf"^  \S.*: {field}$", text, re.MULTILINE)
    assert re.search(rf"fixture: +\S*{family}\.yaml:\d+", text)


def test_model_that_never_asks_who_is_left_open_fails(
    conformance: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coroutine, "read_fifo_child", fifo_without_retry)
    result = conformance(f"--scenarios={data_path('fixtures') / 'any-order.yaml'}")
    assert result.ret == 1
    text = result.stdout.str()
    assert "any-order/a-read-in-FIFO-order-that-anybody-may-fail: not what is allowed" in text
    assert "anybody may fail by c0 EIO: read 0 512: ret: 0 != EIO" in text


def test_model_that_fails_where_the_order_is_open_is_one_that_fails(
    conformance: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def one_too_many(acb: QuorumAIOCB) -> int:
        raise IndexError("list index out of range")

    monkeypatch.setattr(coroutine, "read_fifo_child", one_too_many)
    result = conformance(f"--scenarios={data_path('fixtures') / 'any-order.yaml'}")
    assert result.ret == 1
    assert result.parseoutcomes()["failed"] == 1
    text = result.stdout.str()
    assert re.search(r"any-order.yaml:\d+: the model fails, which is a bug: IndexError", text)


# The same with the driver of 2014.


def test_suite_of_a_state_of_the_series_is_that_of_its_name_and_of_its_commit(
    conformance: Run,
) -> None:
    folder = data_path("fixtures") / "2014"
    for name in ("v4-merged", "a9db86b223"):
        result = conformance(f"--scenarios={folder}", f"--revision={name}")
        assert result.ret == 0
        assert result.parseoutcomes()["passed"] >= 90
        assert "cases are about other revisions than v4-merged" in result.stdout.str()


def finalize_as_it_should_be(acb: aio.QuorumAIOCB) -> None:
    """quorum_aio_finalize() that frees no buffer there is not."""
    assert acb.cb is not None and acb.opaque is not None
    acb.cb(acb.opaque, acb.vote_ret)
    if acb.is_read:
        for i in range(acb.quorum.num_children):
            acb.ledger.free(acb.qcrs[i].buf)
            aio.qemu_iovec_destroy(acb.qcrs[i].qiov)
    acb.qcrs.free()
    aio.qemu_aio_release(acb)


def test_defect_of_the_time_that_is_missing_is_found_and_named(
    conformance: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixture = data_path("fixtures") / "2014" / "fifo.yaml"
    options = (f"--scenarios={fixture}", "--revision=v4")
    assert conformance(*options).ret == 0
    monkeypatch.setattr(aio, "quorum_aio_finalize", finalize_as_it_should_be)
    result = conformance(*options)
    assert result.ret == 1
    counts = result.parseoutcomes()
    # Those in which no child answers.
    assert counts["failed"] == 2
    assert counts["passed"] >= 10
    text = result.stdout.str()
    assert "2014-fifo/no-child-answers" in text
    assert "2014-fifo/neither-of-two-children-answers" in text
    assert re.search(r"^  read 0 512: undefined behaviour$", text, re.MULTILINE)
    assert re.search(r"^again: qsim compare .* --revision v4$", text, re.MULTILINE)


def test_wrong_expectation_of_requests_in_any_order_is_told_with_its_line(
    conformance: Run, scenarios: Callable[[str], str]
) -> None:
    result = conformance(
        scenarios("""
- name: together
  quorum: {vote-threshold: 1}
  children: 1
  steps:
  - together: [{read: [0, 512]}, {flush: true}]
    complete: any
    expect: {answers: [{ret: 0, data: B}, {ret: 0}], requests: ["c0 read 0 512, c0 flush"]}
""")
    )
    assert result.ret == 1
    text = result.stdout.str()
    assert "fixture:   example.yaml:11" in text
    assert re.search(r"the fixture: 0 B:512, 0$", text, re.MULTILINE)
    assert "Error" not in text

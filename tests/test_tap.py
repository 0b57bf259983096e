# SPDX-License-Identifier: GPL-2.0-or-later
"""``--as-tap`` and ``--junitxml``: a run as other programs read it, on the model alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from qsim.tap import todo_of
from qsim.verdict import Kind

CASES = """
- name: all agree
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
- name: not so
  source: block/quorum.c quorum_vote() (7.2)
  children: [A, A, B]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
"""

#: What a line of a stream may be.
LINE = re.compile(
    r"TAP version 13|1\.\.\d+|(not )?ok \d+ - [^#]+( # (TODO|SKIP) .+)?|#( .*)?|Bail out! .+"
)


@pytest.fixture
def run(
    pytester: pytest.Pytester,
    suite: Path,
    family_text: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., pytest.RunResult]:
    """``pytest conformance`` with the cases above, in this process."""
    monkeypatch.delenv("CI", raising=False)
    (pytester.path / "example.yaml").write_text(family_text(CASES), "utf-8")

    def run(*options: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(
            str(suite), "-p", "no:cacheprovider", "--scenarios=example.yaml", *options
        )

    return run


def test_stdout_is_tap_and_nothing_else(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--as-tap")
    assert result.ret == 1
    assert result.errlines == []
    assert all(LINE.fullmatch(line) for line in result.outlines if line), result.outlines
    assert result.outlines[:4] == [
        "TAP version 13",
        "1..2",
        "ok 1 - test_scenario[example/all-agree-model]",
        "not ok 2 - test_scenario[example/not-so-model]",
    ]


def test_a_failure_has_its_story_below_and_the_tables_follow(
    run: Callable[..., pytest.RunResult],
) -> None:
    result = run("--as-tap", "--report=page")
    text = result.stdout.str()
    assert "#   behaviour: block/quorum.c quorum_vote() (7.2)" in text
    assert "#   fixture:   example.yaml:17" in text
    assert "# again: qsim compare 'example.yaml::not so'" in text
    assert re.search(r"^# model of QEMU 7\.2 block/quorum\.c +2 +1 +1$", text, re.MULTILINE)
    assert "# NO BINARY WAS COMPARED" in text
    assert Path("page/index.html").is_file()


def test_workers_of_xdist_make_one_stream(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--as-tap", "-n", "2")
    assert result.ret == 1
    assert result.outlines[:2] == ["TAP version 13", "1..2"]
    assert len([line for line in result.outlines if re.match(r"(not )?ok \d", line)]) == 2
    assert all(LINE.fullmatch(line) for line in result.outlines if line), result.outlines


def test_a_run_that_stops_early_bails_out(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.xfail(reason="as long as there is none")
        def test_expected(): raise ValueError

        def test_skipped(): pytest.skip("no such binary")

        def test_wrong(): raise ValueError

        def test_never(): pass
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--as-tap", "-x")
    lines = [line for line in result.outlines if not line.startswith("#")]
    assert [line for line in lines if line] == [
        "TAP version 13",
        "1..4",
        "not ok 1 - test_expected # TODO as long as there is none",
        "ok 2 - test_skipped # SKIP no such binary",
        "not ok 3 - test_wrong",
        "Bail out! 3 of 4 tests were run",
    ]
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    # pytest says on stderr why it has stopped.
    assert "stopping after 1 failures" in result.stderr.str()


def told(result: pytest.RunResult) -> list[str]:
    """The stream without its comments."""
    return [line for line in result.outlines if line and not line.startswith("#")]


def test_a_test_is_one_line_whatever_fails_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def broken():
            yield
            raise ValueError("cannot be put away")

        def test_right(broken): pass
        def test_wrong(broken): raise KeyError("not there")
        def test_skipped(broken): pytest.skip("no such binary")
        def test_other(): pass
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--as-tap")
    assert told(result) == [
        "TAP version 13",
        "1..4",
        "not ok 1 - test_right",
        "not ok 2 - test_wrong",
        "not ok 3 - test_skipped",
        "ok 4 - test_other",
    ]
    text = result.stdout.str()
    # Both of them, the one that came first too.
    assert re.search(r"^# E +KeyError: 'not there'$", text, re.MULTILINE)
    assert len(re.findall(r"^# E +ValueError: cannot be put away$", text, re.MULTILINE)) >= 3
    assert result.stderr.str() == ""


def test_what_is_run_again_counts_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        again="""
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            "As pytest-rerunfailures does it."
            setup, call, teardown = runtestprotocol(item, nextitem=nextitem, log=False)
            if call.failed:
                call.outcome = "rerun"
                for report in (setup, call):
                    item.ihook.pytest_runtest_logreport(report=report)
                setup, call, teardown = runtestprotocol(item, nextitem=nextitem, log=False)
            for report in (setup, call, teardown):
                item.ihook.pytest_runtest_logreport(report=report)
            return True
        """
    )
    pytester.makepyfile(
        """
        seen = []

        def test_at_last():
            seen.append(1)
            assert len(seen) == 2

        def test_other(): pass
        """
    )
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "again", "--as-tap")
    assert told(result) == ["TAP version 13", "1..2", "ok 1 - test_at_last", "ok 2 - test_other"]


def test_a_worker_that_dies_is_told_of_its_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os

        def test_dies(): os._exit(1)
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--as-tap", "-n", "1")
    assert told(result) == ["TAP version 13", "1..1", "not ok 1 - test_dies"]
    assert "crashed while running" in result.stdout.str()


def test_a_plan_is_of_tests_and_not_of_lines(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def broken():
            yield
            raise ValueError

        def test_wrong(broken): raise ValueError
        def test_ends(): pytest.exit("enough", returncode=1)
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--as-tap")
    assert told(result)[-1] == "Bail out! 1 of 2 tests were run"


def test_text_that_is_no_unicode_is_told_as_what_it_is(
    run: Callable[..., pytest.RunResult],
) -> None:
    path = Path("example.yaml")
    text = path.read_text("utf-8").replace("block/quorum.c quorum_vote() (7.2)", '"\\ud800 (7.2)"')
    path.write_text(text, "utf-8")
    result = run("--as-tap")
    assert result.ret == 1
    assert "#   behaviour: \\ud800 (7.2)" in result.outlines


def test_what_cannot_begin_is_told_on_stderr_alone(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--as-tap", "--qemu=/nosuch")
    assert result.ret == 4
    assert result.outlines == []
    assert "ERROR: --qemu: /nosuch does not exist" in result.stderr.str()


@pytest.mark.parametrize(
    ("kind", "bug", "todo"),
    [
        (Kind.AGREES, None, ""),
        (Kind.AGREES, "a crash", "known bug: a crash"),
        (Kind.BUG_GONE, "a crash", ""),
        (Kind.AS_BEFORE, None, "not as the fixture says, and the same as the baseline"),
        (Kind.DIFFERS, None, ""),
    ],
)
def test_what_is_wrong_and_fails_nothing_is_something_to_do(
    kind: Kind, bug: str | None, todo: str
) -> None:
    outcome = "passed" if kind.passes else "failed"
    report = pytest.TestReport("a::b", ("a", 1, "b"), {}, outcome, None, "call")
    report.qsim = {"kind": kind.name, "bug": bug}
    assert todo_of(report) == todo


def test_junit_has_the_story_of_a_failure_and_what_was_compared(
    run: Callable[..., pytest.RunResult],
) -> None:
    run("--junitxml=junit.xml")
    suite = ET.parse("junit.xml").getroot()[0]
    compared = {one.get("name"): one.get("value") for one in suite.find("properties") or ()}
    assert compared == {"revision": "7.2", "model": "QEMU 7.2 block/quorum.c"}
    right, wrong = suite.findall("testcase")
    assert (right.get("classname"), wrong.get("name")) == (
        "conformance.test_scenarios",
        "test_scenario[example/not-so-model]",
    )
    assert right.find("failure") is None
    told = {one.get("name"): one.get("value") for one in wrong.find("properties") or ()}
    assert told == {
        "behaviour": "block/quorum.c quorum_vote() (7.2)",
        "fixture": "example.yaml:11",
    }
    failure = wrong.find("failure")
    assert failure is not None and failure.text is not None
    for words in (
        "behaviour: block/quorum.c quorum_vote() (7.2)",
        "fixture:   example.yaml:17",
        "again: qsim compare 'example.yaml::not so'",
    ):
        assert words in failure.text

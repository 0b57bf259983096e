# SPDX-License-Identifier: GPL-2.0-or-later
"""``--report`` and ``--figures``: what is there after a run is of this run, and all there is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from qsim.page import facts
from qsim.page.write import write_report
from qsim.quorum.revisions import Revision
from qsim.report.figures import write_figures
from qsim.scenario import Case
from qsim.trace.diagram import Diagram

CASES = """
- name: a read, all agree
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
- name: no less
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
"""
BOTH = ("--report=page", "--figures=figures.json")
PAGE, FIGURES = Path("page/index.html"), Path("figures.json")
STALE = "of another run"

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(
    pytester: pytest.Pytester,
    suite: Path,
    family_text: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """``pytest conformance`` with the cases above, in this process."""
    monkeypatch.delenv("CI", raising=False)
    (pytester.path / "example.yaml").write_text(family_text(CASES), "utf-8")
    words = ["-p", "no:cacheprovider", "--scenarios=example.yaml"]
    return lambda *more: pytester.runpytest_inprocess(str(suite), *words, *more)


@pytest.fixture
def stale(pytester: pytest.Pytester) -> None:
    """An earlier run has left its files."""
    PAGE.parent.mkdir()
    for path in (PAGE, FIGURES):
        path.write_text(STALE, "utf-8")


def stops_early(pytester: pytest.Pytester, text: str) -> None:
    """Make a plugin of this name."""
    pytester.makepyfile(stops_early=text)
    pytester.syspathinsert()


def headline() -> str:
    return PAGE.read_text("utf-8").partition("</h1>")[0].rpartition(">")[2]


def agree() -> int:
    found: dict[str, dict[str, dict[str, int]]] = json.loads(FIGURES.read_text("utf-8"))
    return found["witnesses"]["model"]["agree"]


@pytest.mark.usefixtures("stale")
@pytest.mark.parametrize("more", [(), ("--no-summary",), ("-n", "2")])
def test_both_are_of_this_run_whatever_is_shown(run: Run, more: tuple[str, ...]) -> None:
    assert run(*BOTH, *more).ret == 1
    assert headline() == "1 of 3 scenarios differs"
    assert agree() == 2


@pytest.mark.usefixtures("stale")
@pytest.mark.parametrize("wrong", ["--revision=0.1", "--fuzz=3", "--qemu=/nosuch"])
def test_nothing_is_there_of_a_run_that_could_not_begin(run: Run, wrong: str) -> None:
    assert run(*BOTH, wrong).ret == 4
    assert not PAGE.exists()
    assert not FIGURES.exists()


@pytest.mark.usefixtures("stale")
def test_a_list_of_tests_is_no_run(run: Run) -> None:
    assert run(*BOTH, "--collect-only").ret == 0
    assert PAGE.read_text("utf-8") == FIGURES.read_text("utf-8") == STALE


@pytest.mark.parametrize("more", [("-x",), ("--maxfail=1",), ("-x", "-n", "1")])
def test_a_run_that_stops_at_a_failure_is_not_whole(run: Run, more: tuple[str, ...]) -> None:
    run("--report=page", *more)
    assert headline().startswith("Interrupted, 1 of 2 scenarios differs")


def test_a_run_that_stops_at_its_last_test_is_whole(run: Run) -> None:
    run("--report=page", "-x", "-k", "not-so")
    assert headline() == "1 of 1 scenarios differs"


@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_who_ends_it_with_a_status_does_not_make_it_whole(
    run: Run, pytester: pytest.Pytester, status: int
) -> None:
    stops_early(
        pytester,
        f"""
        import pytest

        def pytest_runtest_setup(item):
            if "no-less" in item.nodeid:
                pytest.exit("enough", returncode={status})
        """,
    )
    assert run(*BOTH, "-p", "stops_early").ret == status
    assert headline() == "Interrupted, 1 of 2 scenarios differs"
    assert agree() == 1


def test_an_internal_error_leaves_what_is_known(run: Run, pytester: pytest.Pytester) -> None:
    stops_early(
        pytester,
        """
        def pytest_runtest_logfinish(nodeid):
            raise RuntimeError("a broken plugin")
        """,
    )
    assert run(*BOTH, "-p", "stops_early").ret == pytest.ExitCode.INTERNAL_ERROR
    assert headline() == "Interrupted, 1 scenario agrees"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--report=example.yaml", "--report: example.yaml: File exists"),
        ("--figures=.", "--figures: .: Is a directory"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_run(
    run: Run, option: str, said: str
) -> None:
    result = run(option)
    assert result.ret == 4
    assert f"ERROR: {said}" in result.stderr.str()
    assert "passed" not in result.stdout.str()


def test_a_link_and_what_is_no_file_stay(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "link").symlink_to("figures.json")
    run("--figures=link")
    assert Path("link").is_symlink()
    assert agree() == 2
    assert run("--figures=/dev/null", "-k", "agree").ret == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("broken", "left"),
    [(write_figures, "page"), (write_report, "figures")],
    ids=["figures", "page"],
)
def test_one_that_cannot_be_written_in_the_end_takes_nothing_along(
    run: Run, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., None], left: str
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"qsim.files.{broken.__name__}", full)
    result = run(*BOTH)
    assert result.ret == 4
    assert (PAGE.exists(), FIGURES.exists()) == (left == "page", left == "figures")
    result.stdout.fnmatch_lines(["model of QEMU 7.2 * 3 * 2 * 1"])
    assert ": No space left on device" in result.stderr.str()


def test_what_cannot_be_drawn_is_said_in_its_place(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = facts.diagram_of_model

    def but_one(case: Case, revision: Revision) -> Diagram:
        if "not so" in case.id.replace("-", " "):
            raise IndexError("no such lane")
        return drawn(case, revision)

    monkeypatch.setattr(facts, "diagram_of_model", but_one)
    assert run("--report=page").ret == 1
    assert headline() == "1 of 3 scenarios differs"
    assert "this cannot be drawn: IndexError: no such lane" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_text_that_is_no_unicode_is_shown_as_what_it_is(run: Run, more: tuple[str, ...]) -> None:
    path = Path("example.yaml")
    text = path.read_text("utf-8").replace("block/quorum.c quorum_vote()", "block/\\ud800()")
    path.write_text(text.replace("block/\\ud800() (7.2)", '"block/\\ud800() (7.2)"'), "utf-8")
    assert run(*BOTH, *more).ret == 1
    assert "<dd>block/\\ud800() (7.2)</dd>" in PAGE.read_text("utf-8")

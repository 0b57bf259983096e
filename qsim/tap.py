# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite's run as TAP on stdout (``--as-tap``), for ``meson test`` and other harnesses.

What pytest would say in the terminal is kept back: the closing tables follow as comments, and all
of it goes to stderr where the run has not come to its end.  The plan stands first, so a harness
sees when a run dies.  The library for this, pytest-tap, cannot be used: 3.5 ends every run of
pytest 9.2, knows no known bugs, and takes the closing tables and ``--report`` away.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import redirect_stdout
from io import StringIO, TextIOWrapper
from typing import Any, TextIO

import pytest

from qsim.verdict import Kind

#: What can become of a test, the worst last.
_RESULTS = ("passed", "skipped", "failed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option."""
    parser.getgroup("qsim").addoption(
        "--as-tap",
        action="store_true",
        help="Tell the run as TAP on stdout, for meson test (protocol: 'tap') and other harnesses.",
    )


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """Take stdout away from the terminal's reporter before there is one."""
    listing = config.getoption("collectonly") or config.getoption("help", False)
    if not config.getoption("--as-tap") or listing or hasattr(config, "workerinput"):
        return (yield)
    kept = StringIO()
    tap = Tap(sys.stdout, kept)
    config.pluginmanager.register(tap)
    with redirect_stdout(kept):
        status = yield
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or not tap.is_whole:
        sys.stderr.write(kept.getvalue())
    return status


class Tap:
    """A session told as TAP.

    :param out: where to.
    :param kept: what the terminal's reporter writes.
    """

    def __init__(self, out: TextIO, kept: StringIO) -> None:
        self._out = out
        self._kept = kept
        #: The tests that are to be run, once that is known; those that are told; what is known of
        #: one that is not over.
        self._planned: set[str] | None = None
        self._told: list[str] = []
        self._reports: dict[str, list[pytest.TestReport]] = {}
        if isinstance(out, TextIOWrapper):
            # A binary may answer, and a file be called, what no encoding knows.
            out.reconfigure(errors="backslashreplace")

    @property
    def is_whole(self) -> bool:
        """Whether all that was planned is told."""
        return self._planned is None or self._planned <= set(self._told)

    def _say(self, *lines: str) -> None:
        # A harness that reads along sees each result as it comes.
        print(*lines, sep="\n", file=self._out, flush=True)

    def _comment(self, text: str) -> None:
        for line in text.splitlines():
            self._say(f"# {line}".rstrip())

    def _plan(self, ids: Iterable[str]) -> None:
        if self._planned is None:
            self._planned = set(ids)
            self._say("TAP version 13", f"1..{len(self._planned)}")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All tests are known."""
        self._plan(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """All tests are known to a worker of pytest-xdist and so to all of them."""
        self._plan(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test has got so far; one that is to be run again says "rerun", and is not over."""
        if report.outcome in _RESULTS:
            self._reports.setdefault(report.nodeid, []).append(report)
            # Else it is the end, or that of the worker.
            if report.when not in ("setup", "call"):
                self._tell(report.nodeid, self._reports.pop(report.nodeid))

    def _tell(self, nodeid: str, reports: Sequence[pytest.TestReport]) -> None:
        """A line for a test that is over, and below it what is wrong."""
        self._told.append(nodeid)
        worst = max(reports, key=_weight)
        todo = todo_of(worst)
        ok = "not ok" if worst.failed or todo else "ok"
        name = nodeid.rpartition("::")[2].replace("#", r"\#")
        line = f"{ok} {len(self._told)} - {name}"
        if todo:
            line += f" # TODO {_one_line(todo)}"
        elif worst.skipped:
            line += f" # SKIP {_one_line(_why_skipped(worst))}"
        self._say(line)
        for report in reports:
            if report.failed:
                self._comment(report.longreprtext)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_terminal_summary(self) -> Generator[None, None, None]:
        """The closing tables."""
        start = self._kept.tell()
        yield
        self._comment(self._kept.getvalue()[start:])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """A run that has not played everything says so."""
        if self._planned is not None and not self.is_whole:
            run = len(self._planned & set(self._told))
            self._say(f"Bail out! {run} of {len(self._planned)} tests were run")


def _weight(report: pytest.TestReport) -> tuple[int, bool]:
    """How much a report of a test says beside its others: the call says what was judged."""
    return _RESULTS.index(report.outcome), report.when == "call"


def todo_of(report: pytest.TestReport) -> str:
    """Why a test that is not as it should be fails nothing; empty for all others."""
    if hasattr(report, "wasxfail"):
        return report.wasxfail or "expected to fail" if report.skipped else ""
    told: dict[str, Any] = getattr(report, "qsim", {})
    kind = told.get("kind")
    if kind == Kind.AS_BEFORE.name:
        return Kind.AS_BEFORE.text
    shows = kind in (Kind.AGREES.name, Kind.MENDED.name)
    return f"known bug: {told['bug']}" if shows and told["bug"] else ""


def _why_skipped(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return reason.removeprefix("Skipped: ")


def _one_line(text: str) -> str:
    return " ".join(text.split())

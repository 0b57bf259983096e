# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite's run as TAP on stdout (``--as-tap``), for ``meson test`` and other harnesses.

What pytest would say in the terminal is kept back: the closing tables follow as comments, and all
of it goes to stderr where the run has not come to its end.  The plan stands first, so a harness
sees when a run dies.  The library for this, pytest-tap, cannot be used: 3.5 ends every run of
pytest 9.2, knows no known bugs, and takes the closing tables and ``--report`` away.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, TextIO

import pytest

from qsim.verdict import Kind


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
    config.pluginmanager.register(Tap(sys.stdout, kept))
    with redirect_stdout(kept):
        status = yield
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
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
        self._planned: int | None = None
        self._number = 0

    def _say(self, *lines: str) -> None:
        # A harness that reads along sees each result as it comes.
        print(*lines, sep="\n", file=self._out, flush=True)

    def _comment(self, text: str) -> None:
        for line in text.splitlines():
            self._say(f"# {line}".rstrip())

    def _plan(self, count: int) -> None:
        if self._planned is None:
            self._planned = count
            self._say("TAP version 13", f"1..{count}")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All tests are known."""
        self._plan(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """All tests are known, to a worker of pytest-xdist and so to all of them."""
        self._plan(len(ids))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A line for each test that is over, and below it what is wrong."""
        if report.passed and report.when != "call":
            return
        self._number += 1
        todo = todo_of(report)
        ok = "not ok" if report.failed or todo else "ok"
        name = report.nodeid.rpartition("::")[2].replace("#", r"\#")
        line = f"{ok} {self._number} - {name}"
        if todo:
            line += f" # TODO {_one_line(todo)}"
        elif report.skipped:
            line += f" # SKIP {_one_line(_why_skipped(report))}"
        self._say(line)
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
        if self._planned is not None and self._number < self._planned:
            self._say(f"Bail out! {self._number} of {self._planned} tests were run")


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

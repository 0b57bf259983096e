# SPDX-License-Identifier: GPL-2.0-or-later
"""What the suite leaves behind: a page, ``--report=DIR``, and figures, ``--figures=FILE``.

What was there goes away before anything else is done, so nobody takes it for what came of this run.
Both are written when all is over, however that was, and also where pytest has no summary to show.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from qsim.page.write import PAGE, write_report
from qsim.report.figures import write_figures
from qsim.report.gate import Tally
from qsim.spread import Whole
from qsim.suite import TALLY, WHOLE, is_meant

REPORT, FIGURES = "--report", "--figures"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("qsim")
    group.addoption(REPORT, metavar="DIR", help=f"Write the run as one HTML page there, {PAGE}.")
    group.addoption(FIGURES, metavar="FILE", help="Write the closing figures there, as JSON.")


@pytest.hookimpl(wrapper=True)
def pytest_sessionstart(session: pytest.Session) -> Generator[None, None, None]:
    """Make room before anybody opens anything, or says that something is wrong.

    :raise pytest.UsageError: when nothing could be written there.
    """
    config = session.config
    writes = not hasattr(config, "workerinput") and not config.getoption("collectonly")
    if writes and is_meant(config):
        for option in (REPORT, FIGURES):
            path = _named(config, option)
            if path is not None:
                try:
                    _make_room(path / PAGE if option == REPORT else path)
                except OSError as error:
                    raise pytest.UsageError(_told(option, path, error)) from None
    yield
    if writes and TALLY in config.stash:
        config.pluginmanager.register(Files(config, config.stash[TALLY], config.stash[WHOLE]))


def _named(config: pytest.Config, option: str) -> Path | None:
    given = config.getoption(option)
    return Path(given) if given else None


def _told(option: str, path: Path, error: OSError) -> str:
    return f"{option}: {path}: {error.strerror}"


def _make_room(path: Path) -> None:
    """Let a file be one that can be written, and not there.

    A link and what is no file, such as /dev/stdout, are somebody else's and stay.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or (path.exists() and not path.is_file() and not path.is_dir()):
        return
    path.open("ab").close()
    path.unlink()


class Files:
    """Hears what the files say beside the tally, and writes them."""

    def __init__(self, config: pytest.Config, tally: Tally, whole: Whole) -> None:
        self._config = config
        self._tally = tally
        self._whole = whole
        #: What failed beside the scenarios.
        self._others: list[tuple[str, str]] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Something could not be collected."""
        if report.failed:
            self._others.append((report.nodeid, report.longreprtext))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test has got so far."""
        if report.failed and not hasattr(report, "qsim"):
            self._others.append((report.nodeid, report.longreprtext))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, None, None]:
        """Write all there is to write; the session ends with status 4 when that cannot be.

        Whatever others have to say, the summary too, is said before.
        """
        try:
            yield
        finally:
            wrong = list(self._write())
            if wrong:
                pytest.exit("\n".join(wrong), returncode=4)

    def _write(self) -> Generator[str, None, None]:
        """Write each; what is wrong with one does not keep from the others."""
        figures, report = (_named(self._config, one) for one in (FIGURES, REPORT))
        if figures is not None:
            try:
                write_figures(figures, self._tally)
            except OSError as error:
                yield _told(FIGURES, figures, error)
        if report is not None:
            try:
                write_report(report, self._tally, self._others, self._whole.is_whole)
            except OSError as error:
                yield _told(REPORT, report, error)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The leaks as tests of the conformance suite, measured in the background like the cases.

There are none without a binary, nor beside ``--scenarios``, which says all that is to be played.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from qsim import spread
from qsim.leak.measure import Measured, measure
from qsim.leak.table import TABLE
from qsim.leak.thing import Repeated
from qsim.suite import SESSION, TALLY, Session, session_of
from qsim.target.background import result_of

#: So many processes repeat side by side.
SIDE_BY_SIDE = 3
TEST, FIXTURE = "test_leaks", "qsim_leak"


@dataclass
class Lane:
    """The measurements of a session."""

    session: Session
    played: dict[str, Future[Measured]] = field(default_factory=dict)
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SIDE_BY_SIDE))

    def submit(self, repeated: Repeated) -> None:
        """Let the candidate repeat this in the background."""
        assert self.session.background is not None
        self.played[repeated.name] = self.session.background.submit(
            partial(self._measured, repeated)
        )

    async def _measured(self, repeated: Repeated) -> Measured:
        assert self.session.pool is not None
        async with self._places:
            return await measure(self.session.pool, repeated)

    def measured(self, repeated: Repeated) -> Measured:
        """What became of it."""
        if repeated.name not in self.played:  # Another process was to run this test, and has died.
            self.submit(repeated)
        return result_of(self.played.pop(repeated.name))


LANE = pytest.StashKey[Lane]()


def lane_of(config: pytest.Config) -> Lane:
    """The measurements of this session."""
    if LANE not in config.stash:
        config.stash[LANE] = Lane(session_of(config))
    return config.stash[LANE]


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str
) -> Generator[None, Any, Any]:
    """Without anything to repeat there is no test, not even one that is skipped."""
    made = yield
    return (
        []
        if name == TEST and SESSION in collector.config.stash and not _things(collector.config)
        else made
    )


def _things(config: pytest.Config) -> tuple[Repeated, ...]:
    """What is repeated in this session."""
    wanted = session_of(config).binary and not config.getoption("--scenarios")
    return TABLE if wanted else ()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per thing that is repeated."""
    if FIXTURE in metafunc.fixturenames:
        things = [pytest.param(one, id=one.name) for one in _things(metafunc.config)]
        metafunc.parametrize(FIXTURE, things)


def _repeated(item: pytest.Item) -> Repeated | None:
    """What a test of ours repeats."""
    callspec = getattr(item, "callspec", None)
    found = None if callspec is None else callspec.params.get(FIXTURE)
    return found if isinstance(found, Repeated) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Start measuring, before the cases as it takes long: what is selected and for this process."""
    config = session.config
    shared = config.stash.get(SESSION, None)
    if shared is None or shared.background is None or spread.controls(config):
        return
    for item in spread.own(session.items, config):
        repeated = _repeated(item)
        if repeated is not None:
            lane_of(config).submit(repeated)


def check_leak(config: pytest.Config, repeated: Repeated) -> str | None:
    """What is wrong with the memory of the binary, ready to print; None when nothing is."""
    measured = lane_of(config).measured(repeated)
    if measured.unsupported:
        pytest.skip(f"not supported: {measured.unsupported}")
    if measured.wrong is None:
        return None
    binary = shlex.quote(str(config.getoption("--qemu")))
    again = f"pytest {shlex.join(config.args)} --qemu={binary} -k '{TEST}[{repeated.name}]'"
    return f"{measured.wrong}\n\nagain: {again}"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line under the suite's table."""
    if TALLY not in terminalreporter.config.stash:
        return
    outcomes = {
        outcome: sum(
            f"::{TEST}[" in report.nodeid and report.when == "call"
            for report in terminalreporter.stats.get(outcome, [])
            if isinstance(report, pytest.TestReport)
        )
        for outcome in ("passed", "failed")
    }
    if any(outcomes.values()):
        fine, wrong = outcomes["passed"], outcomes["failed"]
        terminalreporter.write_line(
            f"leaks: {fine + wrong} things were repeated; memory is given back in {fine}, "
            f"not in {wrong}"
        )

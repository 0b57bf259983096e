# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite over several processes: what a worker does not tell is no agreement."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from qsim.spread import Whole


def ended(dist: str, *over: str) -> tuple[int, list[str]]:
    """How a session of two tests ends when these are over, and what is said."""
    said: list[str] = []
    writer = SimpleNamespace(line=lambda text, **_: said.append(text))
    config: Any = SimpleNamespace(
        getoption=lambda name, default: dist, get_terminal_writer=lambda: writer
    )
    whole = Whole(config)
    whole.pytest_xdist_node_collection_finished(["a", "b"])
    for nodeid in over:
        for when in ("setup", "call", "teardown"):
            report: Any = SimpleNamespace(nodeid=nodeid, when=when)
            whole.pytest_runtest_logreport(report)
    session = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    whole.pytest_sessionfinish(cast(pytest.Session, session), session.exitstatus)
    return session.exitstatus, said


def test_a_test_nobody_tells_of_is_no_agreement() -> None:
    lost = (pytest.ExitCode.INTERNAL_ERROR, ["only 1 of 2 tests were run"])
    assert ended("load", "a") == lost
    assert ended("load", "a", "b") == (pytest.ExitCode.OK, [])


def test_in_one_process_whoever_stops_it_says_how_it_ends() -> None:
    assert ended("no", "a") == (pytest.ExitCode.OK, [])

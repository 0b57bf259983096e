# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite over several processes: what a worker does not tell is no agreement."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from qsim.spread import Whole, own, scheduler


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


class Node:
    """What a scheduler asks of a worker of pytest-xdist."""

    def __init__(self, number: int, of: int) -> None:
        self.workerinput = {"workerid": f"gw{number}", "workercount": of}
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.given: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given.extend(indices)

    def shutdown(self) -> None:
        self.shutting_down = True


@pytest.mark.parametrize("ready", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_worker_is_given_what_it_plays_ahead_whoever_is_ready_first(
    ready: tuple[int, ...],
) -> None:
    tests = [str(i) for i in range(20)]
    options = {"maxschedchunk": None, "tx": ["popen"] * len(ready)}
    config: Any = SimpleNamespace(
        getvalue=options.__getitem__, getoption=lambda name, default=None: options.get(name)
    )
    handed = scheduler(config, None)
    nodes = [Node(number, len(ready)) for number in ready]
    for node in nodes:
        handed.add_node(node)
    for node in nodes:
        handed.add_node_collection(node, tests)
    handed.schedule()
    for node in nodes:
        ahead = own(tests, cast(pytest.Config, SimpleNamespace(workerinput=node.workerinput)))
        assert [tests[i] for i in node.given] == ahead
    assert sorted(i for node in nodes for i in node.given) == list(range(len(tests)))

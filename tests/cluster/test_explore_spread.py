# SPDX-License-Identifier: GPL-2.0-or-later
"""An exploration on a cluster comes to what it comes to on one process, also if a worker is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from qsim.cluster import engine
from qsim.cluster.engine import ClusterError, Where, connected
from qsim.cluster.explore import explore_spread
from qsim.explore.exploration import Exploration
from qsim.explore.grid import grid
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.scenario.asked import load_asked


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with connected(Where(workers=3)) as one:
        yield one


def one_case() -> list[Case]:
    faults = {f"c{i}": "any of ok, EIO, ENOSPC" for i in range(3)}
    children = [{"contents": "any of A, B"} for _ in range(3)]
    return [
        load_asked(
            {
                "name": "a",
                "children": children,
                "quorum": {"vote-threshold": 2},
                "steps": [{"read": [0, 512], "faults": faults}],
            }
        )
    ]


@pytest.mark.parametrize(
    ("cases", "name"),
    [(one_case(), "7.2"), (grid((2,), ["quorum"], ["EIO"]), "v4")],
    ids=["sub-trees of one case", "many cases"],
)
@pytest.mark.parametrize("kill", [False, True], ids=["all live", "one is killed"])
def test_comes_to_the_same(client: Any, cases: list[Case], name: str, kill: bool) -> None:
    alone = Exploration(cases, revision(name))
    alone.run()
    spread = Exploration(cases, revision(name))
    victims = sorted(client.run(os.getpid).values())[:1] if kill else []

    def tick() -> None:
        while victims:
            os.kill(victims.pop(), signal.SIGKILL)

    explore_spread(spread, client, tick)
    assert list(map(set, spread.outcomes)) == list(map(set, alone.outcomes))
    assert [one.what for one in spread.defects] == [one.what for one in alone.defects]
    assert [one.length for one in spread.defects] == [one.length for one in alone.defects]
    assert spread.over


def test_engine_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(engine, "import_module", missing)
    with pytest.raises(ClusterError, match=r"pip install 'qsim\[cluster\]'"), connected(Where(2)):
        pass


def test_scheduler_that_does_not_answer_is_told() -> None:
    with (
        pytest.raises(ClusterError, match="no Dask scheduler at tcp://127.0.0.1:1"),
        connected(Where(scheduler="tcp://127.0.0.1:1")),
    ):
        pass

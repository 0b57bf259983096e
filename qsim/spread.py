# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite over several processes of pytest-xdist, where that is installed and asked for.

Cases play in the background while tests wait for them, so each worker must know at once which
tests it will be given: every worker gets its share when the session begins, not piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

#: A case's tests on the model and on the binary stand together.
TOGETHER = 2


def controls(config: pytest.Config) -> bool:
    """Whether this process only hands tests out."""
    return config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")


def _place(config: pytest.Config) -> tuple[int, int]:
    """Which of how many workers this process is."""
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    if given is None:
        return 0, 1
    return _number(given), int(given["workercount"])


def _number(workerinput: dict[str, Any]) -> int:
    """A worker's number, as pytest-xdist counts them."""
    return int(workerinput["workerid"].removeprefix("gw"))


def share(number: int, config: pytest.Config) -> int:
    """This worker's part of ``number``, at least two."""
    return max(2, number // _place(config)[1])


class Whole:
    """Hears which tests were to be run and which are over, here or in workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._selected: set[str] | None = None
        self._over: set[str] = set()

    @property
    def is_whole(self) -> bool:
        """Whether all that was to be run is over."""
        return self._selected is not None and self._selected <= self._over

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All tests are known."""
        self._selected = {item.nodeid for item in session.items}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """All tests are known to a worker of pytest-xdist and so to all of them."""
        self._selected = set(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test is over: it is taken down, or its worker has crashed."""
        if report.when not in ("setup", "call"):
            self._over.add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Of a worker that cannot send what it has to say xdist says nothing, and passes."""
        if controls(self._config) and exitstatus == pytest.ExitCode.OK and not self.is_whole:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            selected = self._selected or set()
            self._config.get_terminal_writer().line(
                f"only {len(selected & self._over)} of {len(selected)} tests were run", red=True
            )


def sendable(data: Any) -> Any:
    """Plain data as it can be sent: what is no Unicode in it is told as what it is."""
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(data, dict):
        return {sendable(key): sendable(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        found = map(sendable, data)
        return list(found) if isinstance(data, list) else tuple(found)
    return data


def _mine(count: int, which: int, of: int) -> Iterator[int]:
    return (i for i in range(count) if i // TOGETHER % of == which)


def own(items: Sequence[T], config: pytest.Config) -> list[T]:
    """Of all tests those that this process will be given."""
    which, of = _place(config)
    if which >= of:  # It takes the place of a worker that has died.
        return []
    return [items[i] for i in _mine(len(items), which, of)]


def scheduler(config: pytest.Config, log: Any) -> Any:
    """A scheduler that gives every worker its share at once."""
    from xdist.scheduler import LoadScheduling  # noqa: PLC0415 (an extra)

    class Share(LoadScheduling):  # type: ignore[misc]
        def schedule(self) -> None:
            if self.collection is not None or not self._check_nodes_have_same_collection():
                super().schedule()
                return
            self.collection: list[str] = next(iter(self.node2collection.values()))
            # They stand in the order in which they were ready, and play ahead what own() says.
            in_order = sorted(self.nodes, key=lambda node: _number(node.workerinput))
            for which, node in enumerate(in_order):
                mine = list(_mine(len(self.collection), which, len(in_order)))
                self.node2pending[node].extend(mine)
                node.send_runtest_some(mine)
                node.shutdown()

    return Share(config, log)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The pool for callers without an event loop: its own loop on its own thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from qsim.outcome import Outcome
from qsim.scenario.case import Case
from qsim.target.pool import DEFAULT_JOBS, Pool

T = TypeVar("T")


class BackgroundPool:
    """A :class:`~qsim.target.pool.Pool` whose cases are submitted and awaited later.

    The thread must live as long as the processes do: the kernel kills them with it.

    :raise TargetError: when the binary cannot be used.
    """

    def __init__(self, binary: str, jobs: int = DEFAULT_JOBS) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qsim-pool")
        self._thread.daemon = True
        self._thread.start()
        self._futures: set[Future[Outcome]] = set()
        self._closed = False
        self.pool = self._call(self._make(binary, jobs))
        try:
            self._call(self.pool.start())
        except BaseException:
            self.close()
            raise

    @staticmethod
    async def _make(binary: str, jobs: int) -> Pool:
        return Pool(binary, jobs)

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    @property
    def version(self) -> str:
        """The binary's version as query-version says."""
        return self.pool.version

    def submit(self, case: Case) -> Future[Outcome]:
        """Play ``case`` when a process is free; the future has its outcome."""
        future = asyncio.run_coroutine_threadsafe(self.pool.run(case), self._loop)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def close(self) -> None:
        """Drop what is not done and stop all processes; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        for future in list(self._futures):
            future.cancel()
        if hasattr(self, "pool"):
            self._call(self.pool.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

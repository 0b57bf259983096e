# SPDX-License-Identifier: GPL-2.0-or-later
"""Pools for callers without an event loop: a loop of their own on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

from qsim.target.pool import DEFAULT_JOBS, Pool

T = TypeVar("T")

#: So many plays are under way or wait for a process; those submitted beyond wait in a list.
AT_ONCE = 512
#: How long what was cancelled may take to see it, in seconds.
SEEN_S = 10
#: How long a caller can be deaf to a signal, in seconds.
HEAR_S = 0.2


def any_done(futures: Collection[Future[T]]) -> set[Future[T]]:
    """Those that are done, of which there is one at least.

    The kernel can give a signal to any thread.  Python acts on it in the main thread, when that
    runs next: one that waits without end is not woken, and Ctrl-C goes unheard.
    """
    while True:
        done = wait(futures, HEAR_S, FIRST_COMPLETED).done
        if done:
            return done


def result_of(future: Future[T]) -> T:
    """What a future has in the end; signals are heard meanwhile."""
    any_done([future])
    return future.result()


class Background:
    """A thread that plays while its caller does something else.

    The thread must live as long as the processes do: the kernel kills them with it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qsim-pool")
        self._thread.daemon = True
        self._thread.start()
        self._pools: list[Pool] = []
        self._futures: set[Future[Any]] = set()
        self._closed = False
        self._places = self._call(self._semaphore())

    @staticmethod
    async def _semaphore() -> asyncio.Semaphore:
        return asyncio.Semaphore(AT_ONCE)

    def open(self, binary: str, jobs: int = DEFAULT_JOBS, iothread: bool = False) -> Pool:
        """A started pool, used by what is submitted; closed with this object.

        :raise TargetError: when the binary cannot be used.
        """
        pool = self._call(self._make(binary, jobs, iothread))
        self._pools.append(pool)
        self._call(pool.start())
        return pool

    @staticmethod
    async def _make(binary: str, jobs: int, iothread: bool) -> Pool:
        return Pool(binary, jobs, iothread)

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return result_of(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def submit(self, play: Callable[[], Awaitable[T]]) -> Future[T]:
        """Call ``play`` on the thread when its turn comes; the future has what it returns.

        What a run observed can be large, so ``play`` should return what is made of it.
        """
        return self._on_thread(self._in_turn(play))

    def feed(self, plays: Iterable[Callable[[], Awaitable[None]]]) -> Future[None]:
        """Call all ``plays``, and take each from the iterable only when its turn has come."""
        return self._on_thread(self._feed(plays))

    def _on_thread(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    async def _in_turn(self, play: Callable[[], Awaitable[T]]) -> T:
        async with self._places:
            return await play()

    async def _feed(self, plays: Iterable[Callable[[], Awaitable[None]]]) -> None:
        async with asyncio.TaskGroup() as group:
            for play in plays:
                await self._places.acquire()
                group.create_task(self._fed(play))

    async def _fed(self, play: Callable[[], Awaitable[None]]) -> None:
        try:
            await play()
        finally:
            self._places.release()

    @staticmethod
    async def _ended() -> None:
        """Whatever was cancelled has seen it."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=SEEN_S)

    def close(self) -> None:
        """Drop what is not done and stop all processes; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        # What is cut short here fails unheard, in a library's tasks too: nobody need be told.
        self._loop.set_exception_handler(lambda loop, context: None)
        for future in list(self._futures):
            future.cancel()
        for pool in self._pools:
            self._call(pool.close())
        self._call(self._ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

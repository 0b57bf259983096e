# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's coroutines on Python's: entered, yielding, never scheduled behind one's back.

As in util/qemu-coroutine.c, :func:`enter` runs a coroutine at once, on top of its caller, until
it yields or ends.  There is no loop and no clock here: whoever completes a request enters the
coroutine that waits for it, so a run is the same every time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from collections.abc import Coroutine as PyCoroutine
from threading import local
from types import coroutine
from typing import Any

Entry = Callable[[], PyCoroutine[Any, None, None]]


class Coroutine:
    """One coroutine; ``done`` once its entry function has returned.

    ``root`` is the one outside all others that has led to it: whose request it works for.
    """

    def __init__(self, entry: Entry) -> None:
        self._body: PyCoroutine[Any, None, None] | None = None
        self._entry = entry
        self._active = False
        self._wakeups: list[Coroutine] = []
        self.done = False
        stack = _running.stack
        self.root: Coroutine = stack[-1].root if stack else self

    @property
    def entered(self) -> bool:
        """Whether it was entered already."""
        return self._body is not None

    def enter(self) -> None:
        """qemu_coroutine_enter(): run until it yields or ends.

        :raise AssertionError: when it is already running (C: "Co-routine re-entered
            recursively", which aborts) or has ended.
        """
        assert not self._active and not self.done, "co-routine re-entered"
        if self._body is None:
            self._body = self._entry()
        self._active = True
        stack = _running.stack
        stack.append(self)
        try:
            self._body.send(None)
        except StopIteration:
            self.done = True
        finally:
            stack.pop()
            self._active = False
        while self._wakeups:
            self._wakeups.pop(0).enter()

    def enter_if_inactive(self) -> None:
        """qemu_coroutine_enter_if_inactive(): nothing when it is on the stack of the caller."""
        if not self._active:
            self.enter()

    def close(self) -> None:
        """Drop a coroutine that will not be entered again: whoever waits in it has gone."""
        if self._body is not None and not self._active:
            self._body.close()
        self.done = True


class _Running(local):
    """The coroutines a thread is in, outermost first; models can run in several at once."""

    def __init__(self) -> None:
        self.stack: list[Coroutine] = []


_running = _Running()


def aio_co_wake(coroutine: Coroutine) -> None:
    """aio_co_wake(): at once from outside; from a coroutine, when that yields or ends."""
    if _running.stack:
        _running.stack[-1]._wakeups.append(coroutine)
    else:
        coroutine.enter()


class CoMutex:
    """CoMutex: fair; unlocking hands it to the one that has waited longest."""

    def __init__(self) -> None:
        self._locked = False
        self._waiters: list[Coroutine] = []

    async def lock(self) -> None:
        """qemu_co_mutex_lock()."""
        if not self._locked:
            self._locked = True
            return
        self._waiters.append(qemu_coroutine_self())
        await qemu_coroutine_yield()

    def unlock(self) -> None:
        """qemu_co_mutex_unlock()."""
        if self._waiters:
            aio_co_wake(self._waiters.pop(0))
        else:
            self._locked = False


def qemu_coroutine_self() -> Coroutine:
    """The coroutine that runs now."""
    return _running.stack[-1]


@coroutine
def _yield() -> Generator[None, None, None]:
    yield


def qemu_coroutine_yield() -> Awaitable[None]:
    """Give control back to whoever entered the current coroutine."""
    return _yield()

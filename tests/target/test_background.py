# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays in the background: fed one by one, dropped when it is closed."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future

import pytest

from qsim.target import background
from qsim.target.background import Background, result_of


def test_plays_are_taken_when_their_turn_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AT_ONCE", 3)
    taken, most = 0, 0

    async def play() -> None:
        await asyncio.sleep(0)
        ended.append(None)

    def plays() -> Iterator[Callable[[], Awaitable[None]]]:
        nonlocal taken, most
        for _ in range(50):
            taken += 1
            most = max(most, taken - len(ended))
            yield play

    ended: list[None] = []
    here = Background()
    try:
        here.feed(plays()).result(timeout=20)
    finally:
        here.close()
    assert len(ended) == 50
    # The one that waits for a place has been taken too.
    assert most <= 4


def test_closing_drops_what_has_not_been_played() -> None:
    async def play() -> None:
        await asyncio.Event().wait()

    here = Background()
    future = here.feed(play for _ in range(10_000))
    here.close()
    assert future.cancelled()


def test_signal_that_comes_to_another_thread_is_heard_while_one_waits() -> None:
    thread = Background()
    never: Future[None] = Future()

    async def signalled() -> None:
        # As the kernel may do it: to the thread that plays, not to the main thread, which waits.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            thread.submit(signalled)
            result_of(never)
    finally:
        signal.signal(signal.SIGINT, usual)
        thread.close()

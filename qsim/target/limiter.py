# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's event rate limiter, as far as one must know when its windows are open.

The first event of a key goes out at once and opens a window of one second; the last of those
that follow within it is sent when it closes, and opens the next (monitor/monitor.c
monitor_qapi_event_queue_no_reenter(), monitor_qapi_event_handler(); 5.2 to 10.0).  An event that
was received opened its window before it was received, so a window is over one second after the
last event of its key arrived.  QEMU closes it, and sends what it held, when its timer runs next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Protocol

#: Length of a window, in seconds, and what is added for the timer to be noticed.
WINDOW_S = 1.0
MARGIN_S = 0.02
#: When so many keys are known, those whose windows are long over are forgotten.
MANY_KEYS = 512


class Windows:
    """When each key's window is surely over, by this machine's monotonic clock."""

    def __init__(self) -> None:
        self._closed_at: dict[str, float] = {}

    def opened(self, key: str, received_s: float) -> None:
        """An event with ``key`` was received."""
        if key:
            closed = received_s + WINDOW_S + MARGIN_S
            self._closed_at[key] = max(closed, self._closed_at.get(key, 0.0))
            if len(self._closed_at) > MANY_KEYS:
                long_ago = time.monotonic() - WINDOW_S
                self._closed_at = {k: at for k, at in self._closed_at.items() if at > long_ago}

    def keys(self) -> list[str]:
        """Whose windows may be open."""
        return list(self._closed_at)

    def known(self, keys: Iterable[str]) -> bool:
        """Whether one of ``keys`` has had a window."""
        return any(key in self._closed_at for key in keys)

    def wait_s(self, keys: Iterable[str], now_s: float | None = None) -> float:
        """Seconds until the windows of all ``keys`` are over; not above 0 when they are.

        :param now_s: reckoned from then, by the monotonic clock; from now if None.
        """
        now = time.monotonic() if now_s is None else now_s
        return max((self._closed_at.get(key, 0.0) - now for key in keys), default=0.0)

    def wait_all_s(self) -> float:
        """Seconds until every window is over."""
        return max(0.0, self.wait_s(self._closed_at))


class _Process(Protocol):
    async def timers_ran(self) -> None: ...


async def closed(process: _Process, windows: Windows, keys: Callable[[], Iterable[str]]) -> None:
    """Return when the windows of all ``keys`` are closed, in QEMU too, and what they held is here.

    The windows must have been over before the timers were seen to run.  By the time we look at the
    clock it may be later: an event whose window ended between the two is held still.

    :param keys: asked again each time, as an event that was held opens its window once more.
    """
    while True:
        before_s = time.monotonic()
        await process.timers_ran()
        if windows.wait_s(keys(), before_s) <= 0:
            return
        await asyncio.sleep(max(0.0, windows.wait_s(keys())))

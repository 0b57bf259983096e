# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's event rate limiter, as far as one must know when its windows are open.

The first event of a key goes out at once and opens a window of one second; the last of those
that follow within it is sent when it closes, and opens the next (monitor/monitor.c
monitor_qapi_event_queue_no_reenter(), monitor_qapi_event_handler(); 5.2 to 10.0).  An event that
was received opened its window before it was received, so a window is surely closed one second
after the last event of its key arrived.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

#: Length of a window, in seconds, and what is added for the timer to be noticed.
WINDOW_S = 1.0
MARGIN_S = 0.02
#: When so many keys are known, those whose windows are closed are forgotten.
MANY_KEYS = 512


class Windows:
    """When each key's window is surely closed, by this machine's monotonic clock."""

    def __init__(self) -> None:
        self._closed_at: dict[str, float] = {}

    def opened(self, key: str, received_s: float) -> None:
        """An event with ``key`` was received."""
        if key:
            closed = received_s + WINDOW_S + MARGIN_S
            self._closed_at[key] = max(closed, self._closed_at.get(key, 0.0))
            if len(self._closed_at) > MANY_KEYS:
                now = time.monotonic()
                self._closed_at = {k: at for k, at in self._closed_at.items() if at > now}

    def wait_s(self, keys: Iterable[str]) -> float:
        """Seconds until the windows of all ``keys`` are closed; 0 when they are."""
        now = time.monotonic()
        return max((self._closed_at.get(key, 0.0) - now for key in keys), default=0.0)

    def wait_all_s(self) -> float:
        """Seconds until every window is closed."""
        return max(0.0, self.wait_s(self._closed_at))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for events that QEMU's rate limiter holds, by a clock that the tests turn."""

from __future__ import annotations

import asyncio

import pytest

from qsim.target import limiter
from qsim.target.limiter import MANY_KEYS, MARGIN_S, WINDOW_S, Windows, closed

KEY = "QUORUM_REPORT_BAD c0"


class Clock:
    """Monotonic time that passes only when somebody says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(limiter.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(limiter.asyncio, "sleep", self.sleep)

    async def sleep(self, delay_s: float) -> None:
        self.now += delay_s


class Limited:
    """A process that holds an event until its window's end, of which we hear some time later."""

    def __init__(self, clock: Clock, windows: Windows, ends_s: float, late_s: float) -> None:
        self.clock = clock
        self.windows = windows
        self.ends_s = ends_s
        self.late_s = late_s
        self.received = 0
        self.turns = 0

    async def timers_ran(self) -> None:
        self.turns += 1
        if not self.received and self.clock.now >= self.ends_s:
            self.received += 1
            self.windows.opened(KEY, self.clock.now)
        # Whoever waits here is woken only now.
        self.clock.now += self.late_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def wait(clock: Clock, opened_s: float, late_s: float) -> Limited:
    """Wait for a window that was opened at ``opened_s`` and holds an event."""
    windows = Windows()
    windows.opened(KEY, opened_s)
    process = Limited(clock, windows, opened_s + WINDOW_S, late_s)
    asyncio.run(closed(process, windows, lambda: [KEY]))
    assert windows.wait_s([KEY]) <= 0
    return process


@pytest.mark.parametrize("late_s", [0.0, 0.001, MARGIN_S, 0.05, 0.5, 2.0])
@pytest.mark.parametrize("since_s", [0.0, 0.5, 0.98, 0.999, 1.0, 1.019, 1.5])
def test_a_held_event_is_there_however_late_we_look_at_the_clock(
    clock: Clock, since_s: float, late_s: float
) -> None:
    assert wait(clock, clock.now - since_s, late_s).received == 1


def test_a_window_that_ends_between_the_timers_and_our_look_at_the_clock_is_waited_for(
    clock: Clock,
) -> None:
    """Once in 88,500 cases the second of two like events was missed."""
    process = wait(clock, clock.now - WINDOW_S + 0.01, late_s=0.05)
    assert process.received == 1


def test_a_window_that_is_over_costs_one_turn(clock: Clock) -> None:
    windows = Windows()
    windows.opened(KEY, clock.now - 2 * WINDOW_S)
    process = Limited(clock, windows, float("inf"), 0.001)
    asyncio.run(closed(process, windows, lambda: [KEY]))
    assert process.turns == 1


def test_keys_are_asked_for_again_each_time(clock: Clock) -> None:
    """What was held may be an event of a key that nobody knew of."""
    windows = Windows()
    windows.opened("a", clock.now)
    asked: list[float] = []

    def keys() -> list[str]:
        asked.append(clock.now)
        if len(asked) == 1:
            windows.opened("b", clock.now + 3.0)
        return ["a", "b"]

    process = Limited(clock, windows, float("inf"), 0.0)
    asyncio.run(closed(process, windows, keys))
    assert clock.now >= 100.0 + 3.0 + WINDOW_S


def test_a_window_is_not_forgotten_as_soon_as_it_is_over(clock: Clock) -> None:
    windows = Windows()
    windows.opened(KEY, clock.now)
    clock.now += WINDOW_S + MARGIN_S + 0.1
    for i in range(MANY_KEYS + 1):
        windows.opened(f"other {i}", clock.now)
    assert windows.known([KEY])
    assert not windows.known(["never seen"])

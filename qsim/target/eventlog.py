# SPDX-License-Identifier: GPL-2.0-or-later
"""The events of one process, as they came, for as long as somebody may still ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WireEvent:
    """An event as it came: when QEMU made it (seconds) and when we got it (monotonic)."""

    message: dict[str, Any]
    emitted_s: float
    received_s: float

    @property
    def name(self) -> str:
        """The event's QAPI name."""
        return str(self.message["event"])

    @property
    def data(self) -> dict[str, Any]:
        """The event's data, an empty object when it has none."""
        data = self.message.get("data", {})
        assert isinstance(data, dict)
        return data


class EventLog:
    """Events in the order they came.  A mark is a place between two of them, and stays valid."""

    def __init__(self) -> None:
        self._forgotten = 0
        self._events: list[WireEvent] = []

    def append(self, event: WireEvent) -> None:
        """An event came."""
        self._events.append(event)

    def mark(self) -> int:
        """The place behind the last event."""
        return self._forgotten + len(self._events)

    def since(self, mark: int) -> list[WireEvent]:
        """What came after ``mark``, which must not be forgotten yet."""
        assert mark >= self._forgotten, f"events before {self._forgotten} are gone, not {mark}"
        return self._events[mark - self._forgotten :]

    def forget(self, mark: int) -> None:
        """Nobody will ask for events before ``mark`` any more."""
        if mark > self._forgotten:
            del self._events[: mark - self._forgotten]
            self._forgotten = mark

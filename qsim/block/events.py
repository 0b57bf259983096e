# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP events as the driver emits them, before QEMU's rate limiter sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """One event: its QAPI name and its data, sorted by member so that events compare."""

    name: str
    data: tuple[tuple[str, Any], ...]

    @classmethod
    def of(cls, name: str, data: dict[str, Any]) -> Event:
        """An event from its data object."""
        return cls(name, tuple(sorted(data.items())))

    def get(self, member: str) -> Any:
        """The value of a member, None when it is absent."""
        return dict(self.data).get(member)

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.data)])


def limiter_key(event: Event) -> str:
    """Which of QEMU's rate limiter's windows an event falls in; "" for an unlimited event.

    QUORUM_REPORT_BAD is limited per node name, QUORUM_FAILURE for the whole process
    (monitor/monitor.c monitor_qapi_event_conf, qapi_event_throttle_equal, 7.2).
    """
    match event.name:
        case "QUORUM_REPORT_BAD":
            return f"{event.name} {event.get('node-name')}"
        case "QUORUM_FAILURE":
            return event.name
    return ""

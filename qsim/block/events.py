# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP events as the driver emits them, before QEMU's rate limiter sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qsim.block.errno import errno_of

#: The members of an event in the order its short form has them; an error text comes last.
#: A report of 2014 does not say what failed.
SHORT_FORMS = {
    "QUORUM_REPORT_BAD": (
        ("type", "node-name", "sector-num", "sectors-count"),
        ("node-name", "sector-num", "sectors-count"),
    ),
    "QUORUM_FAILURE": (("reference", "sector-num", "sectors-count"),),
    "BLOCK_JOB_READY": (("device",),),
    "BLOCK_JOB_COMPLETED": (("device",),),
    "BLOCK_JOB_CANCELLED": (("device",),),
    "BLOCK_JOB_ERROR": (("device", "operation", "action"),),
}

#: Of a job's events only these members and the error are looked at: how much it has done by then
#: depends on its pace.
JOB_EVENTS = {name: forms[0] for name, forms in SHORT_FORMS.items() if name.startswith("BLOCK_JOB")}
#: The events with which a job is gone.
JOB_ENDS = ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED")


@dataclass(frozen=True)
class Event:
    """One event: its QAPI name and its data, sorted by member so that events compare.

    :param after: how many completions of its step came before it, None where that is not seen.
    """

    name: str
    data: tuple[tuple[str, Any], ...]
    after: int | None = field(default=None, compare=False)

    @classmethod
    def of(cls, name: str, data: dict[str, Any], after: int | None = None) -> Event:
        """An event from its data object."""
        return cls(name, tuple(sorted(data.items())), after)

    @classmethod
    def seen(cls, name: str, data: dict[str, Any], after: int | None = None) -> Event:
        """An event as far as scenarios look at it."""
        members = JOB_EVENTS.get(name)
        if members is not None:
            data = {key: value for key, value in data.items() if key in (*members, "error")}
        return cls.of(name, data, after)

    def get(self, member: str) -> Any:
        """The value of a member, None when it is absent."""
        return dict(self.data).get(member)

    def __str__(self) -> str:
        """As a scenario writes it; members in full where that has no short form."""
        data = dict(self.data)
        given = data.keys() - {"error"}
        order = [form for form in SHORT_FORMS.get(self.name, ()) if set(form) == given]
        error = errno_of(str(data["error"])) if "error" in data else ""
        if not order or error is None:
            return " ".join([self.name, *(f"{key}={value}" for key, value in self.data)])
        return " ".join([self.name, *(str(data[key]) or '""' for key in order[0]), error]).strip()


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


def limiter_key_2014(event: Event) -> str:
    """The same up to 2.4: one window for each kind of event (monitor.c, a9db86b223)."""
    return event.name if limiter_key(event) else ""

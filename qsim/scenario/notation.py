# SPDX-License-Identifier: GPL-2.0-or-later
"""The short forms for requests, events, faults and extents.

``c0 read 0 512``, ``c1 write-zeroes 0 4096 fua no-hole``, ``all flush`` (every child of the
quorum), rounds joined by commas; ``QUORUM_REPORT_BAD read c0 0 1 EIO``, ``QUORUM_FAILURE q 0 1``;
``QUORUM_REPORT_BAD c0 0 1 EIO`` as it was in 2014, without what failed;
``BLOCK_JOB_READY j``, ``BLOCK_JOB_COMPLETED j EIO``, ``BLOCK_JOB_ERROR j write report``;
``EIO``, ``read EIO``, ``write ENOSPC x2``, ``read dies``; ``data 4096``, ``zero 512``.
"""

from __future__ import annotations

import re

from qsim.block.child import FLAGS, OPS, Fault, Request
from qsim.block.errno import NBD_ERRNOS, TABLE, number, strerror
from qsim.block.events import JOB_EVENTS, Event
from qsim.block.stage import StopAfter


def parse_round(text: str, children: list[str], everyone: list[str]) -> tuple[Request, ...]:
    """One round of requests, children in the scenario's order; bytes written are not named.

    :param children: the names there are, in order.
    :param everyone: whom ``all`` stands for.
    :raise ValueError: for a word that does not fit.
    """
    requests: list[Request] = []
    for part in text.split(","):
        words = part.split()
        if len(words) < 2:
            raise ValueError(f"{part.strip()!r} is no request; write e.g. c0 read 0 512")
        who, op, *rest = words
        if op not in OPS:
            raise ValueError(f"{op!r} is no operation; there are: {', '.join(OPS)}")
        if who != "all" and who not in children:
            raise ValueError(f"{who!r} is no child; there are: {', '.join(children)}")
        offset = bytes_ = 0
        if op != "flush":
            if len(rest) < 2 or not (rest[0].isdigit() and rest[1].isdigit()):
                raise ValueError(f"{part.strip()!r} needs an offset and a number of bytes")
            offset, bytes_ = int(rest[0]), int(rest[1])
            rest = rest[2:]
        for flag in rest:
            if flag not in FLAGS:
                raise ValueError(f"{flag!r} is no request flag; there are: {', '.join(FLAGS)}")
        flags = tuple(flag for flag in FLAGS if flag in rest)
        for name in everyone if who == "all" else [who]:
            requests.append(Request(name, op, offset, bytes_, flags))
    rank = {name: i for i, name in enumerate(children)}
    return tuple(sorted(requests, key=lambda request: rank[request.child]))


def parse_event(text: str) -> Event:
    """An event.

    :raise ValueError: for an unknown one, or missing or superfluous words.
    """
    name, *words = (word.replace('""', "") for word in text.split() or [""])
    numbers = [int(word) for word in words if word.isdigit()]
    old_form = len(words) in (3, 4) and len(numbers) == 2 and words[1].isdigit()
    if name == "QUORUM_REPORT_BAD" and old_form:
        old: dict[str, object] = {
            "node-name": words[0],
            "sector-num": numbers[0],
            "sectors-count": numbers[1],
        }
        if len(words) == 4:
            old["error"] = _event_error(words[3])
        return Event.of(name, old)
    if name == "QUORUM_REPORT_BAD" and len(words) in (4, 5) and len(numbers) == 2:
        data: dict[str, object] = {
            "type": words[0],
            "node-name": words[1],
            "sector-num": numbers[0],
            "sectors-count": numbers[1],
        }
        if len(words) == 5:
            data["error"] = _event_error(words[4])
        return Event.of(name, data)
    if name == "QUORUM_FAILURE" and len(words) == 3 and len(numbers) == 2:
        return Event.of(
            name,
            {"reference": words[0], "sector-num": numbers[0], "sectors-count": numbers[1]},
        )
    if name in JOB_EVENTS:
        return _job_event(text, name, words)
    raise ValueError(
        f"{text!r} is no event; write QUORUM_REPORT_BAD TYPE NODE SECTOR SECTORS [ERRNO] "
        "or QUORUM_FAILURE NODE SECTOR SECTORS, or of a job "
        f"{', '.join(JOB_EVENTS)} JOB"
    )


def _job_event(text: str, name: str, words: list[str]) -> Event:
    """An event of a block job, which may say why it failed."""
    members = JOB_EVENTS[name]
    failed = name == "BLOCK_JOB_COMPLETED" and len(words) == len(members) + 1
    if len(words) != len(members) + failed:
        form = " ".join([name, "JOB", *(member.upper() for member in members[1:])])
        more = " [ERRNO]" if name == "BLOCK_JOB_COMPLETED" else ""
        raise ValueError(f"{text!r} is not the event; write {form}{more}")
    data: dict[str, object] = dict(zip(members, words, strict=False))
    if failed:
        data["error"] = _event_error(words[-1])
    return Event.of(name, data)


_FAULT = re.compile(
    r"(?:(?P<op>[a-z-]+) )?(?P<what>E[A-Z]+|dies)"
    r"(?: at (?P<start>\d+) (?P<bytes>\d+))?(?: x(?P<count>\d+))?(?: after (?P<skip>\d+))?"
)


def parse_fault(text: str) -> Fault:
    """A fault: ``[OP] ERRNO|dies [at OFFSET BYTES] [xCOUNT] [after SKIPPED]``.

    :raise ValueError: for a text of another form, or an errno no NBD child can report.
    """
    match = _FAULT.fullmatch(text)
    op = match["op"] if match else None
    if not match or op == "dies" or (op is not None and op not in ("any", *OPS)):
        raise ValueError(
            f"{text!r} is no fault; write e.g. EIO, read EIO, write ENOSPC x2, "
            "read EIO at 0 512, or read dies"
        )
    start = int(match["start"] or 0)
    return Fault(
        op=op or "any",
        errno=0 if match["what"] == "dies" else _errno(match["what"]),
        start=start,
        end=start + int(match["bytes"]) if match["bytes"] else None,
        count=int(match["count"]) if match["count"] else None,
        skip=int(match["skip"] or 0),
        dead=match["what"] == "dies",
    )


def parse_stop_after(text: str) -> StopAfter:
    """The completion a step ends with: ``s0 write``, ``s0 write x2``.

    :raise ValueError: for an operation there is not.
    """
    child, op, *count = text.split()
    if op not in OPS:
        raise ValueError(f"{op!r} is no operation; there are: {', '.join(OPS)}")
    return StopAfter(child, op, int(count[0][1:]) if count else 1)


def _event_error(name: str) -> str:
    """The text of an error an event can carry: any, not only those of NBD."""
    if name not in TABLE:
        raise ValueError(f"{name!r} is no errno; there are: {', '.join(TABLE)}")
    return strerror(number(name))


def _errno(name: str) -> int:
    if name not in TABLE:
        raise ValueError(f"{name!r} is no errno; NBD children can report {', '.join(NBD_ERRNOS)}")
    if name not in NBD_ERRNOS:
        raise ValueError(
            f"{name} would arrive as EINVAL; NBD children can report {', '.join(NBD_ERRNOS)}"
        )
    return number(name)


def parse_extent(text: str) -> tuple[str, int]:
    """A block status: ``data 4096`` or ``zero 512``.

    :raise ValueError: for anything else.
    """
    match = re.fullmatch(r"(data|zero) (\d+)", text)
    if not match:
        raise ValueError(f"{text!r} is no extent; write e.g. data 4096 or zero 512")
    return match[1], int(match[2])

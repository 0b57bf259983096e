# SPDX-License-Identifier: GPL-2.0-or-later
"""A scenario in terms of image files, blkdebug rules, qemu-io commands and QMP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qsim.block.child import Fault
from qsim.block.errno import number, strerror
from qsim.block.events import Event
from qsim.block.flags import BDRV_SECTOR_SIZE
from qsim.block.sparse import Sparse
from qsim.export.counted import counted
from qsim.export.reach import check
from qsim.fuzz.expecting import expecting
from qsim.outcome import Outcome
from qsim.scenario.case import Case, Step

#: blkdebug's words for what a fault is of; "any" needs none.
IOTYPES = {
    "read": "read",
    "write": "write",
    "write-zeroes": "write-zeroes",
    "discard": "discard",
    "flush": "flush",
    "block-status": "block-status",
}


@dataclass(frozen=True)
class Fill:
    """``bytes`` times ``byte`` at ``offset``."""

    offset: int
    bytes: int
    byte: int


@dataclass(frozen=True)
class Image:
    """A child: a raw file, and the blkdebug rules over it."""

    name: str
    size: int
    fills: tuple[Fill, ...]
    rules: tuple[dict[str, Any], ...]
    ends: tuple[Fill, ...]

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.img"

    def node(self, path: str) -> dict[str, Any]:
        """Its block node, with its file at ``path``."""
        file = {"driver": "file", "filename": path}
        if not self.rules:
            return {**file, "node-name": self.name}
        rules = list(self.rules)
        return {"driver": "blkdebug", "node-name": self.name, "image": file, "inject-error": rules}


@dataclass(frozen=True)
class Act:
    """One thing done: a qemu-io command on the export, or a QMP command.

    :param error: the text of the errno it fails with, or of QMP's error; "" for success.
    :param error_class: of QMP's error.
    """

    label: str
    io: str = ""
    command: str = ""
    arguments: dict[str, Any] | None = None
    bytes: int = 0
    offset: int = 0
    error: str = ""
    error_class: str = ""
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All of it.

    :param options: the quorum node's.
    :param error: class and text of the error that it cannot be opened with.
    """

    case: Case
    images: tuple[Image, ...]
    options: dict[str, Any]
    error: tuple[str, str] | None
    acts: tuple[Act, ...]


def plan(case: Case, outcome: Outcome) -> Plan:
    """The plan of ``case``, in which must be seen what ``outcome`` shows.

    :raise BeyondReach: when files and blkdebug cannot express it.
    """
    case = counted(case, outcome)
    expected = expecting(case, outcome)
    check(expected)
    error = expected.opening.expect.error if expected.opening.expect else None
    ends = outcome.contents or {}
    reached = expected.steps[: max(0, len(outcome.steps) - 1)]
    return Plan(
        expected,
        tuple(
            Image(
                name,
                len(spec.content.data),
                tuple(_fills(spec.content.data)),
                tuple(_rules(spec.faults)),
                tuple(_fills(ends.get(name, spec.content.data))),
            )
            for name, spec in case.children.items()
        ),
        dict(case.options or {}),
        error,
        tuple(map(_act, reached)),
    )


def _fills(data: Sparse) -> Iterator[Fill]:
    at = 0
    for byte, length in data.runs():
        yield Fill(at, length, byte)
        at += length


def _rules(faults: tuple[Fault, ...]) -> Iterator[dict[str, Any]]:
    for fault in faults:
        rule: dict[str, Any] = {"event": "none", "errno": fault.errno}
        if fault.op != "any":
            rule["iotype"] = IOTYPES[fault.op]
        if fault.end is not None:
            for sector in range(fault.start // BDRV_SECTOR_SIZE, fault.end // BDRV_SECTOR_SIZE):
                yield {**rule, "sector": sector}
        elif fault.count is not None:
            yield from [{**rule, "once": True}] * fault.count
        else:
            yield rule


def _act(step: Step) -> Act:
    expect = step.expect
    assert expect is not None
    events = tuple(expect.events)
    if step.verb == "qmp":
        kind, error = expect.error or ("", "")
        return Act(
            str(step), "", step.command, step.arguments,
            error=error, error_class=kind, events=events,
        )  # fmt: skip
    failed = expect.ret not in ("0", None)
    error = strerror(number(str(expect.ret))) if failed else ""
    return Act(
        str(step), _io(step), bytes=step.bytes, offset=step.offset, error=error, events=events
    )


def _io(step: Step) -> str:
    """The step as a command of qemu-io."""
    place = f"{step.offset} {step.bytes}"
    switches = " -f" if "fua" in step.flags else ""
    match step.verb:
        case "read":
            data = step.expect.data if step.expect else None
            return f"read -P 0x{data[0]:02x} {place}" if data else f"read {place}"
        case "write":
            assert step.data is not None
            return f"write{switches} -P 0x{step.data[0]:02x} {place}"
        case "write-zeroes":
            switches += "" if "no-hole" in step.flags else " -u"
            switches += " -n" if "fast-zero" in step.flags else ""
            return f"write -z{switches} {place}"
        case "discard":
            return f"discard {place}"
    return "flush"


#: What ``iotests.filter_qemu_io()`` makes of the times that qemu-io prints.
STATISTICS = "X ops; XX:XX:XX.X (XXX YYY/sec and XXX ops/sec)"
_DONE = {"read": "read", "write": "wrote", "discard": "discard"}


def printed(act: Act) -> list[str]:
    """What qemu-io prints of a request: of a flush nothing, whatever becomes of it."""
    verb = act.io.partition(" ")[0]
    if verb not in _DONE:
        return []
    if act.error:
        return [f"{verb} failed: {act.error}"]
    done = f"{_DONE[verb]} {act.bytes}/{act.bytes} bytes at offset {act.offset}"
    return [done, f"{size_text(act.bytes)}, {STATISTICS}"]


def size_text(count: int) -> str:
    """A number of bytes as qemu-io prints it (cvtstr())."""
    for power, unit in ((6, "EiB"), (5, "PiB"), (4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1 << (10 * power):
            value = f"{count / (1 << (10 * power)):.3f}".removesuffix(".000")
            return f"{value} {unit}"
    return f"{count} bytes"

# SPDX-License-Identifier: GPL-2.0-or-later
"""The scripted child: bytes, faults and held requests, the same object for model and QEMU.

The model submits requests to it in process; a real QEMU reaches it through the NBD server in
:mod:`qsim.target.nbd_server`.  A request has its effect when it is *completed*, not when it is
submitted, so that whoever holds the schedule also decides the order of effects.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

#: Operations a child can be asked for, by the name a scenario uses.
OPS = ("read", "write", "write-zeroes", "flush", "block-status", "discard")

#: Flags a child request can carry: what is left of QEMU's BDRV_REQ_* on the NBD wire, by the
#: name the NBD protocol gives it.
FLAGS = ("fua", "no-hole", "fast-zero")

#: What a child offers unless the scenario says otherwise (NBD transmission flags and contexts).
FEATURES = ("flush", "fua", "write-zeroes", "fast-zero", "trim", "block-status")


@dataclass(frozen=True)
class Request:
    """One request as a child receives it.  ``offset`` and ``bytes`` are in bytes."""

    child: str
    op: str
    offset: int = 0
    bytes: int = 0
    flags: tuple[str, ...] = ()
    data: builtins.bytes | None = None

    def __str__(self) -> str:
        words = [self.child, self.op]
        if self.op != "flush":
            words += [str(self.offset), str(self.bytes)]
        return " ".join([*words, *self.flags])


@dataclass(frozen=True)
class Extent:
    """One block status extent: ``bytes`` long; what NBD's base:allocation says of it."""

    bytes: int
    hole: bool
    zero: bool


@dataclass(frozen=True)
class Reply:
    """What a child answers: ``errno`` 0 is success; ``dead`` means the connection is closed."""

    errno: int = 0
    data: bytes = b""
    extent: Extent | None = None
    dead: bool = False


@dataclass
class Fault:
    """Fails requests of ``op`` ("any" for all) that touch ``[start, end)``, ``count`` times.

    ``count`` None is a lasting fault.  ``errno`` 0 with ``dead`` set kills the connection.
    ``skip`` lets that many matching requests pass first.
    """

    op: str
    errno: int
    start: int = 0
    end: int | None = None
    count: int | None = None
    skip: int = 0
    dead: bool = False

    def copy(self) -> Fault:
        """The same fault with a count of its own."""
        return replace(self)

    def matches(self, request: Request) -> bool:
        """Whether this fault applies to ``request`` now (a flush touches every range)."""
        if self.count == 0 or self.op not in ("any", request.op):
            return False
        if request.op == "flush":
            return True
        last = request.offset + request.bytes
        return last > self.start and (self.end is None or request.offset < self.end)


@dataclass
class ScriptedChild:
    """A child under full control.

    :param name: the node's name in the scenario.
    :param contents: its bytes; the length is the child's size.
    :param block_size: the request alignment it states, in bytes.
    :param features: a subset of :data:`FEATURES`.
    """

    name: str
    contents: bytearray
    block_size: int = 1
    features: frozenset[str] = frozenset(FEATURES)
    read_only: bool = False
    holes: list[tuple[int, int]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    dead: bool = False

    @property
    def size(self) -> int:
        """The child's size in bytes."""
        return len(self.contents)

    def complete(self, request: Request) -> Reply:
        """Carry ``request`` out, or fail it as a fault says, and return the answer."""
        for fault in self.faults:
            if not fault.matches(request):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.count is not None:
                fault.count -= 1
            if fault.dead:
                self.dead = True
                return Reply(dead=True)
            return Reply(errno=fault.errno)
        start, end = request.offset, request.offset + request.bytes
        match request.op:
            case "read":
                return Reply(data=bytes(self.contents[start:end]))
            case "write":
                assert request.data is not None and len(request.data) == request.bytes
                self.contents[start:end] = request.data
                self._fill(start, end)
            case "write-zeroes":
                self.contents[start:end] = bytes(request.bytes)
                self._fill(start, end)
                if "no-hole" not in request.flags:
                    self.holes.append((start, end))
            case "discard":
                self.contents[start:end] = bytes(request.bytes)
                self._fill(start, end)
                self.holes.append((start, end))
            case "block-status":
                return Reply(extent=self.status(start, request.bytes))
        return Reply()

    def status(self, offset: int, bytes_: int) -> Extent:
        """The extent at ``offset``: a hole reads as zeroes, everything else is data."""
        for start, end in self._holes():
            if start <= offset < end:
                return Extent(min(end - offset, bytes_), hole=True, zero=True)
            if offset < start:
                return Extent(min(start - offset, bytes_), hole=False, zero=False)
        return Extent(bytes_, hole=False, zero=False)

    def _holes(self) -> Iterator[tuple[int, int]]:
        """The holes, in order, neighbours merged."""
        merged: list[tuple[int, int]] = []
        for start, end in sorted(self.holes):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return iter(merged)

    def _fill(self, start: int, end: int) -> None:
        """``[start, end)`` is no hole any more."""
        kept: list[tuple[int, int]] = []
        for a, b in self.holes:
            if a < start:
                kept.append((a, min(b, start)))
            if b > end:
                kept.append((max(a, end), b))
        self.holes = [(a, b) for a, b in kept if a < b]

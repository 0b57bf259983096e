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

from qsim.block.sparse import Sparse

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
class Hole:
    """A part of a child that block status answers otherwise than with data.

    ``hole`` and ``zero`` are the two flags of NBD's base:allocation; the bytes are the child's.
    """

    start: int
    end: int
    hole: bool = True
    zero: bool = True


@dataclass(frozen=True)
class Extent:
    """One block status extent: ``bytes`` long; what NBD's base:allocation says of it."""

    bytes: int
    hole: bool
    zero: bool


def extent_kind(hole: bool, zero: bool) -> str:
    """What an extent is called; a part that reads as zeroes is commonly a hole too."""
    return {
        (False, False): "data",
        (True, True): "zero",
        (False, True): "allocated-zero",
        (True, False): "unallocated",
    }[hole, zero]


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
    :param contents: its bytes; their number is the child's size.
    :param holes: the parts that block status does not call plain data.
    :param block_size: the request alignment it states, in bytes.
    :param features: a subset of :data:`FEATURES`.
    """

    name: str
    contents: Sparse
    block_size: int = 1
    features: frozenset[str] = frozenset(FEATURES)
    read_only: bool = False
    holes: list[Hole] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    #: Those of the step that runs, which come first and end with it.
    step_faults: list[Fault] = field(default_factory=list)
    dead: bool = False

    @property
    def size(self) -> int:
        """The child's size in bytes."""
        return len(self.contents)

    def fault_of(self, request: Request) -> Fault | None:
        """The fault that ``request`` would fail by."""
        every = (*self.step_faults, *self.faults)
        matching = (fault for fault in every if fault.matches(request))
        return next((fault for fault in matching if not fault.skip), None)

    def complete(self, request: Request) -> Reply:
        """Carry ``request`` out, or fail it as a fault says, and return the answer."""
        for fault in (*self.step_faults, *self.faults):
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
                return Reply(data=self.contents.read(start, end))
            case "write":
                assert request.data is not None and len(request.data) == request.bytes
                self.contents.write(start, request.data)
                self._fill(start, end)
            case "write-zeroes":
                self.contents.zero(start, end)
                self._fill(start, end)
                if "no-hole" not in request.flags:
                    self.holes.append(Hole(start, end))
            case "discard":
                self.contents.zero(start, end)
                self._fill(start, end)
                self.holes.append(Hole(start, end))
            case "block-status":
                return Reply(extent=self.status(start, request.bytes))
        return Reply()

    def status(self, offset: int, bytes_: int) -> Extent:
        """The extent at ``offset``, not beyond ``bytes_``."""
        for part in self._parts():
            if part.start <= offset < part.end:
                return Extent(min(part.end - offset, bytes_), part.hole, part.zero)
            if offset < part.start:
                return Extent(min(part.start - offset, bytes_), hole=False, zero=False)
        return Extent(bytes_, hole=False, zero=False)

    def _parts(self) -> Iterator[Hole]:
        """The holes, in order, neighbours of one kind merged."""
        last: Hole | None = None
        for part in sorted(self.holes, key=lambda part: part.start):
            if last and part.start <= last.end and (part.hole, part.zero) == (last.hole, last.zero):
                last = replace(last, end=max(part.end, last.end))
            else:
                if last:
                    yield last
                last = part
        if last:
            yield last

    def _fill(self, start: int, end: int) -> None:
        """``[start, end)`` is plain data from now on."""
        kept: list[Hole] = []
        for part in self.holes:
            if part.start < start:
                kept.append(replace(part, end=min(part.end, start)))
            if part.end > end:
                kept.append(replace(part, start=max(part.start, end)))
        self.holes = [part for part in kept if part.start < part.end]

# SPDX-License-Identifier: GPL-2.0-or-later
"""What state a run is in, as a number: equal exactly when everything reachable from it is.

The run is walked as it stands, without knowing the driver: the Python frames between the model's
loop and the point of decision, the coroutines with the place each stands at and its locals, and
all objects these lead to, each numbered when it is first met.  So two runs are in one state when
no continuation could tell them apart.  Left out is what is written and never read again: the
story, the events, the schedule.
"""

from __future__ import annotations

import hashlib
import marshal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from types import (
    BuiltinFunctionType,
    CellType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
)
from typing import Any

from qsim.block.aio import AioContext
from qsim.block.child import ScriptedChild
from qsim.block.events import Event
from qsim.block.memory import Ledger
from qsim.block.node import World
from qsim.block.sparse import Sparse
from qsim.block.stage import Stage
from qsim.outcome import Outcome, StepOutcome
from qsim.quorum.revisions import Revision
from qsim.scenario.case import Case, Step
from qsim.target.model import Run

#: Values that stand for themselves.
_ATOMS = frozenset({int, str, bytes, bool, float, complex, type(None)})
#: What does not change in a run, or is only written.
_STATIC = (
    Case, Step, Revision, Outcome, StepOutcome, Event, type, ModuleType, BuiltinFunctionType,
)  # fmt: skip

#: Modules whose functions and objects the model only calls.
_OURS = ("qsim.explore.search", "qsim.explore.paths")

#: Of these objects only this is looked at.
_PARTS: Mapping[type, Callable[[Any], Iterable[Any]]] = {
    Run: lambda run: (run.stage, run.world, run.guest, run.replies, run.early),
    Stage: lambda stage: (stage.children, stage.held),
    World: lambda world: (world.ledger, world.aio),
    AioContext: lambda aio: (aio.bhs, aio.callers),
    # Its keys are addresses.
    Ledger: lambda ledger: tuple(ledger.blocks.values()),
    Sparse: lambda sparse: (sparse.size, sparse.fill, sparse.pages()),
    ScriptedChild: lambda child: (
        child.name, child.contents, list(child.holes), child.faults, child.step_faults,
        child.dead,
    ),
}  # fmt: skip


def state_of(extra: object = ()) -> bytes:
    """The state of the run whose decision this is called from.

    :param extra: what else makes the difference.
    """
    walk = _Walk()
    frame: FrameType | None = sys._getframe(1)
    # Up to the model's loop: what lies beyond is the explorer's.
    while frame is not None and not _is_model(frame):
        frame = frame.f_back
    while frame is not None and _is_model(frame):
        walk.frame(frame)
        frame = frame.f_back
    walk.visit(extra)
    return walk.digest()


def run_of() -> Run:
    """The run whose decision this is called from."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        found = frame.f_locals.get("self")
        if isinstance(found, Run):
            return found
        frame = frame.f_back
    raise AssertionError("not called from a run")


def _is_model(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return name.startswith("qsim.") and not name.startswith("qsim.explore")


class _Walk:
    """One walk; ``tokens`` is what it met, in order."""

    def __init__(self) -> None:
        self.tokens: list[Any] = []
        self.numbers: dict[int, int] = {}
        # An object that is gone would leave its address to another.
        self.alive: list[object] = []

    def digest(self) -> bytes:
        """The tokens as 16 bytes.  Version 2 of marshal does not depend on reference counts."""
        return hashlib.blake2b(marshal.dumps(self.tokens, 2), digest_size=16).digest()

    def frame(self, frame: FrameType) -> None:
        """A function that is under way: where it stands, and its locals."""
        self.tokens += (frame.f_code.co_qualname, frame.f_lasti)
        for name, value in frame.f_locals.items():
            self.tokens.append(name)
            self.visit(value)

    def visit(self, value: Any) -> None:
        """An object, and all it leads to."""
        kind = type(value)
        tokens = self.tokens
        if kind in _ATOMS:
            tokens.append(value)
            return
        if isinstance(value, _STATIC):
            return
        number = self.numbers.get(id(value))
        if number is not None:
            tokens += ("@", number)
            return
        self.numbers[id(value)] = len(self.numbers)
        self.alive.append(value)
        tokens.append(kind.__qualname__)
        parts = _PARTS.get(kind)
        if parts is not None:
            for part in parts(value):
                self.visit(part)
        elif isinstance(value, bytearray):
            tokens.append(bytes(value))
        elif isinstance(value, Enum):
            tokens.append(value.value)
        elif isinstance(value, (list, tuple, deque)):
            tokens.append(len(value))
            for item in value:
                self.visit(item)
        elif isinstance(value, Mapping):
            tokens.append(len(value))
            for key, item in value.items():
                self.visit(key)
                self.visit(item)
        elif isinstance(value, (set, frozenset)):
            tokens.append(sorted(map(str, value)))
        elif isinstance(value, (CoroutineType, GeneratorType)):
            self._suspended(value)
        elif getattr(value, "__module__", "") in _OURS:
            # Who decides is not a part of what is decided about.
            return
        elif isinstance(value, FunctionType):
            tokens.append(value.__qualname__)
            self.visit(value.__closure__)
            self.visit(value.__defaults__)
        elif isinstance(value, MethodType):
            tokens.append(value.__qualname__)
            self.visit(value.__self__)
        elif isinstance(value, partial):
            self.visit((value.func, value.args, value.keywords))
        elif isinstance(value, CellType):
            self.visit(_content(value))
        else:
            self._fields(value)

    def _suspended(self, value: Any) -> None:
        """A coroutine: where it stands, its locals, and what it waits in."""
        if isinstance(value, CoroutineType):
            frame, inner = value.cr_frame, value.cr_await
        else:
            frame, inner = value.gi_frame, value.gi_yieldfrom
        if frame is not None:
            self.frame(frame)
        self.visit(inner)

    def _fields(self, value: Any) -> None:
        fields = getattr(value, "__dict__", None)
        if fields is None:
            # What Python makes of an await: nothing of its own.
            return
        self.tokens.append(len(fields))
        for name, item in fields.items():
            self.tokens.append(name)
            self.visit(item)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # Not set yet.
        return None

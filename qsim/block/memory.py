# SPDX-License-Identifier: GPL-2.0-or-later
"""A ledger of C's heap, and C's structs and arrays on it.

A block is allocated zeroed or not, and freed once; a struct's field holds a value or was never
given one; an array has so many elements.  What C leaves undefined (a null pointer followed, an
index past an array, a value never given, memory used after it was freed, freed twice or never
allocated) ends the run with :class:`Undefined`, which says the kind, the C function and the field:
what the C program does from there on is anybody's guess, so the model does not guess.

The ledger knows nothing of the driver that uses it.  The C function is the Python function that
re-tells it: they have the same name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: Modules whose functions stand for a plain access in C, not for a function of it.
_PLUMBING = ("qsim.block.memory", "qsim.block.iovec", "qsim.block.coroutine")


def _c_functions(frame: FrameType | None) -> list[str]:
    """The innermost two C functions being re-told, innermost first."""
    names: list[str] = []
    while frame is not None and len(names) < 2:
        module = str(frame.f_globals.get("__name__", ""))
        name = frame.f_code.co_name
        told = module.startswith(("qsim.block.", "qsim.quorum.")) and module not in _PLUMBING
        # Methods are the model's own, C's functions are functions here.
        method = frame.f_code.co_varnames[:1] == ("self",)
        if told and not method and not name.startswith(("<", "_")):
            names.append(name)
        frame = frame.f_back
    return names


class Undefined(BaseException):
    """From here on, C's behaviour is undefined.

    Not an :class:`Exception`: nothing in the model may catch it but the target that runs it.

    :param kind: e.g. "null dereference", "use after free".
    :param field: the expression in C, e.g. ``acb->qcrs[1].aiocb``.
    """

    def __init__(self, kind: str, field: str) -> None:
        self.kind = kind
        self.field = field
        self.functions = _c_functions(sys._getframe(1))
        where = " from ".join(f"{name}()" for name in self.functions)
        super().__init__(f"{kind} in {where or 'the harness'}: {field}")


@dataclass(eq=False)
class Block:
    """One allocation: ``what`` names it as the C code would, e.g. ``acb->qcrs[1].buf``.

    ``unset`` marks with 1 each byte that was never given a value; None when all were.
    """

    what: str
    data: bytearray
    where: str = ""
    freed: bool = False
    unset: bytearray | None = None


@dataclass
class Ledger:
    """All blocks of one run that are still allocated."""

    blocks: dict[int, Block] = field(default_factory=dict)

    def alloc(self, what: str, size: int = 0, zeroed: bool = True) -> Block:
        """g_new0(), or g_malloc() and qemu_blockalign() with ``zeroed`` False."""
        functions = _c_functions(sys._getframe(1))
        block = Block(what, bytearray(size), functions[0] if functions else "")
        if not zeroed:
            block.unset = bytearray(b"\1" * size)
        self.blocks[id(block)] = block
        return block

    def free(self, block: Block | None) -> None:
        """g_free()/qemu_vfree(): freeing NULL does nothing, as in C.

        :raise Undefined: when it is free already, or was never allocated.
        """
        if block is None:
            return
        if block.freed:
            raise Undefined("double free", block.what)
        if self.blocks.pop(id(block), None) is None:
            raise Undefined("free of what was never allocated", block.what)
        block.freed = True

    def use(self, block: Block, end: int = 0, what: str = "") -> Block:
        """A read or write through a pointer to ``block``, up to byte ``end`` of it.

        :raise Undefined: when it was freed or is not that long.
        """
        if block.freed:
            raise Undefined("use after free", what or block.what)
        if end > len(block.data):
            raise Undefined("out of bounds", what or block.what)
        return block

    def leaks(self) -> list[str]:
        """What is still allocated, and by whom; called when nothing may be."""
        return [f"{block.what} of {block.where}()" for block in self.blocks.values()]


class Struct:
    """A C struct in a block of the ledger.  Subclasses list its fields as :class:`Field`.

    :param path: how C writes a pointer to it or the struct itself, with the operator that
        follows: ``acb->``, ``acb->qcrs[0].``.
    """

    def __init__(self, ledger: Ledger, home: Block, path: str, zeroed: bool) -> None:
        self.ledger = ledger
        self.home = home
        self.path = path
        self.zeroed = zeroed
        self.values: dict[str, Any] = {}


class Field(Generic[T]):
    """A field of a :class:`Struct`; ``zero`` is what zeroed memory means for its type.

    A field of memory that is never zeroed needs none.
    """

    def __init__(self, zero: Any = None) -> None:
        self.zero = zero
        self.name = ""

    def __set_name__(self, owner: type[Struct], name: str) -> None:
        self.name = name

    def __get__(self, obj: Struct, owner: type[Struct]) -> T:
        what = obj.path + self.name
        obj.ledger.use(obj.home, what=what)
        if self.name in obj.values:
            value: T = obj.values[self.name]
            return value
        if not obj.zeroed:
            raise Undefined("use of what was never initialised", what)
        nothing: T = self.zero
        return nothing

    def __set__(self, obj: Struct, value: T) -> None:
        obj.ledger.use(obj.home, what=obj.path + self.name)
        obj.values[self.name] = value


class Array(Generic[T]):
    """A C array of structs in one block: g_new0() of ``length`` elements.

    :param make: makes element ``i`` in the array's block; called when it is first used.
    """

    def __init__(self, ledger: Ledger, path: str, length: int, make: Callable[[Block, int], T]):
        self.ledger = ledger
        self.path = path
        self.length = length
        self.home = ledger.alloc(path)
        self._make = make
        self._elements: dict[int, T] = {}

    def __getitem__(self, i: int) -> T:
        what = f"{self.path}[{i}]"
        self.ledger.use(self.home, what=what)
        if not 0 <= i < self.length:
            raise Undefined("out of bounds", what)
        if i not in self._elements:
            self._elements[i] = self._make(self.home, i)
        return self._elements[i]

    def free(self) -> None:
        """g_free() of the array."""
        self.ledger.free(self.home)


def deref(pointer: T | None, what: str) -> T:
    """Follow a pointer that may be NULL; ``what`` is the expression in C.

    :raise Undefined: when it is NULL.
    """
    if pointer is None:
        raise Undefined("null dereference", what)
    return pointer

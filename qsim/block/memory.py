# SPDX-License-Identifier: GPL-2.0-or-later
"""A ledger of C's heap: what is allocated, freed, freed twice, used after free, or leaked.

The ledger knows nothing of the driver that uses it.  A violation is a fact of the run, reported
in its outcome with the kind and the name of the block; it is not an exception, because the C
program would go on with a corrupted heap.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Block:
    """One allocation: ``what`` names it as the C code would, e.g. ``qcrs[1].buf``."""

    what: str
    data: bytearray
    freed: bool = False


@dataclass(frozen=True)
class Violation:
    """One misuse of memory: ``kind`` is double-free, use-after-free, out-of-bounds or leak."""

    kind: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.what}"


@dataclass
class Ledger:
    """All blocks of one run and what was done wrong with them."""

    blocks: list[Block] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    def alloc(self, what: str, size: int = 0) -> Block:
        """g_new0()/qemu_blockalign(): a new block of ``size`` bytes."""
        block = Block(what, bytearray(size))
        self.blocks.append(block)
        return block

    def free(self, block: Block | None) -> None:
        """g_free()/qemu_vfree(): freeing NULL does nothing, as in C."""
        if block is None:
            return
        if block.freed:
            self.violations.append(Violation("double-free", block.what))
        else:
            block.freed = True
            self.blocks.remove(block)

    def use(self, block: Block, end: int = 0) -> Block:
        """A read or write through a pointer to ``block``, up to byte ``end`` of it."""
        if block.freed:
            self.violations.append(Violation("use-after-free", block.what))
        if end > len(block.data):
            self.violations.append(Violation("out-of-bounds", block.what))
        return block

    def leaks(self) -> list[Violation]:
        """What is still allocated; called when nothing may be."""
        return [Violation("leak", block.what) for block in self.blocks]

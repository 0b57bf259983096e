# SPDX-License-Identifier: GPL-2.0-or-later
"""The ledger of the heap."""

from __future__ import annotations

import pytest

from qsim.block.iovec import qemu_iovec_init_buf
from qsim.block.memory import Ledger, Violation


def test_what_is_allocated_used_and_freed_is_no_violation() -> None:
    ledger = Ledger()
    block = ledger.alloc("buf", 4)
    assert ledger.use(block).data == bytes(4)
    ledger.free(block)
    assert (ledger.violations, ledger.leaks()) == ([], [])


def test_freeing_null_does_nothing() -> None:
    ledger = Ledger()
    ledger.free(None)
    assert (ledger.violations, ledger.leaks()) == ([], [])


def test_double_free_is_noted_each_time() -> None:
    ledger = Ledger()
    block = ledger.alloc("acb")
    for _ in range(3):
        ledger.free(block)
    assert ledger.violations == [Violation("double-free", "acb")] * 2


def test_use_after_free_is_noted_and_the_run_goes_on() -> None:
    ledger = Ledger()
    block = ledger.alloc("qcrs[1].buf", 1)
    ledger.free(block)
    assert ledger.use(block) is block
    assert [str(one) for one in ledger.violations] == ["use-after-free of qcrs[1].buf"]


def test_what_is_not_freed_leaks() -> None:
    ledger = Ledger()
    first, second, third = (ledger.alloc(name) for name in ("a", "b", "c"))
    ledger.free(second)
    assert [str(one) for one in ledger.leaks()] == ["leak of a", "leak of c"]
    ledger.free(first)
    ledger.free(third)
    assert ledger.leaks() == []


def test_blocks_that_look_alike_are_told_apart() -> None:
    ledger = Ledger()
    first, second = ledger.alloc("buf", 1), ledger.alloc("buf", 1)
    ledger.free(second)
    ledger.use(first)
    assert ledger.violations == []
    ledger.use(second)
    assert ledger.violations == [Violation("use-after-free", "buf")]
    assert ledger.blocks == [first]


@pytest.mark.parametrize("access", ["read", "write"])
def test_access_beyond_a_block_is_noted(access: str) -> None:
    ledger = Ledger()
    qiov = qemu_iovec_init_buf(ledger, ledger.alloc("buf", 4), 2, 4)
    if access == "read":
        qiov.to_bytes()
    else:
        qiov.from_bytes(bytes(4))
    assert [one.kind for one in ledger.violations] == ["out-of-bounds"]

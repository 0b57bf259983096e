# SPDX-License-Identifier: GPL-2.0-or-later
"""The ledger of the heap: what C leaves undefined, and who is said to have done it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qsim.block.aio import BlockDriverAIOCB, bdrv_aio_cancel, qemu_aio_release
from qsim.block.iovec import qemu_iovec_init_buf
from qsim.block.memory import Array, Block, Field, Ledger, Struct, Undefined, deref
from qsim.quorum.vote import QuorumVotes, quorum_count_vote, quorum_free_vote_list

#: A C file re-told: its functions have the names of C's, all else in it is the model's own.
EXAMPLE = """
def inner(run):
    return run()

def outer(run):
    return inner(run)

def outermost(run):
    return outer(run)

def _helper(run):
    return inner(run)

class Node:
    def method(self, run):
        return [_helper(one) for one in [run]][0]

def through_the_model(run):
    return (lambda: Node().method(run))()

async def entry(run):
    return inner(run)
"""


def retold(module: str = "qsim.quorum.example") -> dict[str, Any]:
    """The functions of the example, as if they stood in ``module``."""
    namespace: dict[str, Any] = {"__name__": module}
    exec(EXAMPLE, namespace)
    return namespace


def undefined(run: Callable[[], object]) -> Undefined:
    """What ends ``run``."""
    with pytest.raises(Undefined) as caught:
        run()
    return caught.value


def kind_and_field(run: Callable[[], object]) -> tuple[str, str]:
    """The kind and the field of what ends ``run``."""
    end = undefined(run)
    return end.kind, end.field


class Point(Struct):
    """A struct with two fields; ``name`` has no meaning when zeroed."""

    x: Field[int] = Field(0)
    next: Field[Point | None] = Field(None)


def point(ledger: Ledger, zeroed: bool = True) -> Point:
    """A point of its own."""
    return Point(ledger, ledger.alloc("p"), "p->", zeroed)


def points(ledger: Ledger, length: int = 3) -> Array[Point]:
    """An array of points in one block."""
    return Array(
        ledger, "s->points", length, lambda home, i: Point(ledger, home, f"s->points[{i}].", True)
    )


# Blocks.


def test_what_is_allocated_used_and_freed_is_no_violation() -> None:
    ledger = Ledger()
    block = ledger.alloc("buf", 4)
    assert ledger.use(block).data == bytes(4)
    assert ledger.use(block, 4) is block
    ledger.free(block)
    assert ledger.leaks() == []


def test_freeing_null_does_nothing() -> None:
    ledger = Ledger()
    ledger.free(None)
    assert ledger.leaks() == []


def test_double_free_is_undefined_each_time() -> None:
    ledger = Ledger()
    block = ledger.alloc("acb")
    ledger.free(block)
    for _ in range(2):
        assert kind_and_field(lambda: ledger.free(block)) == ("double free", "acb")


def test_free_of_what_was_never_allocated_is_undefined() -> None:
    stranger = Block("on the stack", bytearray(4))
    assert kind_and_field(lambda: Ledger().free(stranger)) == (
        "free of what was never allocated",
        "on the stack",
    )
    assert not stranger.freed


def test_block_of_another_heap_was_never_allocated_here() -> None:
    ours, theirs = Ledger(), Ledger()
    block = theirs.alloc("buf")
    assert undefined(lambda: ours.free(block)).kind == "free of what was never allocated"
    theirs.free(block)


def test_use_after_free_is_undefined_whatever_is_used() -> None:
    ledger = Ledger()
    block = ledger.alloc("qcrs[1].buf", 1)
    ledger.free(block)
    assert kind_and_field(lambda: ledger.use(block)) == ("use after free", "qcrs[1].buf")
    assert kind_and_field(lambda: ledger.use(block, what="p->x")) == ("use after free", "p->x")
    # That it is gone is said before how long it was.
    assert undefined(lambda: ledger.use(block, 2)).kind == "use after free"


@pytest.mark.parametrize("access", ["read", "write"])
def test_access_beyond_a_block_is_undefined(access: str) -> None:
    ledger = Ledger()
    qiov = qemu_iovec_init_buf(ledger, ledger.alloc("buf", 4), 2, 4)
    run = qiov.to_bytes if access == "read" else lambda: qiov.from_bytes(bytes(4))
    assert kind_and_field(run) == ("out of bounds", "buf")


def test_access_up_to_the_end_of_a_block_is_none() -> None:
    ledger = Ledger()
    block = ledger.alloc("buf", 4)
    qemu_iovec_init_buf(ledger, block, 2, 2).from_bytes(b"ab")
    assert block.data == b"\0\0ab"


def test_blocks_that_look_alike_are_told_apart() -> None:
    ledger = Ledger()
    first, second = ledger.alloc("buf", 1), ledger.alloc("buf", 1)
    ledger.free(second)
    ledger.use(first)
    assert undefined(lambda: ledger.use(second)).kind == "use after free"
    assert list(ledger.blocks.values()) == [first]


def test_null_that_is_followed_is_undefined_and_other_pointers_are_followed() -> None:
    assert kind_and_field(lambda: deref(None, "acb->bs")) == ("null dereference", "acb->bs")
    nothing: list[int] = []
    assert deref(nothing, "acb->bs") is nothing
    assert deref(0, "n") == 0


def test_nothing_that_handles_exceptions_handles_undefined_behaviour() -> None:
    assert not issubclass(Undefined, Exception)


# Memory never given a value.


def test_zeroed_memory_has_a_value_and_other_memory_has_none() -> None:
    ledger = Ledger()
    zeroed = qemu_iovec_init_buf(ledger, ledger.alloc("a", 4), 0, 4)
    found = qemu_iovec_init_buf(ledger, ledger.alloc("b", 4, zeroed=False), 0, 4)
    assert zeroed.to_bytes() == bytes(4)
    assert kind_and_field(found.to_bytes) == ("use of what was never initialised", "b")


def test_one_byte_never_set_is_enough_and_only_where_it_is() -> None:
    ledger = Ledger()
    block = ledger.alloc("b", 4, zeroed=False)
    qemu_iovec_init_buf(ledger, block, 0, 3).from_bytes(b"abc")
    assert qemu_iovec_init_buf(ledger, block, 0, 3).to_bytes() == b"abc"
    whole = qemu_iovec_init_buf(ledger, block, 0, 4)
    assert undefined(whole.to_bytes).kind == "use of what was never initialised"


def test_copying_bytes_never_set_is_harmless_and_using_the_copy_is_not() -> None:
    ledger = Ledger()
    source = qemu_iovec_init_buf(ledger, ledger.alloc("source", 4, zeroed=False), 0, 4)
    dest = qemu_iovec_init_buf(ledger, ledger.alloc("dest", 4), 0, 4)
    dest.copy_element(0, source)
    assert kind_and_field(dest.to_bytes) == ("use of what was never initialised", "dest")


# Structs and arrays.


def test_field_of_zeroed_memory_is_zero_until_it_is_set() -> None:
    one = point(Ledger())
    assert (one.x, one.next) == (0, None)
    one.x = 7
    one.next = one
    assert (one.x, one.next) == (7, one)


def test_field_of_other_memory_is_undefined_until_it_is_set() -> None:
    one = point(Ledger(), zeroed=False)
    assert kind_and_field(lambda: one.x) == ("use of what was never initialised", "p->x")
    one.x = 0
    assert one.x == 0
    assert kind_and_field(lambda: one.next) == ("use of what was never initialised", "p->next")


def test_structs_of_a_kind_do_not_share_their_fields() -> None:
    ledger = Ledger()
    first, second = point(ledger), point(ledger)
    first.x = 1
    assert second.x == 0


@pytest.mark.parametrize("access", ["read", "write"])
def test_field_of_freed_memory_is_undefined_and_named(access: str) -> None:
    one = point(Ledger())
    one.x = 1
    one.ledger.free(one.home)

    def write() -> None:
        one.x = 2

    run = write if access == "write" else lambda: one.x
    assert kind_and_field(run) == ("use after free", "p->x")


def test_elements_keep_what_they_were_given_each_for_itself() -> None:
    array = points(Ledger())
    array[1].x = 5
    assert [array[i].x for i in range(3)] == [0, 5, 0]
    assert array[1] is array[1]


@pytest.mark.parametrize("i", [-1, 3, 4])
def test_element_an_array_does_not_have_is_undefined(i: int) -> None:
    array = points(Ledger())
    assert kind_and_field(lambda: array[i]) == ("out of bounds", f"s->points[{i}]")


def test_array_and_its_elements_are_one_block() -> None:
    ledger = Ledger()
    array = points(ledger)
    element = array[1]
    array.free()
    assert ledger.leaks() == []
    assert kind_and_field(lambda: array[1]) == ("use after free", "s->points[1]")
    assert kind_and_field(lambda: element.x) == ("use after free", "s->points[1].x")
    assert kind_and_field(array.free) == ("double free", "s->points")


# Who did it.


def test_functions_named_are_the_one_that_tells_c_again_and_its_caller() -> None:
    example = retold()

    def run() -> None:
        deref(None, "p->x")

    assert str(undefined(lambda: example["inner"](run))) == "null dereference in inner(): p->x"
    assert (
        str(undefined(lambda: example["outer"](run)))
        == "null dereference in inner() from outer(): p->x"
    )
    assert undefined(lambda: example["outermost"](run)).functions == ["inner", "outer"]


def test_what_is_the_models_own_is_no_c_function() -> None:
    example = retold("qsim.block.example")
    one = point(Ledger(), zeroed=False)
    end = undefined(lambda: example["through_the_model"](lambda: one.x))
    assert end.functions == ["inner", "through_the_model"]


@pytest.mark.parametrize("module", ["qsim.target.example", "qsim.block.iovec", "tests.example"])
def test_functions_of_other_modules_are_no_c_functions(module: str) -> None:
    end = undefined(lambda: retold(module)["outer"](lambda: deref(None, "p->x")))
    assert str(end) == "null dereference in the harness: p->x"


def test_coroutine_that_runs_is_a_c_function_with_a_caller() -> None:
    example = retold()
    body = example["entry"](lambda: deref(None, "p->x"))
    end = undefined(lambda: example["outer"](lambda: body.send(None)))
    assert end.functions == ["inner", "entry"]


def test_real_functions_are_named() -> None:
    assert (
        str(undefined(lambda: bdrv_aio_cancel(None)))
        == "null dereference in bdrv_aio_cancel(): acb->aiocb_info"
    )
    ledger = Ledger()
    acb = BlockDriverAIOCB(ledger, ledger.alloc("acb", zeroed=False), "acb->", zeroed=False)
    assert (
        str(undefined(lambda: qemu_aio_release(acb)))
        == "use of what was never initialised in qemu_aio_release(): acb->refcnt"
    )


# Leaks.


def test_what_is_not_freed_leaks_and_says_who_allocated_it() -> None:
    ledger = Ledger()
    example = retold()
    first, second, third = (
        example[function](lambda name=name: ledger.alloc(name))
        for function, name in (("inner", "a"), ("outer", "b"), ("through_the_model", "c"))
    )
    ledger.free(second)
    assert ledger.leaks() == ["a of inner()", "c of inner()"]
    ledger.free(first)
    ledger.free(third)
    assert ledger.leaks() == []


def test_leak_names_the_function_that_allocates_not_its_caller() -> None:
    ledger = Ledger()
    votes = QuorumVotes(ledger)
    retold()["outer"](lambda: quorum_count_vote(votes, b"A", 0))
    assert ledger.leaks() == ["version of quorum_count_vote()", "item of quorum_count_vote()"]
    quorum_free_vote_list(votes)
    assert ledger.leaks() == []


def test_array_that_is_not_freed_leaks_once_whatever_its_length() -> None:
    ledger = Ledger()
    array = retold()["inner"](lambda: points(ledger, 5))
    for i in range(5):
        array[i].x = i
    assert ledger.leaks() == ["s->points of inner()"]

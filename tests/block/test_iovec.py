# SPDX-License-Identifier: GPL-2.0-or-later
"""I/O vectors over blocks of the ledger."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.block.iovec import (
    QEMUIOVector,
    qemu_iovec_clone,
    qemu_iovec_compare,
    qemu_iovec_destroy,
    qemu_iovec_init,
    qemu_iovec_init_buf,
    qemu_iovec_init_slice,
)
from qsim.block.memory import Ledger, Undefined


def vector(*elements: bytes) -> QEMUIOVector:
    """A vector with one block per element, each a byte longer than it on both sides."""
    qiov = QEMUIOVector(Ledger())
    for i, data in enumerate(elements):
        block = qiov.ledger.alloc(f"element {i}", len(data) + 2)
        block.data[1:-1] = data
        qiov.add(block, 1, len(data))
    return qiov


_ELEMENTS = st.lists(st.binary(max_size=6), max_size=5)


def test_vector_knows_its_elements_and_their_sum() -> None:
    qiov = vector(b"abc", b"", b"de")
    assert (qiov.niov, qiov.size, qiov.to_bytes()) == (3, 5, b"abcde")
    assert [qiov.element(i) for i in range(3)] == [b"abc", b"", b"de"]


@given(_ELEMENTS)
def test_bytes_go_in_and_come_out_element_by_element(elements: list[bytes]) -> None:
    qiov = vector(*(bytes(len(data)) for data in elements))
    qiov.from_bytes(b"".join(elements))
    assert [qiov.element(i) for i in range(qiov.niov)] == elements


def test_writing_an_element_leaves_its_surroundings() -> None:
    qiov = vector(b"abc")
    qiov.set_element(0, b"xyz")
    assert qiov.iov[0].block.data == b"\0xyz\0"


@pytest.mark.parametrize("data", [b"ab", b"abcd"])
def test_bytes_of_another_length_do_not_fit(data: bytes) -> None:
    with pytest.raises(AssertionError):
        vector(b"abc").from_bytes(data)
    with pytest.raises(AssertionError):
        vector(b"abc").set_element(0, data)


def test_vector_over_a_part_of_one_buffer() -> None:
    ledger = Ledger()
    block = ledger.alloc("buf", 4)
    block.data[:] = b"abcd"
    assert qemu_iovec_init_buf(ledger, block, 1, 2).to_bytes() == b"bc"


@given(_ELEMENTS, st.data())
def test_slice_is_a_part_of_the_bytes_and_shares_the_buffers(
    elements: list[bytes], draw: st.DataObject
) -> None:
    qiov = vector(*elements)
    offset = draw.draw(st.integers(min_value=0, max_value=qiov.size))
    length = draw.draw(st.integers(min_value=0, max_value=qiov.size - offset))
    part = qemu_iovec_init_slice(qiov, offset, length)
    assert part.to_bytes() == qiov.to_bytes()[offset : offset + length]
    assert all(iov.iov_len for iov in part.iov)
    part.from_bytes(b"#" * length)
    assert qiov.to_bytes()[offset : offset + length] == b"#" * length


@given(_ELEMENTS)
def test_clone_has_the_same_shape_over_one_other_buffer(elements: list[bytes]) -> None:
    qiov = vector(*elements)
    buf = qiov.ledger.alloc("clone", qiov.size)
    clone = qemu_iovec_clone(qiov, buf)
    assert [iov.iov_len for iov in clone.iov] == [len(data) for data in elements]
    clone.from_bytes(b"#" * clone.size)
    assert (bytes(buf.data), qiov.to_bytes()) == (b"#" * clone.size, b"".join(elements))


@pytest.mark.parametrize(
    ("left", "right", "offset"),
    [
        ((b"ab", b"cd"), (b"ab", b"cd"), -1),
        ((b"ab", b"cd"), (b"xb", b"cd"), 0),
        ((b"ab", b"cd"), (b"ab", b"cx"), 3),
        ((b"ab", b"cd"), (b"ax", b"xx"), 1),
        ((b"", b"cd"), (b"", b"cd"), -1),
        ((), (), -1),
    ],
)
def test_first_difference(left: tuple[bytes, ...], right: tuple[bytes, ...], offset: int) -> None:
    assert qemu_iovec_compare(vector(*left), vector(*right)) == offset


def test_only_vectors_of_one_shape_compare() -> None:
    with pytest.raises(AssertionError):
        qemu_iovec_compare(vector(b"ab"), vector(b"a", b"b"))
    with pytest.raises(AssertionError):
        qemu_iovec_compare(vector(b"ab", b"c"), vector(b"a", b"bc"))


def undefined(run: Callable[[], object]) -> tuple[str, str]:
    """The kind and the field of what ends ``run``."""
    with pytest.raises(Undefined) as caught:
        run()
    return caught.value.kind, caught.value.field


def test_use_of_a_freed_buffer_is_undefined() -> None:
    qiov = vector(b"ab")
    qiov.ledger.free(qiov.iov[0].block)
    assert undefined(qiov.to_bytes) == ("use after free", "element 0")
    assert undefined(lambda: qiov.from_bytes(b"cd")) == ("use after free", "element 0")
    assert undefined(lambda: qiov.set_element(0, b"cd")) == ("use after free", "element 0")


@pytest.mark.parametrize("side", ["source", "destination"])
def test_copy_from_or_to_a_freed_buffer_is_undefined(side: str) -> None:
    source, dest = vector(b"ab"), vector(b"..")
    gone = source if side == "source" else dest
    gone.ledger.free(gone.iov[0].block)
    assert undefined(lambda: dest.copy_element(0, source)) == ("use after free", "element 0")


def test_element_past_the_end_of_its_buffer_is_out_of_bounds() -> None:
    ledger = Ledger()
    short = qemu_iovec_init_buf(ledger, ledger.alloc("buf", 4), 3, 2)
    assert undefined(short.to_bytes) == ("out of bounds", "buf")
    assert undefined(lambda: vector(b"ab").copy_element(0, short)) == ("out of bounds", "buf")


# Bytes that were never given a value.


def raw(*lengths: int) -> QEMUIOVector:
    """A vector of memory as it is found: one block, one element for each of ``lengths``."""
    qiov = QEMUIOVector(Ledger())
    block = qiov.ledger.alloc("raw", sum(lengths), zeroed=False)
    for i, length in enumerate(lengths):
        qiov.add(block, sum(lengths[:i]), length)
    return qiov


UNSET = ("use of what was never initialised", "raw")


def test_what_was_never_set_can_be_counted_but_not_looked_at() -> None:
    qiov = raw(2, 3)
    assert (qiov.niov, qiov.size) == (2, 5)
    assert undefined(qiov.to_bytes) == UNSET
    assert undefined(lambda: qemu_iovec_compare(qiov, vector(b"ab", b"cde"))) == UNSET
    assert undefined(lambda: qemu_iovec_compare(vector(b"ab", b"cde"), qiov)) == UNSET


def test_element_that_was_set_can_be_looked_at_and_its_neighbour_cannot() -> None:
    qiov = raw(2, 3, 1)
    qiov.set_element(1, b"abc")
    assert qiov.element(1) == b"abc"
    assert undefined(lambda: qiov.element(0)) == UNSET
    assert undefined(lambda: qiov.element(2)) == UNSET


def test_element_without_bytes_has_none_that_were_never_set() -> None:
    assert raw(0, 2).element(0) == b""


@given(_ELEMENTS)
def test_setting_everything_leaves_nothing_unset(elements: list[bytes]) -> None:
    qiov = raw(*map(len, elements))
    qiov.from_bytes(b"".join(elements))
    assert qiov.to_bytes() == b"".join(elements)


@given(_ELEMENTS)
def test_copy_has_the_bytes_whatever_was_there_before(elements: list[bytes]) -> None:
    source = vector(*elements)
    for dest in (vector(*(bytes(len(data)) for data in elements)), raw(*map(len, elements))):
        for i in range(source.niov):
            dest.copy_element(i, source)
        assert dest.to_bytes() == source.to_bytes() == b"".join(elements)


def test_copying_what_was_never_set_is_harmless_and_the_copy_is_unset_too() -> None:
    source, dest = raw(2, 2), vector(b"ab", b"cd")
    source.set_element(1, b"yz")
    for i in range(2):
        dest.copy_element(i, source)
    assert undefined(lambda: dest.element(0)) == (UNSET[0], "element 0")
    assert dest.element(1) == b"yz"


def test_copy_of_what_was_never_set_spoils_no_byte_beside_it() -> None:
    ledger = Ledger()
    block = ledger.alloc("buf", 4)
    block.data[:] = b"abcd"
    middle = qemu_iovec_init_buf(ledger, block, 1, 2)
    middle.copy_element(0, raw(2))
    assert qemu_iovec_init_buf(ledger, block, 0, 1).to_bytes() == b"a"
    assert qemu_iovec_init_buf(ledger, block, 3, 1).to_bytes() == b"d"
    assert undefined(middle.to_bytes) == (UNSET[0], "buf")
    middle.set_element(0, b"BC")
    assert qemu_iovec_init_buf(ledger, block, 0, 4).to_bytes() == b"aBCd"


def test_copy_is_of_an_element_of_the_same_length_only() -> None:
    with pytest.raises(AssertionError):
        vector(b"abc").copy_element(0, vector(b"ab"))


# Where the struct and its array lie.


def test_struct_in_freed_memory_is_undefined_and_named() -> None:
    ledger = Ledger()
    home = ledger.alloc("acb->qcrs")
    qiov = QEMUIOVector(ledger, home=home, path="acb->qcrs[1].qiov")
    qiov.add(ledger.alloc("buf", 2), 0, 2)
    assert (qiov.niov, qiov.size) == (1, 2)
    ledger.free(home)
    runs: dict[str, Callable[[], object]] = {
        "niov": lambda: qiov.niov,
        "size": lambda: qiov.size,
        "iov": lambda: qiov.element(0),
    }
    for name, run in runs.items():
        assert undefined(run) == ("use after free", f"acb->qcrs[1].qiov.{name}")
    assert undefined(lambda: qiov.from_bytes(b"ab")) == ("use after free", "acb->qcrs[1].qiov.iov")
    assert undefined(lambda: qemu_iovec_destroy(qiov)) == ("use after free", "acb->qcrs[1].qiov")


def test_array_of_elements_lives_from_init_to_destroy() -> None:
    qiov = QEMUIOVector(Ledger(), path="acb->qcrs[0].qiov")
    qemu_iovec_init(qiov)
    assert [block.what for block in qiov.ledger.blocks.values()] == ["acb->qcrs[0].qiov.iov"]
    qemu_iovec_destroy(qiov)
    assert (qiov.niov, qiov.ledger.leaks()) == (0, [])


def test_array_that_was_never_made_or_is_gone_can_be_destroyed() -> None:
    qiov = QEMUIOVector(Ledger())
    qemu_iovec_destroy(qiov)
    qemu_iovec_init(qiov)
    for _ in range(2):
        qemu_iovec_destroy(qiov)
    assert qiov.ledger.leaks() == []


def test_use_of_elements_whose_array_was_freed_behind_their_back_is_undefined() -> None:
    qiov = QEMUIOVector(Ledger(), path="q")
    qemu_iovec_init(qiov)
    qiov.add(qiov.ledger.alloc("buf", 1), 0, 1)
    qiov.ledger.free(qiov.array)
    assert undefined(qiov.to_bytes) == ("use after free", "q.iov")
    assert undefined(lambda: qemu_iovec_destroy(qiov)) == ("double free", "q.iov")

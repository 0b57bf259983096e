# SPDX-License-Identifier: GPL-2.0-or-later
"""I/O vectors over blocks of the ledger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.block.iovec import (
    QEMUIOVector,
    qemu_iovec_clone,
    qemu_iovec_compare,
    qemu_iovec_init_buf,
    qemu_iovec_init_slice,
)
from qsim.block.memory import Ledger


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


def test_use_of_a_freed_buffer_is_noted() -> None:
    qiov = vector(b"ab")
    qiov.ledger.free(qiov.iov[0].block)
    qiov.to_bytes()
    qiov.from_bytes(b"cd")
    assert [str(one) for one in qiov.ledger.violations] == ["use-after-free of element 0"] * 2

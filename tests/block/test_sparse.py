# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes of a child, of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.block.sparse import PAGE, Sparse

SIZE = 2 * PAGE + 1000
#: Places where pages meet, and others.
PLACES = st.one_of(
    st.integers(min_value=0, max_value=SIZE),
    st.sampled_from([0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, SIZE - 1, SIZE]),
)
#: (start, byte, end) of a write of one repeated byte; 0 is written by zero().
WRITES = st.lists(st.tuples(PLACES, st.sampled_from([0, 65, 66]), PLACES), max_size=6)


def written(fill: int, writes: list[tuple[int, int, int]]) -> tuple[Sparse, bytes]:
    """The same writes on a Sparse and on plain bytes."""
    data, plain = Sparse(SIZE, fill), bytearray([fill]) * SIZE
    for start, byte, end in writes:
        first, last = min(start, end), max(start, end)
        if byte:
            data.write(first, bytes([byte]) * (last - first))
        else:
            data.zero(first, last)
        plain[first:last] = bytes([byte]) * (last - first)
    return data, bytes(plain)


def test_nothing_written_reads_as_the_fill() -> None:
    assert Sparse(10, 65).read(2, 5) == b"AAA"
    assert Sparse(10).read(0, 10) == bytes(10)


@given(st.sampled_from([0, 65]), WRITES, PLACES, PLACES)
def test_reads_what_was_written(
    fill: int, writes: list[tuple[int, int, int]], a: int, b: int
) -> None:
    data, plain = written(fill, writes)
    start, end = min(a, b), max(a, b)
    assert data.read(start, end) == plain[start:end]
    assert len(data) == SIZE


@given(st.sampled_from([0, 65]), WRITES)
def test_runs_are_the_bytes_and_as_few_as_can_be(
    fill: int, writes: list[tuple[int, int, int]]
) -> None:
    data, plain = written(fill, writes)
    runs = list(data.runs())
    assert b"".join(bytes([byte]) * length for byte, length in runs) == plain
    assert all(length > 0 for _, length in runs)
    assert all(a[0] != b[0] for a, b in zip(runs, runs[1:], strict=False))


@given(st.sampled_from([0, 65]), WRITES, st.sampled_from([0, 65]), WRITES)
def test_equal_are_those_with_equal_bytes_however_they_came_about(
    fill: int,
    writes: list[tuple[int, int, int]],
    other_fill: int,
    other_writes: list[tuple[int, int, int]],
) -> None:
    data, plain = written(fill, writes)
    other, other_plain = written(other_fill, other_writes)
    assert (data == other) == (plain == other_plain)
    assert data == Sparse.of(plain)
    assert Sparse.of(plain) == data


def test_unequal_are_those_of_another_size_or_type() -> None:
    assert Sparse(10) != Sparse(11)
    assert Sparse(1, 65) != b"A"


def test_copy_is_independent() -> None:
    data = Sparse.of(b"abc")
    copy = data.copy()
    copy.write(0, b"x")
    assert (data.read(0, 3), copy.read(0, 3)) == (b"abc", b"xbc")


@pytest.mark.parametrize(("start", "data"), [(8, b"abc"), (-1, b"a"), (11, b"")])
def test_write_must_fit(start: int, data: bytes) -> None:
    with pytest.raises(AssertionError):
        Sparse(10).write(start, data)


def test_contents_cannot_be_hashed_as_they_change() -> None:
    with pytest.raises(TypeError, match="cannot be hashed"):
        hash(Sparse(1))


def test_size_may_be_far_beyond_memory() -> None:
    data = Sparse(1 << 60, 65)
    data.write((1 << 60) - 1, b"z")
    assert list(data.runs()) == [(65, (1 << 60) - 1), (ord("z"), 1)]


def test_zeroing_zeroes_takes_no_memory() -> None:
    data = Sparse(1 << 30)
    data.zero(0, 64 << 20)
    assert not data._pages

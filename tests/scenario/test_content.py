# SPDX-License-Identifier: GPL-2.0-or-later
"""The short form for bytes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.block.child import Hole
from qsim.block.sparse import Sparse
from qsim.scenario.content import describe, parse_bytes, parse_content


def read(text: str | int, size: int) -> bytes:
    """The bytes a content stands for."""
    return parse_content(text, size).data.read(0, size)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", b"AAAA"),
        ("0x41", b"AAAA"),
        ("0xfF", b"\xff\xff\xff\xff"),
        ("é", b"\xe9\xe9\xe9\xe9"),
        (7, b"7777"),
        ("hex=00ff41FE", b"\x00\xff\x41\xfe"),
        ("hole", bytes(4)),
        ("zero", bytes(4)),
        ("unallocated", bytes(4)),
        ("A:1 B:2 C:1", b"ABBC"),
        ("A:1 B", b"ABBB"),
        ("A:4 B", b"AAAA"),
        ("A:0 B:4", b"BBBB"),
        ("  A:1   B ", b"ABBB"),
        ("hex=0102 A", b"\x01\x02AA"),
        ("A:1 hex=0102 A:1", b"A\x01\x02A"),
    ],
)
def test_filler_gives_its_bytes(text: str | int, expected: bytes) -> None:
    assert read(text, 4) == expected


def test_letters_that_begin_a_longer_filler_are_fillers_too() -> None:
    assert read("h:1 p:1 z:1 u:1 0:1 x:1", 6) == b"hpzu0x"


@pytest.mark.parametrize(
    ("number", "size"), [("4k", 4 << 10), ("1M", 1 << 20), ("6G", 6 << 30), ("2T", 2 << 40)]
)
def test_lengths_take_units(number: str, size: int) -> None:
    assert len(parse_content(f"A:{number}", size).data) == size
    assert parse_bytes(number) == size


def test_a_content_of_terabytes_is_not_kept_in_memory() -> None:
    data = parse_content("A:2T B:512", (2 << 40) + 512).data
    assert data.read((2 << 40) - 1, (2 << 40) + 1) == b"AB"


def test_pattern_depends_on_the_place_and_not_on_where_the_word_begins() -> None:
    whole = read("pat1", 1024)
    assert read("A:300 pat1", 1024)[300:] == whole[300:]
    assert len({whole[i : i + 16] for i in range(0, 1024, 16)}) == 64


def test_patterns_of_different_numbers_differ_at_every_place() -> None:
    for place in zip(*(read(f"pat{n}", 600) for n in range(10)), strict=True):
        assert len(set(place)) == 10


@pytest.mark.parametrize(
    ("filler", "hole", "zero"),
    [("hole", True, True), ("zero", False, True), ("unallocated", True, False)],
)
def test_block_status_fillers_are_remembered_with_their_flags(
    filler: str, hole: bool, zero: bool
) -> None:
    content = parse_content(f"A:512 {filler}:1k B", 4096)
    assert content.holes == (Hole(512, 1536, hole, zero),)


def test_data_leaves_no_hole() -> None:
    assert parse_content("A:512 pat1:512 hex=00 0x00", 4096).holes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AB", "'AB' is no content"),
        ("A: B", "'A:' is no content"),
        ("A:x", "'A:x' is no content"),
        ("A:-1", "'A:-1' is no content"),
        ("A:1K", "'A:1K' is no content"),
        ("pat", "'pat' is no content"),
        ("pat12", "'pat12' is no content"),
        ("0x4", "'0x4' is no content"),
        ("hex=0", "'hex=0' is no content"),
        ("hex=zz", "'hex=zz' is no content"),
        ("hex=", "'hex=' is no content"),
        ("A B:1", "'A' needs a length: only the last word takes the rest"),
        ("hole A", "'hole' needs a length"),
        ("A:3", "'A:3' is 3 bytes long, 4 are needed"),
        ("A:5", "'A:5' is 5 bytes long, 4 are needed"),
        ("A:3 B:2", "'A:3 B:2' is 5 bytes long, 4 are needed"),
        ("A:5 B", "'A:5 B' is 5 bytes long, 4 are needed"),
        ("hex=0102", "'hex=0102' is 2 bytes long, 4 are needed"),
        ("hex=0102030405", "'hex=0102030405' is 5 bytes long, 4 are needed"),
        ("", "'' is 0 bytes long, 4 are needed"),
        ("€", "'€' is not a single byte"),
    ],
)
def test_error_names_the_word_and_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        parse_content(text, 4)


def test_a_pattern_that_would_fill_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="pat1 over 17825792 bytes; a pattern takes at most 16M"):
        parse_content("pat1:17M A", 1 << 30)


def test_a_second_long_run_that_would_fill_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="17825792 bytes of 0x42 beside a longer part"):
        parse_content("A:1G B", (1 << 30) + (17 << 20))


@pytest.mark.parametrize("text", ["", "k", "1K", "1 k", "-1", "1.5k", "0x10", "1kk"])
def test_number_of_bytes_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no number of bytes; write e.g. 512, 64k or 1M"):
        parse_bytes(text)


def test_number_of_bytes_may_be_a_number() -> None:
    assert parse_bytes(513) == 513


_RUNS = st.lists(
    st.tuples(st.sampled_from("AZaz09"), st.integers(min_value=1, max_value=70_000)),
    min_size=1,
    max_size=8,
)


@given(_RUNS)
def test_description_of_few_runs_gives_the_bytes_back(runs: list[tuple[str, int]]) -> None:
    data = b"".join(letter.encode() * length for letter, length in runs)
    assert parse_content(describe(data), len(data)).data == Sparse.of(data)
    assert read(describe(Sparse.of(data)), len(data)) == data


@given(st.binary(min_size=1, max_size=8))
def test_description_of_any_few_bytes_gives_them_back(data: bytes) -> None:
    assert read(describe(data), len(data)) == data


@given(st.binary(min_size=40, max_size=60).filter(lambda data: len(set(data)) > 30))
def test_description_of_many_runs_is_their_beginning_and_the_length(data: bytes) -> None:
    assert describe(data) == f"hex={data[:16].hex()}… ({len(data)} bytes)"
    assert describe(Sparse.of(data)) == describe(data)


def test_description_of_no_bytes_is_a_word() -> None:
    assert describe(b"") == "nothing"


def test_description_joins_neighbours_and_keeps_terabytes_short() -> None:
    assert describe(Sparse(2 << 40, 65)) == "A:2199023255552"
    assert describe(b"AA\0\0!") == "A:2 0x00:2 0x21:1"


@given(_RUNS, st.booleans())
def test_words_stand_one_after_the_other(runs: list[tuple[str, int]], open_end: bool) -> None:
    words = [f"{letter}:{length}" for letter, length in runs]
    if open_end:
        words[-1] = runs[-1][0]
    data = b"".join(letter.encode() * length for letter, length in runs)
    assert read(" ".join(words), len(data)) == data

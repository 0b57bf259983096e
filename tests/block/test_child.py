# SPDX-License-Identifier: GPL-2.0-or-later
"""The scripted child: faults, effects and block status."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.block.child import Extent, Fault, Hole, Reply, Request, ScriptedChild
from qsim.block.sparse import Sparse

EIO, ENOSPC = 5, 28
SIZE = 4096


def child(*faults: Fault, holes: list[Hole] | None = None) -> ScriptedChild:
    """4096 bytes of A."""
    return ScriptedChild("c0", Sparse(SIZE, 65), holes=holes or [], faults=list(faults))


def ask(one: ScriptedChild, op: str, offset: int = 0, bytes_: int = 512, **more: object) -> Reply:
    """Complete one request; a write writes W."""
    data = b"W" * bytes_ if op == "write" else None
    return one.complete(Request("c0", op, offset, bytes_, data=data, **more))  # type: ignore[arg-type]


def errnos(one: ScriptedChild, op: str, times: int) -> list[int]:
    """The errnos of so many requests in a row."""
    return [ask(one, op).errno for _ in range(times)]


# Faults.


def test_lasting_fault_fails_every_request() -> None:
    assert errnos(child(Fault("any", EIO)), "read", 3) == [EIO] * 3


def test_fault_of_one_operation_leaves_the_others() -> None:
    one = child(Fault("write", EIO))
    assert [ask(one, op).errno for op in ("read", "write", "flush", "discard")] == [0, EIO, 0, 0]


def test_counted_fault_ends() -> None:
    assert errnos(child(Fault("read", EIO, count=2)), "read", 4) == [EIO, EIO, 0, 0]


def test_skipping_fault_begins_later() -> None:
    assert errnos(child(Fault("read", EIO, skip=2)), "read", 4) == [0, 0, EIO, EIO]


def test_skipping_and_counted_fault_is_one_window() -> None:
    assert errnos(child(Fault("read", EIO, skip=1, count=2)), "read", 5) == [0, EIO, EIO, 0, 0]


def test_requests_that_do_not_match_are_neither_counted_nor_skipped() -> None:
    one = child(Fault("read", EIO, skip=1, count=1))
    assert errnos(one, "flush", 3) == [0, 0, 0]
    assert errnos(one, "read", 3) == [0, EIO, 0]


def test_first_fault_that_matches_counts_and_the_next_when_it_is_used_up() -> None:
    one = child(Fault("read", ENOSPC, count=1), Fault("any", EIO))
    assert errnos(one, "read", 3) == [ENOSPC, EIO, EIO]


def test_fault_that_skips_lets_the_next_one_fail_the_request() -> None:
    one = child(Fault("read", ENOSPC, skip=1), Fault("read", EIO))
    assert errnos(one, "read", 3) == [EIO, ENOSPC, ENOSPC]


@pytest.mark.parametrize(
    ("offset", "bytes_", "errno"),
    [
        (0, 512, 0),
        (0, 513, EIO),
        (511, 1, 0),
        (512, 1, EIO),
        (1023, 1, EIO),
        (1024, 512, 0),
        (0, 4096, EIO),
    ],
)
def test_fault_of_a_range_fails_what_touches_it(offset: int, bytes_: int, errno: int) -> None:
    assert (
        ask(child(Fault("read", EIO, start=512, end=1024)), "read", offset, bytes_).errno == errno
    )


def test_flush_touches_every_range() -> None:
    one = child(Fault("any", EIO, start=512, end=1024))
    assert one.complete(Request("c0", "flush")).errno == EIO


@pytest.mark.parametrize("op", ["write", "write-zeroes", "discard"])
def test_failed_request_has_no_effect(op: str) -> None:
    one = child(Fault(op, EIO), holes=[Hole(0, 512)])
    ask(one, op)
    assert one.contents == Sparse(SIZE, 65)
    assert one.status(0, SIZE).hole


def test_deadly_fault_closes_the_connection_for_good() -> None:
    one = child(Fault("read", 0, dead=True))
    assert ask(one, "read") == Reply(dead=True)
    assert one.dead


def test_copies_of_a_fault_count_apart() -> None:
    fault = Fault("read", EIO, count=1)
    assert errnos(child(fault.copy()), "read", 2) == [EIO, 0]
    assert errnos(child(fault.copy()), "read", 2) == [EIO, 0]


@given(
    st.integers(min_value=0, max_value=5),
    st.integers(min_value=0, max_value=5),
)
def test_windows_of_faults_in_general(skip: int, count: int) -> None:
    seen = errnos(child(Fault("read", EIO, skip=skip, count=count)), "read", 12)
    window = [0] * skip + [EIO] * count
    assert seen == (window + [0] * 12)[:12] if count else seen == [0] * 12


# Effects.


def test_read_gives_the_bytes_of_its_range() -> None:
    one = child()
    one.contents.write(10, b"xyz")
    assert ask(one, "read", 9, 5).data == b"AxyzA"


def test_write_has_its_effect_when_it_is_completed() -> None:
    one = child()
    request = Request("c0", "write", 1, 2, data=b"xy")
    assert one.contents.read(0, 4) == b"AAAA"
    assert one.complete(request) == Reply()
    assert one.contents.read(0, 4) == b"AxyA"


@pytest.mark.parametrize("op", ["write-zeroes", "discard"])
def test_zeroing_zeroes_its_range_and_leaves_a_hole(op: str) -> None:
    one = child()
    ask(one, op, 512, 512)
    assert one.contents.read(511, 1025) == b"A" + bytes(512) + b"A"
    assert one.status(0, SIZE) == Extent(512, False, False)
    assert one.status(512, SIZE - 512) == Extent(512, True, True)


def test_zeroing_without_a_hole_leaves_data() -> None:
    one = child()
    ask(one, "write-zeroes", 512, 512, flags=("no-hole",))
    assert one.contents.read(512, 1024) == bytes(512)
    assert one.status(0, SIZE) == Extent(SIZE, False, False)


@pytest.mark.parametrize("op", ["flush", "read", "block-status"])
def test_looking_changes_nothing(op: str) -> None:
    one = child(holes=[Hole(0, 512)])
    ask(one, op)
    assert (one.contents, one.holes) == (Sparse(SIZE, 65), [Hole(0, 512)])


# Block status.


@pytest.mark.parametrize(("hole", "zero"), [(True, True), (False, True), (True, False)])
def test_status_has_the_flags_of_the_hole(hole: bool, zero: bool) -> None:
    one = child(holes=[Hole(512, 1024, hole, zero)])
    assert ask(one, "block-status", 512, 512).extent == Extent(512, hole, zero)


def test_status_ends_where_the_kind_changes_and_where_the_question_ends() -> None:
    one = child(holes=[Hole(1024, 2048)])
    assert one.status(0, SIZE) == Extent(1024, False, False)
    assert one.status(0, 10) == Extent(10, False, False)
    assert one.status(1500, SIZE) == Extent(548, True, True)
    assert one.status(1500, 10) == Extent(10, True, True)
    assert one.status(2048, 2048) == Extent(2048, False, False)


def test_neighbouring_holes_are_one_when_they_are_of_a_kind() -> None:
    one = child(holes=[Hole(512, 1024), Hole(0, 512), Hole(1024, 1536, False, True)])
    assert one.status(0, SIZE) == Extent(1024, True, True)
    assert one.status(1024, SIZE) == Extent(512, False, True)


def test_write_into_a_hole_makes_data_and_leaves_both_ends() -> None:
    one = child(holes=[Hole(0, 2048)])
    ask(one, "write", 512, 512)
    statuses = [one.status(at, SIZE - at) for at in (0, 512, 1024, 2048)]
    assert [(s.bytes, s.hole) for s in statuses] == [
        (512, True), (512, False), (1024, True), (2048, False)
    ]  # fmt: skip


_OPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write-zeroes", "discard", "no-hole"]),
        st.integers(min_value=0, max_value=15),
        st.integers(min_value=1, max_value=16),
    ),
    max_size=8,
)


@given(_OPS)
def test_status_is_that_of_the_last_change_of_every_byte(ops: list[tuple[str, int, int]]) -> None:
    one = ScriptedChild("c0", Sparse(16, 65), holes=[Hole(4, 8)])
    plain = [4 <= i < 8 for i in range(16)]
    for op, start, length in ops:
        end = min(16, start + length)
        flags = ("no-hole",) if op == "no-hole" else ()
        ask(one, "write-zeroes" if flags else op, start, end - start, flags=flags)
        plain[start:end] = [op in ("write-zeroes", "discard")] * (end - start)
    at = 0
    while at < 16:
        extent = one.status(at, 16 - at)
        assert plain[at : at + extent.bytes] == [extent.hole] * extent.bytes
        at += extent.bytes
        assert at == 16 or plain[at] != plain[at - 1]

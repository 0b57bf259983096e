# SPDX-License-Identifier: GPL-2.0-or-later
"""Votes and their ties: hand examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.block.iovec import QEMUIOVector, qemu_iovec_init_buf
from qsim.block.memory import Ledger, Undefined
from qsim.outcome import Outcome
from qsim.quorum.vote import (
    QuorumVotes,
    VoteValue,
    quorum_compute_hash,
    quorum_copy_qiov,
    quorum_count_vote,
    quorum_free_vote_list,
    quorum_get_vote_winner,
    quorum_iovec_compare,
)
from qsim.scenario import Case

Load = Callable[[str], list[Case]]
Play = Callable[[Case], Outcome]


def votes(values: Sequence[VoteValue]) -> QuorumVotes:
    """Child i votes for ``values[i]``."""
    cast = QuorumVotes(Ledger())
    for i, value in enumerate(values):
        quorum_count_vote(cast, value, i)
    return cast


def vector(*elements: bytes) -> QEMUIOVector:
    """A vector with one block."""
    ledger = Ledger()
    block = ledger.alloc("buf", sum(map(len, elements)))
    block.data[:] = b"".join(elements)
    qiov = QEMUIOVector(ledger)
    base = 0
    for data in elements:
        qiov.add(block, base, len(data))
        base += len(data)
    return qiov


@pytest.mark.parametrize(
    ("children", "winner", "index"),
    [
        ("A", "A", 0),
        ("AB", "B", 1),
        ("ABC", "C", 2),
        ("ABBA", "B", 1),
        ("ABAB", "B", 1),
        ("AABB", "B", 2),
        ("BAAB", "A", 1),
        ("ABCABC", "C", 2),
        ("AAB", "A", 0),
        ("ABB", "B", 1),
        ("ABA", "A", 0),
        ("CABBA", "B", 2),
    ],
)
def test_most_votes_win_and_a_tie_goes_to_the_version_first_seen_latest(
    children: str, winner: str, index: int
) -> None:
    won = quorum_get_vote_winner(votes([letter.encode() for letter in children]))
    assert (won.value, won.index) == (winner.encode(), index)
    assert won.vote_count == children.count(winner)


@given(st.text("ABC", min_size=1, max_size=8))
def test_winner_by_definition(children: str) -> None:
    most = max(children.count(letter) for letter in children)
    tied = [letter for letter in set(children) if children.count(letter) == most]
    won = quorum_get_vote_winner(votes([letter.encode() for letter in children]))
    assert won.value == max(tied, key=children.index).encode()


def test_errors_are_voted_on_like_data() -> None:
    assert quorum_get_vote_winner(votes([-5, -28, -5])).value == -5
    assert quorum_get_vote_winner(votes([-5, -28])).value == -28


def test_losers_come_version_by_version_the_latest_first_and_so_do_their_children() -> None:
    cast = votes([b"A", b"B", b"C", b"B", b"A", b"B"])
    assert list(cast.losers(b"B")) == [2, 4, 0]
    assert list(cast.losers(b"C")) == [5, 3, 1, 4, 0]


def test_nobody_loses_a_vote_without_dissent() -> None:
    assert list(votes([b"A", b"A"]).losers(b"A")) == []


def test_a_vote_without_voters_has_no_winner() -> None:
    with pytest.raises(AssertionError):
        quorum_get_vote_winner(QuorumVotes(Ledger()))


def test_a_vote_that_is_over_is_empty() -> None:
    cast = votes([b"A", b"B"])
    quorum_free_vote_list(cast)
    assert cast.vote_list == []


def test_a_vote_holds_memory_for_each_version_and_voter_until_it_is_over() -> None:
    cast = votes([b"A", b"B", b"A"])
    version, item = "version of quorum_count_vote()", "item of quorum_count_vote()"
    assert sorted(cast.ledger.leaks()) == [item, item, item, version, version]
    quorum_free_vote_list(cast)
    assert cast.ledger.leaks() == []
    quorum_free_vote_list(cast)


def test_hash_is_of_the_bytes_whatever_their_shape() -> None:
    assert quorum_compute_hash(vector(b"ab", b"c")) == quorum_compute_hash(vector(b"abc"))
    assert quorum_compute_hash(vector(b"abc")) != quorum_compute_hash(vector(b"abd"))
    assert quorum_compute_hash(vector(b"abc")).hex().startswith("ba7816bf")


def test_comparison_is_of_all_elements() -> None:
    assert quorum_iovec_compare(vector(b"ab", b"c"), vector(b"ab", b"c"))
    assert not quorum_iovec_compare(vector(b"ab", b"c"), vector(b"ab", b"d"))
    assert not quorum_iovec_compare(vector(b"ab", b"c"), vector(b"xb", b"c"))


def test_copy_takes_every_element_and_only_the_same_shape() -> None:
    dest = vector(b"..", b".")
    quorum_copy_qiov(dest, vector(b"ab", b"c"))
    assert dest.to_bytes() == b"abc"
    with pytest.raises(AssertionError):
        quorum_copy_qiov(dest, vector(b"abc"))
    with pytest.raises(AssertionError):
        quorum_copy_qiov(dest, qemu_iovec_init_buf(dest.ledger, dest.iov[0].block, 0, 2))


def test_a_vote_on_bytes_nobody_has_written_is_undefined_and_a_copy_of_them_is_not() -> None:
    ledger = Ledger()
    unread = qemu_iovec_init_buf(ledger, ledger.alloc("buf", 3, zeroed=False), 0, 3)
    uses: list[Callable[[], object]] = [
        lambda: quorum_compute_hash(unread),
        lambda: quorum_iovec_compare(unread, vector(b"abc")),
        lambda: quorum_iovec_compare(vector(b"abc"), unread),
    ]
    for use in uses:
        with pytest.raises(Undefined, match="use of what was never initialised"):
            use()
    quorum_copy_qiov(vector(b"..."), unread)


#: Children, threshold, what a read gives, and who is reported, in order.
READS = [
    ("AB", 1, "B", ["c0"]),
    ("ABBA", 1, "B", ["c3", "c0"]),
    ("ABBA", 2, "B", ["c3", "c0"]),
    ("ABBA", 3, None, []),
    ("ABC", 1, "C", ["c1", "c0"]),
    ("AAB", 2, "A", ["c2"]),
    ("BAA", 2, "A", ["c0"]),
    ("AABBCC", 2, "C", ["c3", "c2", "c1", "c0"]),
]


@pytest.mark.parametrize(("children", "threshold", "data", "reported"), READS)
def test_a_read_by_vote(
    load: Load, play: Play, children: str, threshold: int, data: str | None, reported: list[str]
) -> None:
    (case,) = load(f"""
        - name: a
          children: [{", ".join(children)}]
          quorum: {{vote-threshold: {threshold}}}
          steps:
          - read: [0, 512]
            expect: {{ret: EIO, requests: all}}
        """)
    step = play(case).steps[1]
    assert step.data == (data.encode() * 512 if data else None)
    assert step.ret == ("0" if data else "EIO")
    if data is None:
        assert [event.name for event in step.events] == ["QUORUM_FAILURE"]
    else:
        assert [event.get("node-name") for event in step.events] == reported

# SPDX-License-Identifier: GPL-2.0-or-later
"""The vote: versions, who voted for which, and who wins (block/quorum.c, unchanged 2014-2026).

Both lists are LIFO, and that decides ties: a version seen later stands earlier in the list, and
of those with the highest count the first in the list wins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from qsim.block.iovec import QEMUIOVector
from qsim.block.memory import Block, Ledger

#: A vote's value: a SHA-256 digest for data, a negative errno for errors.
VoteValue = bytes | int


@dataclass
class QuorumVoteVersion:
    """All votes that share one value; ``index`` is the child that brought the value first.

    ``items`` are the indexes of the children that voted for it, the last voter first.
    """

    value: VoteValue
    index: int
    vote_count: int = 0
    items: list[int] = field(default_factory=list)
    memory: list[Block] = field(default_factory=list)


@dataclass
class QuorumVotes:
    """A vote in progress: its versions, the newest first."""

    ledger: Ledger
    vote_list: list[QuorumVoteVersion] = field(default_factory=list)

    def losers(self, value: VoteValue) -> Iterator[int]:
        """The children whose version is not ``value``, in the order of the lists."""
        for version in self.vote_list:
            if version.value != value:
                yield from version.items


def quorum_count_vote(votes: QuorumVotes, value: VoteValue, index: int) -> None:
    """Child ``index`` votes for ``value``."""
    for version in votes.vote_list:
        if version.value == value:
            break
    else:
        version = QuorumVoteVersion(value, index)
        version.memory.append(votes.ledger.alloc("version"))
        votes.vote_list.insert(0, version)
    version.vote_count += 1
    version.items.insert(0, index)
    version.memory.append(votes.ledger.alloc("item"))


def quorum_get_vote_winner(votes: QuorumVotes) -> QuorumVoteVersion:
    """The first version with the highest count.

    :raise AssertionError: when nobody voted, where C returns NULL.
    """
    winner = None
    most = 0
    for candidate in votes.vote_list:
        if candidate.vote_count > most:
            most = candidate.vote_count
            winner = candidate
    assert winner is not None
    return winner


def quorum_free_vote_list(votes: QuorumVotes) -> None:
    """The vote is over: its versions and their items go."""
    for version in votes.vote_list:
        for block in version.memory:
            votes.ledger.free(block)
    votes.vote_list.clear()


def quorum_compute_hash(qiov: QEMUIOVector) -> bytes:
    """A child's vote on data: SHA-256 over all elements of its vector."""
    return hashlib.sha256(qiov.to_bytes()).digest()


def quorum_iovec_compare(a: QEMUIOVector, b: QEMUIOVector) -> bool:
    """Whether two vectors of the same shape hold the same bytes."""
    assert a.niov == b.niov
    return all(a.element(i) == b.element(i) for i in range(a.niov))


def quorum_copy_qiov(dest: QEMUIOVector, source: QEMUIOVector) -> None:
    """Copy element by element; the shapes must be equal."""
    assert dest.niov == source.niov and dest.size == source.size
    for i in range(source.niov):
        dest.copy_element(i, source)

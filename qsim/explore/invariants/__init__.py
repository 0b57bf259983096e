# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold of every run of the driver, whatever its children do and in whatever order.

The invariants are stated without the driver's code, by what a run shows.  A new one is an entry
in the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from qsim.explore.invariants import ends, events, reads, results
from qsim.explore.invariants.seen import Seen, requests
from qsim.outcome import Outcome
from qsim.quorum.revisions import Revision
from qsim.scenario import Case

Check = Callable[[Case, Revision, Outcome], Iterator[str]]


@dataclass(frozen=True)
class Invariant:
    """One invariant: ``check`` yields a text for each violation in a run that has ended.

    Texts do not say which child it was, so that equal violations are one.
    """

    name: str
    says: str
    check: Check


def _each(judge: Callable[[Seen], Iterator[str]]) -> Check:
    """An invariant of every guest request."""

    def check(case: Case, revision: Revision, outcome: Outcome) -> Iterator[str]:
        for seen in requests(case, revision, outcome):
            yield from judge(seen)

    return check


#: Of which child it was.
_INDEX = re.compile(r"\[\d+\]")

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "callback",
        "the caller is called back once, when all that was asked for it has ended",
        ends.callback,
    ),
    Invariant(
        "memory",
        "every buffer is freed once, and used neither before it has a value nor after it is gone",
        ends.memory,
    ),
    Invariant(
        "scope",
        "children are asked for what the guest asks for and where it does, and nobody else is",
        results.scope,
    ),
    Invariant(
        "everyone",
        "a vote, a write and a flush ask every child, and each once",
        _each(results.everyone),
    ),
    Invariant(
        "fifo",
        "in FIFO order a child is read when all in front of it have failed, and none after that "
        "which answered",
        _each(reads.fifo),
    ),
    Invariant(
        "held",
        "a read that succeeds gives bytes that a child has answered",
        _each(reads.held),
    ),
    Invariant(
        "agreed",
        "a read by vote that succeeds gives what as many children have as the threshold says",
        _each(reads.agreed),
    ),
    Invariant(
        "winner",
        "no version has more votes than the winner, and of versions that tie it is the one that "
        "comes last in the order of the children, whoever answered first",
        _each(reads.winner),
    ),
    Invariant(
        "enough",
        "a write or a flush that succeeds was done by as many children as the threshold says",
        _each(results.enough),
    ),
    Invariant(
        "error",
        "a request fails only where too few children succeed or agree, with the error that most "
        "failed with, EIO when no version wins, and in FIFO order the error of the last child",
        _each(results.error),
    ),
    Invariant(
        "rewrite",
        "a rewrite leaves the winner's bytes on each child that was outvoted, and no read writes "
        "anything else",
        _each(reads.rewritten),
    ),
    Invariant(
        "cause",
        "no event without its cause before it, and what it says is so",
        _each(events.cause),
    ),
    Invariant(
        "told",
        "each child that fails or is outvoted is reported, and each request that fails for want "
        "of children sends QUORUM_FAILURE, once",
        _each(events.told),
    ),
)


def violations(case: Case, revision: Revision, outcome: Outcome) -> list[str]:
    """What a run violates, as ``NAME: text``, each once; the run must have ended."""
    found = (
        f"{invariant.name}: {_INDEX.sub('[i]', text)}"
        for invariant in INVARIANTS
        for text in invariant.check(case, revision, outcome)
    )
    return list(dict.fromkeys(found))

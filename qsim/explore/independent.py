# SPDX-License-Identifier: GPL-2.0-or-later
"""Which moves do not depend on each other, so that one order of them stands for both.

Two completions are independent when they belong to different guest requests, are of different
children, and nothing is to be seen of either: no event, no answer, no new request.
Then each only changes what the driver keeps for its own guest request, and it comes to the same
whichever is first.  All else is taken to be dependent; what commutes there all the same is found
by comparing states.  (Sleep sets: P. Godefroid, Partial-Order Methods for the Verification of
Concurrent Systems, 1996, chapter 5.)
"""

from __future__ import annotations

from typing import Any, NamedTuple

from qsim.block.child import Request
from qsim.block.stage import Held
from qsim.explore.choices import Pick
from qsim.target.model import Run


class Move(NamedTuple):
    """A completion, by the same name wherever it is still to be done; None is a cancellation.

    ``owner`` is the place of the guest request it is for, None where that is not known.
    """

    owner: int | None
    request: Request | None
    picks: tuple[Pick, ...] = ()


def move_of(run: Run, held: Held[Any], picks: tuple[Pick, ...]) -> Move:
    """The move that completes ``held``."""
    coroutine = getattr(held.cookie, "coroutine", None)
    owners = [i for i, guest in enumerate(run.guests) if coroutine and guest is coroutine.root]
    return Move(owners[0] if owners else None, held.request, picks)


def independent(a: Move, b: Move) -> bool:
    """Whether two moves of which nothing is to be seen can change places."""
    if a.owner is None or b.owner is None or a.owner == b.owner:
        return False
    assert a.request is not None and b.request is not None
    # Its faults may have counts, and its connection knows who came first.
    return a.request.child != b.request.child

# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite with ``--repeat=N``: shows in a terminal which round is being played.

Every test waits until its case is over: failed, or in its last round.  Until the first one's is,
pytest itself has nothing to say, and nothing is lost by waiting here.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

import pytest

from qsim.progress import is_shown, progress
from qsim.suite import SESSION, Session
from qsim.target.background import HEAR_S


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Wait for the first test's case while somebody is looking."""
    shared = session.config.stash.get(SESSION, None)
    # A process that shares the work with others would write over what they write.
    alone = not hasattr(session.config, "workerinput")
    if shared is not None and alone and is_shown() and not session.testsfailed:
        watch(shared)
    return (yield)


def watch(shared: Session) -> None:
    """Show the rounds as they are played, until pytest has something to say or the last begins."""
    cases, rounds = len(shared.played), shared.repeat
    fed = shared.fed
    if fed is None or not cases or rounds == 1:
        return
    first = next(iter(shared.played.values())).over
    ends: list[Future[Any]] = [fed, first]
    with progress("playing", cases * rounds) as tell:
        while shared.over < cases * (rounds - 1) and not (fed.done() or first.done()):
            tell(shared.over, _how_far(shared))
            # Signals are heard meanwhile.
            wait(ends, HEAR_S, FIRST_COMPLETED)
        tell(shared.over, _how_far(shared))


def _how_far(shared: Session) -> str:
    number = min(shared.over // len(shared.played) + 1, shared.repeat)
    wrong = sum(runs.has_failed for runs in shared.played.values())
    text = f"round {number} of {shared.repeat}"
    return f"{text}, {wrong} wrong" if wrong else text

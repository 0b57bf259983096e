# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite with ``--repeat=N``: shows in a terminal which round is being played.

Every test waits for its case's last round, so pytest itself has nothing to say before that.  Until
then nothing is lost by waiting here; the tests begin with the last round, as they do without.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import wait

import pytest

from qsim.progress import is_shown, progress
from qsim.suite import SESSION, Session
from qsim.target.background import HEAR_S


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Wait for the last round while somebody is looking."""
    shared = session.config.stash.get(SESSION, None)
    # A process that shares the work with others would write over what they write.
    alone = not hasattr(session.config, "workerinput")
    if shared is not None and alone and is_shown() and not session.testsfailed:
        watch(shared)
    return (yield)


def watch(shared: Session) -> None:
    """Show the rounds as they are played, up to the last."""
    cases, rounds = len(shared.played), shared.repeat
    fed = shared.fed
    if fed is None or not cases or rounds == 1:
        return
    with progress("playing", cases * rounds) as tell:
        while shared.over < cases * (rounds - 1) and not fed.done():
            tell(shared.over, f"round {shared.over // cases + 1} of {rounds}")
            # Signals are heard meanwhile.
            wait([fed], HEAR_S)
        tell(shared.over, f"round {rounds} of {rounds}")

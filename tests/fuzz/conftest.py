# SPDX-License-Identifier: GPL-2.0-or-later
"""A thread to play on, and the model in the place of a binary."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qsim.outcome import Outcome
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.target.background import Background
from qsim.target.model import run_model


@pytest.fixture
def background() -> Iterator[Background]:
    """A thread that plays, without any process."""
    thread = Background()
    yield thread
    thread.close()


async def play_model(case: Case) -> Outcome:
    """The model of 7.2 as if it were a binary."""
    outcome = run_model(case, revision("7.2"))
    # A binary's memory is nobody's to see.
    outcome.leaks = None
    return outcome

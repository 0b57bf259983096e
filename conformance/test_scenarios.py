# SPDX-License-Identifier: GPL-2.0-or-later
"""Every case on every witness."""

from __future__ import annotations

import pytest

from conformance.plugin import check, session_of
from qsim.scenario import Case


def test_scenario(qsim_case: Case, witness: str, request: pytest.FixtureRequest) -> None:
    """The witness tells the fixture's story."""
    wrong = check(session_of(request.config), qsim_case, witness)
    if wrong is not None:
        pytest.fail(wrong, pytrace=False)

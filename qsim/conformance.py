# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite's one test: every case of ``fixtures/`` on the model and on the binary (``--qemu``).

``pytest --pyargs qsim.conformance`` runs it wherever qsim is installed; in a checkout
``pytest conformance`` does the same.  The work is done in :mod:`qsim.suite`, a pytest plugin.
"""

from __future__ import annotations

import pytest

from qsim.scenario import Case
from qsim.suite import MODEL, check_binary, check_model, session_of


def test_scenario(qsim_case: Case, witness: str, request: pytest.FixtureRequest) -> None:
    """The witness tells the fixture's story."""
    session = session_of(request.config)
    if witness == MODEL:
        wrong = check_model(session, qsim_case)
    else:
        wrong = check_binary(session, qsim_case, request.node)
    if wrong is not None:
        pytest.fail(wrong, pytrace=False)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite's tests: every case of ``fixtures/`` on the model and on the binary (``--qemu``), and
whether the binary gives its memory back.

``pytest --pyargs qsim.conformance`` runs it wherever qsim is installed; in a checkout
``pytest conformance`` does the same.  The work is done in :mod:`qsim.suite`, a pytest plugin.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qsim.explore.ways import Ways
from qsim.fuzz.lane import check_fuzz
from qsim.leak.lane import check_leak
from qsim.leak.thing import Repeated
from qsim.scenario import Case
from qsim.suite import MODEL, check_binary, check_model, check_open, session_of


@pytest.fixture(scope="session", autouse=True)
def compared(
    request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """``--junitxml`` says of the run what was compared (not with pytest-xdist, whose workers
    write no file).
    """
    for name, value in session_of(request.config).compared().items():
        record_testsuite_property(name, value)


def test_scenario(qsim_case: Case, witness: str, request: pytest.FixtureRequest) -> None:
    """The witness tells the fixture's story."""
    session = session_of(request.config)
    if witness == MODEL:
        wrong = check_model(session, qsim_case, request.node)
    else:
        wrong = check_binary(session, qsim_case, request.node)
    if wrong is not None:
        pytest.fail(wrong, pytrace=False)


def test_every_way(qsim_ways: Ways, request: pytest.FixtureRequest) -> None:
    """What can come of a scenario that leaves something open is what it allows, all of it."""
    wrong = check_open(qsim_ways)
    if wrong is not None:
        pytest.fail(wrong, pytrace=False)


def test_leaks(qsim_leak: Repeated, request: pytest.FixtureRequest) -> None:
    """The binary's memory does not grow however often this is repeated."""
    wrong = check_leak(request.config, qsim_leak)
    if wrong is not None:
        pytest.fail(wrong, pytrace=False)


def test_fuzz(request: pytest.FixtureRequest) -> None:
    """Scenarios nobody has thought of come out the same on the model and on the binary."""
    wrong = check_fuzz(request.config)
    if wrong is not None:
        pytest.fail(wrong, pytrace=False)

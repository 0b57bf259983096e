# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding a binary's revision by asking it; the binaries are the model's own outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest

from qsim.block.switches import UNMAP_AT_EVERY_NODE
from qsim.outcome import Outcome
from qsim.quorum.revisions import DEFAULT, REVISIONS, Revision, revision
from qsim.quorum.switches import CANCEL_SKIPS_NULL, OPTS_FREED
from qsim.recognise import Recognised, candidates, recognise, switches_of
from qsim.scenario import Case
from qsim.target.model import run_model


def asked(cases: Iterable[Case], driver: Revision, version: str, broken: str = "") -> Recognised:
    """What is found for a binary with ``driver`` that calls itself ``version``."""

    async def play(case: Case) -> Outcome:
        outcome = replace(run_model(case, driver), leaks=None, sees_memory=False)
        return replace(outcome, trouble=["it dies"]) if case.id == broken else outcome

    return asyncio.run(recognise(version, {case.id: case for case in cases}, play))


def looks(one: Revision) -> tuple[str, frozenset[str]]:
    """What can be seen of a revision from outside."""
    visible = switches_of(candidates(one.engine))
    return one.engine, frozenset(s.name for s in visible if s in one.switches)


@pytest.mark.parametrize("driver", REVISIONS, ids=lambda one: one.name)
def test_every_revision_is_found_whatever_its_version_number(
    shipped_cases: list[Case], driver: Revision
) -> None:
    version = "9.9" if driver.engine == "coroutine" else "2.1.50"
    found = asked(shipped_cases, driver, version)
    assert found.fits
    assert looks(found.revision) == looks(driver)


def test_of_revisions_that_look_alike_the_version_number_decides(
    shipped_cases: list[Case],
) -> None:
    one, other = revision("v4-merged"), revision("opts-freed")
    assert other.switches - one.switches == {OPTS_FREED}
    assert CANCEL_SKIPS_NULL not in other.switches
    assert asked(shipped_cases, other, "2.1.50").revision == one


def test_a_switch_of_its_own_makes_no_revision(shipped_cases: list[Case]) -> None:
    odd = revision("11.1")
    odd = replace(odd, switches=odd.switches - {UNMAP_AT_EVERY_NODE})
    found = asked(shipped_cases, odd, "11.1")
    assert not found.fits
    assert found.revision.name == "11.1"
    assert "by the version number alone" in found.summary()
    (seen,) = [one for one in found.seen if one.switch == UNMAP_AT_EVERY_NODE]
    assert seen.present is False


def test_a_defect_that_looks_like_no_revision_leaves_the_version_number(
    shipped_cases: list[Case],
) -> None:
    found = asked(shipped_cases, revision(DEFAULT), "7.2.22", UNMAP_AT_EVERY_NODE.probe)
    assert (found.revision.name, found.fits) == (DEFAULT, False)
    (seen,) = [one for one in found.seen if one.switch == UNMAP_AT_EVERY_NODE]
    assert seen.present is None
    assert str(seen).startswith("NEITHER ")


def test_every_probe_is_a_case(shipped_cases: list[Case]) -> None:
    names = {case.id for case in shipped_cases}
    for engine in ("coroutine", "callback"):
        for switch in switches_of(candidates(engine)):
            assert switch.probe in names, switch

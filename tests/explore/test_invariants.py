# SPDX-License-Identifier: GPL-2.0-or-later
"""The invariants: they hold where they should, and each finds what is planted to violate it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache

import pytest

from qsim.explore.grid import grid, patterns_of
from qsim.explore.invariants import INVARIANTS, violations
from qsim.explore.search import Reduction, Search
from qsim.outcome import Outcome
from qsim.quorum.revisions import Revision, revision
from qsim.scenario import Case
from qsim.select import cases_of
from qsim.target.model import run_model

from .planted import PLANTED, Planted

Played = Callable[[Case, Revision], Outcome]

NEW = ("5.2", "7.2", "10.0", "11.1")


def ways(case: Case, wanted: Revision, cancel: bool = False) -> Iterator[tuple[Case, Outcome]]:
    """The case as it goes each way, and what comes of it."""
    (step,) = case.steps
    for way in Search(case, wanted, Reduction.FULL, cancel).ways():
        yield replace(case, steps=(replace(step, complete=way.schedule),)), way.outcome


def length(case: Case) -> tuple[int, ...]:
    """How long a case is: children, faults, words of the schedule, bytes of its options."""
    (step,) = case.steps
    return len(case.children), len(step.faults), len(step.complete), len(str(case.options))


def found_in(cases: Iterable[Case], wanted: Revision, cancel: bool = False) -> dict[str, Case]:
    """The shortest way to each violation, by name of the invariant."""
    best: dict[str, Case] = {}
    for case in cases:
        for way, outcome in ways(case, wanted, cancel):
            for text in violations(way, wanted, outcome):
                name = text.partition(":")[0]
                if name not in best or length(way) < length(best[name]):
                    best[name] = way
    return best


@cache
def world(children: int, patterns: tuple[str, ...], errnos: tuple[str, ...]) -> list[Case]:
    """A small world, once for all who look at it."""
    return grid((children,), patterns, errnos)


def world_of(planted: Planted) -> list[Case]:
    """The small world a defect is looked for in."""
    # In 2014 FIFO has defects of its own.
    patterns = ("quorum", "fifo") if planted.revision == "7.2" else ("quorum",)
    cases = world(planted.children, patterns, planted.errnos)
    return [case for case in cases if case.steps[0].verb in planted.verbs]


def plant(monkeypatch: pytest.MonkeyPatch, planted: Planted) -> None:
    """The driver with a defect."""
    for name, function in planted.at.items():
        assert hasattr(planted.module, name)
        monkeypatch.setattr(planted.module, name, function)


# They find what is planted.


@pytest.mark.parametrize("planted", PLANTED, ids=[one.name for one in PLANTED])
def test_planted_defect_violates_these_and_no_others_on_a_short_way(
    monkeypatch: pytest.MonkeyPatch, planted: Planted
) -> None:
    wanted = revision(planted.revision)
    plant(monkeypatch, planted)
    found = found_in(world_of(planted), wanted)
    assert found.keys() == planted.violates
    for name, case in found.items():
        assert len(case.children) == planted.children
        assert len(case.steps[0].faults) <= 2
        # Each child once, and those that are rewritten.
        assert len(case.steps[0].complete) <= 2 * planted.children
        again = violations(case, wanted, run_model(case, wanted))
        assert name in {text.partition(":")[0] for text in again}


@pytest.mark.parametrize(
    "planted", [one for one in PLANTED if one.by_order], ids=lambda planted: planted.name
)
def test_order_decides_whether_a_defect_is_seen(
    monkeypatch: pytest.MonkeyPatch, planted: Planted
) -> None:
    wanted = revision(planted.revision)
    plant(monkeypatch, planted)
    for case in world_of(planted):
        assert violations(case, wanted, run_model(case, wanted)) == []


def test_without_a_defect_nothing_is_violated_in_the_worlds_they_are_looked_for_in() -> None:
    for name in sorted({planted.revision for planted in PLANTED}):
        cases = [case for one in PLANTED if one.revision == name for case in world_of(one)]
        different = {id(case): case for case in cases}
        assert found_in(different.values(), revision(name)) == {}


def test_every_invariant_is_violated_by_some_planted_defect() -> None:
    names = [invariant.name for invariant in INVARIANTS]
    assert len(set(names)) == len(names)
    assert {name for planted in PLANTED for name in planted.violates} == set(names)
    assert sum(planted.by_order for planted in PLANTED) >= 3


# They hold.


@pytest.mark.parametrize("name", NEW)
def test_no_shipped_case_violates_any(shipped_cases: list[Case], played: Played, name: str) -> None:
    wanted = revision(name)
    for case in cases_of(shipped_cases, wanted):
        found = violations(case, wanted, played(case, wanted))
        # A known bug may be that memory is used after it was freed, and then nothing else is wrong.
        known = [f"memory: {step.expect.undefined}" for step in case.steps if step.expect]
        assert [one for one in found if not (case.bug and one in known)] == [], case.id


@pytest.mark.parametrize("name", NEW)
def test_nothing_violates_any_in_the_small_world(name: str) -> None:
    assert found_in(world(2, ("quorum", "fifo"), ("EIO", "ENOSPC")), revision(name)) == {}


# The driver of 2014 violates them where docs/series.md says.

OPTS = "memory: leak of opts of quorum_open()"
FAILED_READ = "memory: null dereference in quorum_aio_cb() from bdrv_co_em_bh(): sacb->aiocb"
NOBODY_ANSWERS = "memory: out of bounds in quorum_aio_finalize() from quorum_aio_cb(): acb->qcrs[i]"
#: FIFO order does not check the threshold, which still counts for writes.
ANY_THRESHOLD = "enough: a write succeeds and fewer children than the threshold have done it"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("before", {OPTS, FAILED_READ}),
        ("v1", {OPTS, FAILED_READ, ANY_THRESHOLD}),
        ("v4", {OPTS, FAILED_READ, ANY_THRESHOLD, NOBODY_ANSWERS}),
        ("mid-2015", {FAILED_READ, ANY_THRESHOLD, NOBODY_ANSWERS}),
    ],
)
def test_the_driver_of_2014_violates_these(name: str, expected: set[str]) -> None:
    wanted = revision(name)
    found = {
        text
        for case in world(2, patterns_of(wanted), ("EIO",))
        for way, outcome in ways(case, wanted)
        for text in violations(way, wanted, outcome)
    }
    assert found == expected

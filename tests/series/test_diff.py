# SPDX-License-Identifier: GPL-2.0-or-later
"""What changes from one revision to the next: every switch is shown, every change has a cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from qsim.block.switches import AIOCB_REFCOUNT, Switch
from qsim.outcome import Difference, Outcome
from qsim.quorum import switches as driver
from qsim.quorum.revisions import REVISIONS, Revision, revision
from qsim.quorum.switches import ERROR_WITHOUT_NEWLINE, OPTS_FREED
from qsim.scenario import Case
from qsim.series import diff
from qsim.series.diff import Change, changes
from qsim.series.leap import ROWS, reasons
from qsim.target.model import run_model

Load = Callable[[str], list[Case]]
#: The changes from one revision to another, each found once.
Found = Callable[[str, str], tuple[Change, ...]]

NEIGHBOURS = [(left.name, right.name) for left, right in pairwise(REVISIONS)]
#: Those with the same engine, which differ in switches alone.
ALIKE = [
    (left.name, right.name) for left, right in pairwise(REVISIONS) if left.engine == right.engine
]
#: Switches in which neighbours differ and that no scenario shows, and why not.
UNSEEN = {
    AIOCB_REFCOUNT: (
        "a child's request that is cancelled cannot be stopped either way: both wait for its end, "
        "and one that is over already is used after it was freed in both"
    ),
}


def _is_of_2014(case: Case) -> bool:
    return case.until is not None and revision(case.until).engine == "callback"


@pytest.fixture(scope="module")
def found(shipped_cases: list[Case], played: Callable[[Case, Revision], Outcome]) -> Found:
    """What comes out differently: of the scenarios of 2014, between releases of all others."""

    @cache
    def between(left: str, right: str) -> tuple[Change, ...]:
        a, b = revision(left), revision(right)
        of_2014 = "callback" in (a.engine, b.engine)
        cases = [case for case in shipped_cases if _is_of_2014(case) == of_2014]
        assert len(cases) >= 100
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(diff, "run_model", played)
            return tuple(changes(cases, a, b))

    return between


@pytest.mark.parametrize(("left", "right"), ALIKE)
def test_every_switch_between_neighbours_is_shown_by_a_scenario(
    found: Found, left: str, right: str
) -> None:
    turned = revision(left).switches ^ revision(right).switches
    shown = {cause.reason for change in found(left, right) for cause in change.causes}
    assert {one.name for one in turned} - {one.name for one in UNSEEN} == shown


def test_every_switch_no_scenario_shows_lies_between_neighbours() -> None:
    turned: set[Switch] = set()
    for left, right in NEIGHBOURS:
        turned |= revision(left).switches ^ revision(right).switches
    assert set(UNSEEN) <= turned


@pytest.mark.parametrize(("left", "right"), NEIGHBOURS)
def test_every_scenario_that_comes_out_differently_has_a_cause(
    found: Found, left: str, right: str
) -> None:
    assert [change.case.id for change in found(left, right) if not change.causes] == []


def test_nothing_tells_v3_from_v4_after_both_patches(
    found: Found,
) -> None:
    assert found("v3", "v4") == ()


def test_from_open_image_to_mid_2015_the_driver_stays_the_same(
    found: Found,
) -> None:
    turned = revision("open-image").switches ^ revision("mid-2015").switches
    of_the_driver = {one for one in vars(driver).values() if isinstance(one, Switch)}
    assert not turned & of_the_driver
    causes = {cause.reason for change in found("open-image", "mid-2015") for cause in change.causes}
    assert causes <= {one.name for one in turned}


def test_a_fix_of_a_leak_ends_the_leak_and_changes_nothing_else(
    found: Found,
) -> None:
    for change in found("v4-merged", "opts-freed"):
        (one,) = change.differences
        assert (one.what, one.left) == ("leaks", "opts of quorum_open()") or (
            # What else the scenario leaks stays.
            "opts of quorum_open()" in one.left and "opts of quorum_open()" not in one.right
        )
        assert [cause.source for cause in change.causes] == [OPTS_FREED.source]


def test_change_is_told_from_left_to_right_and_its_cause_from_older_to_newer(
    found: Found,
) -> None:
    there = found("v4", "v4-merged")
    back = found("v4-merged", "v4")
    assert there
    assert [change.case.id for change in there] == [change.case.id for change in back]
    for one, other in zip(there, back, strict=True):
        assert [(d.left, d.right) for d in one.differences] == [
            (d.right, d.left) for d in other.differences
        ]
        assert one.causes == other.causes
        ((cause, made),) = one.causes.items()
        assert (cause.reason, cause.source) == (
            ERROR_WITHOUT_NEWLINE.name,
            ERROR_WITHOUT_NEWLINE.source,
        )
        assert made.left.endswith("\n") and not made.right.endswith("\n")


def test_causes_across_the_gap_are_those_of_all_three_stretches(load: Load) -> None:
    (case,) = load("""
        - name: a
          children: 2
          quorum: {vote-threshold: 1}
          steps:
          - read: [0, 512]
            faults: {c0: EIO}
            complete: [c0]
            expect: {ret: 0, data: A, requests: all}
        """)
    (change,) = changes([case], revision("v4"), revision("7.2"))
    assert any("quorum_report_bad_acb" in cause.source for cause in change.causes)
    (change,) = changes([replace(case, steps=())], revision("v4"), revision("7.2"))
    assert [cause.source for cause in change.causes] == [OPTS_FREED.source]


def test_scenario_one_side_cannot_play_is_left_out(load: Load) -> None:
    (case,) = load("""
        - name: a
          quorum: {vote-threshold: 1}
          steps:
          - write-zeroes: [0, 512]
            expect: {ret: 0, requests: all}
        """)
    assert run_model(case, revision("7.2")).steps[1].ret == "0"
    assert list(changes([case], revision("v4"), revision("7.2"))) == []


def test_trouble_both_sides_have_is_no_difference(load: Load) -> None:
    (case,) = load("""
        - name: a
          children: 2
          quorum: {vote-threshold: 1}
          steps:
          - read: [0, 512]
            complete: [c0, c0]
            expect: {ret: 0, data: A, requests: all}
        """)
    a, b = revision("v3"), revision("v4")
    assert run_model(case, a).trouble
    assert list(changes([case], a, b)) == []


# The gap between mid-2015 and 5.2.


def test_every_reason_across_the_gap_explains_some_scenario(
    found: Found,
) -> None:
    used = {
        row.reason
        for change in found("mid-2015", "5.2")
        for row, _ in reasons(change.case, change.differences)
    }
    assert [row.reason for row in ROWS if row.reason not in used] == []


def test_difference_that_fits_no_row_has_no_reason(shipped_cases: list[Case]) -> None:
    case = shipped_cases[0]
    odd = Difference(1, "read 0 512", "ret", "EIO", "EPERM")
    assert reasons(case, [odd]) == []


def test_reason_for_one_pattern_is_none_for_the_other(shipped_cases: list[Case]) -> None:
    fifo = next(
        case for case in shipped_cases if (case.options or {}).get("read-pattern") == "fifo"
    )
    vote = replace(fifo, options={"vote-threshold": 2})
    reported = Difference(1, "read 0 512", "events", "none", "QUORUM_REPORT_BAD read c0 0 1 EIO")
    assert [row.source for row, _ in reasons(fifo, [reported])] == ["read_fifo_child()"]
    assert reasons(vote, [reported]) == []


def test_change_without_a_reason_is_unexplained(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diff, "reasons", lambda case, found: [])
    case = next(change.case for change in found("mid-2015", "5.2") if len(change.causes) == 1)
    (change,) = changes([case], revision("mid-2015"), revision("5.2"))
    assert change.causes == {}

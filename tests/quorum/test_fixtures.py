# SPDX-License-Identifier: GPL-2.0-or-later
"""The fixtures on the model: each revision does what every case says that is about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from qsim.outcome import Outcome, against_fixture
from qsim.quorum.revisions import REVISIONS, Revision, rank, revision
from qsim.scenario import Case
from qsim.select import case_of, cases_of, holds

#: A case on the model of a revision.
Played = Callable[[Case, Revision], Outcome]

NAMES = [one.name for one in REVISIONS]
#: Cases that hold beyond the revisions they name, and why they do not claim it.
WIDER = {
    ("2014-drive/pattern-there-is-not-in-v4", "v3"): (
        "the text before v4 is not determined; the model takes that of v4"
    ),
}


def wrong(played: Played, case: Case, on: Revision) -> list[str]:
    """What a case says of a revision that is not so."""
    return [str(one) for one in against_fixture(case_of(case, on), played(case, on))]


@pytest.mark.parametrize("name", NAMES)
def test_every_case_about_a_revision_is_what_its_model_does(
    shipped_cases: list[Case], played: Played, name: str
) -> None:
    wanted = revision(name)
    cases = cases_of(shipped_cases, wanted)
    assert len(cases) >= 60
    assert {case.id: found for case in cases if (found := wrong(played, case, wanted))} == {}


def test_every_case_is_about_some_revision(shipped_cases: list[Case]) -> None:
    idle = [case.id for case in shipped_cases if not any(holds(case, one) for one in REVISIONS)]
    assert idle == []


def beyond(case: Case) -> Iterator[Revision]:
    """The revisions of 2014 just before, just after and within what a case is about."""
    assert case.since is not None and case.until is not None
    first, last = rank(case.since), rank(case.until)
    yield from REVISIONS[max(first - 1, 0) : first]
    yield from (one for one in REVISIONS[last + 1 : last + 2] if one.engine == "callback")
    yield from (revision(name) for name in case.without)


def test_what_a_case_of_2014_shows_begins_and_ends_where_it_says(
    shipped_cases: list[Case], played: Played
) -> None:
    cases = [
        case
        for case in shipped_cases
        if case.until is not None and revision(case.until).engine == "callback"
    ]
    assert len(cases) >= 100
    wider = {
        (case.id, one.name)
        for case in cases
        for one in beyond(case)
        if not wrong(played, case, one)
    }
    assert wider == set(WIDER)


#: A mirror frees what a write of the guest goes on with.
MIRRORS_BUG = "repair/write-blocking,-the-target-fails-while-a-write-waits-for-the-copy"


def test_every_case_that_ends_in_undefined_behaviour_says_what_became_of_it(
    shipped_cases: list[Case],
) -> None:
    undefined = [
        case for case in shipped_cases if any(s.expect and s.expect.undefined for s in case.steps)
    ]
    assert len(undefined) >= 10
    assert [case.id for case in undefined if not case.fixed] == []


def test_no_release_with_coroutines_leaks_or_is_undefined(shipped_cases: list[Case]) -> None:
    """But for a job, which is not the driver's."""
    undefined = {
        case.id
        for one in REVISIONS
        if one.engine == "coroutine"
        for case in cases_of(shipped_cases, one)
        if case.leaks or any(step.expect and step.expect.undefined for step in case.steps)
    }
    assert undefined == {MIRRORS_BUG}

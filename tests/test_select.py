# SPDX-License-Identifier: GPL-2.0-or-later
"""Which cases hold for a revision, and what of them."""

from __future__ import annotations

from qsim.quorum.revisions import REVISIONS, revision
from qsim.scenario import Case
from qsim.scenario.case import Leak
from qsim.scenario.load import load_text
from qsim.select import case_of, cases_of, holds

TEXT = """\
family: f
about: x
source: s
cases:
- name: always
- name: some
  since: v2
  until: v4
  without: [v3-1]
- name: leaky
  leaks:
  - {what: a}
  - {what: b, since: v4}
  - {what: c, until: v4}
  - {what: d, since: v4-merged, until: mid-2015}
"""
ALWAYS, SOME, LEAKY = load_text("f.yaml", TEXT, [one.name for one in REVISIONS])


def test_case_holds_in_its_range_but_where_it_says_not() -> None:
    assert [one.name for one in REVISIONS if holds(SOME, one)] == ["v2", "v3", "v4"]
    assert all(holds(ALWAYS, one) for one in REVISIONS)


def test_case_keeps_the_leaks_of_a_revision_only() -> None:
    def leaks(name: str) -> list[str]:
        return [leak.what for leak in case_of(LEAKY, revision(name)).leaks]

    assert leaks("v3") == ["a", "c"]
    assert leaks("v4") == ["a", "b", "c"]
    assert leaks("v4-merged") == leaks("mid-2015") == ["a", "b", "d"]
    assert leaks("7.2") == ["a", "b"]


def test_nothing_else_of_a_case_changes() -> None:
    assert case_of(SOME, revision("v4")) == SOME
    leaky = case_of(LEAKY, revision("v3"))
    assert (leaky.name, leaky.children, leaky.line) == (LEAKY.name, LEAKY.children, LEAKY.line)
    assert LEAKY.leaks[1] == Leak("b", "v4", None)


def test_cases_of_a_revision_are_in_their_order() -> None:
    def names(name: str) -> list[str]:
        cases: list[Case] = cases_of([LEAKY, SOME, ALWAYS], revision(name))
        return [case.name for case in cases]

    assert names("v3") == ["leaky", "some", "always"]
    assert names("v3-1") == ["leaky", "always"]

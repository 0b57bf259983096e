# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios that leave something open: what they are loaded as, and what is said of mistakes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qsim.block.child import Fault
from qsim.explore.ways import expanded
from qsim.quorum.revisions import revision
from qsim.scenario import Case, ScenarioError

Load = Callable[[str], list[Case]]

OPEN = """
- name: a
  children: [A, "any of A, B", A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    faults: {c1: "any of ok, EIO"}
    complete: any
    expect:
    - {when: {c1: A}, ret: 0, data: A, requests: all}
    - {when: {c1: B}, ret: 0, data: A, requests: all, events: [QUORUM_REPORT_BAD read c1 0 1]}
    - {when: {c1: EIO}, ret: 0, data: A, requests: all, events: [QUORUM_REPORT_BAD read c1 0 1 EIO]}
"""


def test_what_is_open_is_told_apart(load: Load) -> None:
    (case,) = load(OPEN)
    assert case.is_open
    (step,) = case.steps
    assert step.any_order and step.complete == () and step.expect is None
    assert [one.text for one in case.children["c1"].open_contents] == ["A", "B"]
    assert [(one.text, one.faults) for one in step.open_faults["c1"]] == [
        ("ok", ()),
        ("EIO", (Fault("any", 5),)),
    ]
    assert [one.when for one in step.allowed] == [
        (("c1", "A"),),
        (("c1", "B"),),
        (("c1", "EIO"),),
    ]


def test_ways_are_closed_and_each_expects_what_is_for_it(load: Load) -> None:
    (case,) = load(OPEN)
    closed = expanded([case], revision("7.2"))
    assert len(closed) == 3 * 6
    assert len({one.id for one in closed}) == len(closed)
    for one in closed:
        assert not one.is_open
        (expect,) = one.steps[0].allowed
        (_, chosen), *_ = expect.when
        assert (f"c1 {chosen}" in one.name) == (chosen != "ok")


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "message"),
    [
        ("any of A, B", "any of A", 6, ".children.c1", "two or more alternatives"),
        ("any of A, B", "any of A, A", 6, ".children.c1", "two or more alternatives"),
        ("any of A, B", "any of A, nonsense", 6, ".children.c1", "'nonsense' is no content"),
        ("any of ok, EIO", "any of ok, EFOO", 10, ".steps[0].faults.c1", "EFOO"),
        ("any of ok, EIO", "any of EIO", 10, ".steps[0].faults.c1", "two or more alternatives"),
        ("complete: any", "complete: all", 11, ".steps[0].complete", "'all' is not valid"),
        ("{c1: B}", "{c7: B}", 14, ".expect[1].when.c7", "'c7' is no child"),
        ("{c1: B}", "{c1: C}", 14, ".expect[1].when.c1", "'C' is no alternative; it has A, B, ok"),
        ("ret: 0, data: A", "data: A", 13, ".expect[0]", "ret is missing"),
    ],
)
def test_mistakes_are_told_with_their_place(
    load: Load, old: str, new: str, line: int, key: str, message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(OPEN.replace(old, new, 1))
    assert caught.value.line == line
    assert key in caught.value.key
    assert message in caught.value.message


def test_order_of_answers_is_not_told_in_any_order(load: Load) -> None:
    text = """
- name: a
  quorum: {vote-threshold: 1}
  steps:
  - together: [{flush: true}, {flush: true}]
    complete: any
    expect: {answers: [{ret: 0}, {ret: 0}], finish: [0, 1], requests: []}
"""
    with pytest.raises(ScenarioError, match="in any order there is no order of the answers"):
        load(text)


def test_what_is_left_open_cannot_be_set(load: Load) -> None:
    text = OPEN.replace("  steps:\n", "  steps:\n  - set: {c1: X}\n")
    with pytest.raises(ScenarioError, match=r"steps\[0\].set.c1: its contents are left open"):
        load(text)


def test_way_nothing_is_expected_of_is_an_error(load: Load) -> None:
    lines = OPEN.splitlines(keepends=True)
    (case,) = load("".join(lines[:-1]))
    with pytest.raises(ScenarioError, match="expect: nothing is expected when c1: EIO"):
        expanded([case], revision("7.2"))

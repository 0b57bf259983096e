# SPDX-License-Identifier: GPL-2.0-or-later
"""Comparing what was observed: with the fixture, and with what somebody else observed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from qsim.block.child import Request
from qsim.block.sparse import Sparse
from qsim.block.stage import Answered, Asked, Cancelled
from qsim.outcome import (
    Difference,
    Outcome,
    StepOutcome,
    against_fixture,
    between,
)
from qsim.scenario import Case
from qsim.scenario.notation import parse_event

Load = Callable[[str], list[Case]]

CASE = """
- name: a
  children: [A, A, B]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all, events: [QUORUM_REPORT_BAD read c2 0 1]}
  - block-status: [0, 512]
    expect:
      ret: 0
      extent: data 512
      requests:
      - c0 block-status 0 512
      - c1 block-status 0 512
      - c2 block-status 0 512
  - qmp: {execute: x-blockdev-change, arguments: {parent: q, child: nosuch}}
    expect: {error: "Node 'q' does not have child 'nosuch'"}
  - qmp: {execute: x-blockdev-change, arguments: {parent: q, child: children.2}}
    expect: {return: {}}
"""
READ, STATUS, REFUSED, REMOVED = 1, 2, 3, 4


@pytest.fixture
def case(load: Load) -> Case:
    (loaded,) = load(CASE)
    return loaded


@pytest.fixture
def outcome(case: Case, play: Callable[[Case], Outcome]) -> Outcome:
    """What the model shows of the case: just what the fixture says."""
    return play(case)


def one(found: list[Difference]) -> tuple[int | None, str]:
    """Step and field of the only difference."""
    assert len(found) == 1, [str(difference) for difference in found]
    return found[0].step, found[0].what


#: A field of a step, the step, another value, and what the difference is called.
CHANGES = [
    ("ret", READ, "EIO", "ret"),
    ("ret", READ, None, "ret"),
    ("data", READ, b"B" * 512, "data"),
    ("extent", STATUS, ("zero", 512), "extent"),
    ("extent", STATUS, ("data", 511), "extent"),
    ("extent", STATUS, None, "extent"),
    ("error", REFUSED, ("GenericError", "no"), "error"),
    ("error", REFUSED, ("DeviceNotFound", "Node 'q' does not have child 'nosuch'"), "error"),
    ("error", REFUSED, None, "error"),
    ("returns", REMOVED, {"a": 1}, "return"),
    ("returns", REMOVED, None, "return"),
    ("exit", READ, (1, "gone"), "exit"),
    ("early", READ, ("c2 read 0 512",), "answered before the completion of"),
    ("undefined", READ, "double free in f(): x", "undefined behaviour"),
    ("undefined", REMOVED, "double free in f(): x", "undefined behaviour"),
    ("ret", READ, "cancelled", "ret"),
    ("events", READ, [], "events"),
    ("events", STATUS, [parse_event("QUORUM_FAILURE q 0 1")], "events"),
    ("beats", READ, [], "requests"),
    ("beats", READ, [Asked((Request("c0", "read", 0, 512),))], "requests"),
]


def test_what_the_fixture_says_is_no_difference(case: Case, outcome: Outcome) -> None:
    assert against_fixture(case, outcome) == []


@pytest.mark.parametrize(("name", "step", "value", "what"), CHANGES)
def test_fixture_finds_the_one_field_that_differs(
    case: Case, outcome: Outcome, name: str, step: int, value: object, what: str
) -> None:
    setattr(outcome.steps[step], name, value)
    assert one(against_fixture(case, outcome)) == (step, what)


def test_difference_says_both_values(case: Case, outcome: Outcome) -> None:
    outcome.steps[READ].data = b"AB" * 4
    (found,) = against_fixture(case, outcome)
    assert (found.label, found.left, found.right[:8]) == ("read 0 512", "A:512", "A:1 B:1 ")
    assert str(found) == f"read 0 512: data: A:512 != {found.right}"


def test_error_where_success_is_expected_differs_once(case: Case, outcome: Outcome) -> None:
    outcome.steps[REMOVED].error = ("GenericError", "no")
    outcome.steps[REMOVED].returns = None
    assert one(against_fixture(case, outcome)) == (REMOVED, "error")


def test_request_with_another_flag_differs(case: Case, outcome: Outcome) -> None:
    beats = outcome.steps[READ].beats
    assert beats is not None and isinstance(beats[0], Asked)
    first, *others = beats[0].requests
    beats[0] = Asked((replace(first, flags=("fua",)), *others))
    assert one(against_fixture(case, outcome)) == (READ, "requests")


def test_rounds_differ_when_the_same_requests_came_one_after_the_other(
    case: Case, outcome: Outcome
) -> None:
    beats = outcome.steps[READ].beats
    assert beats is not None and isinstance(beats[0], Asked)
    outcome.steps[READ].beats = [Asked((request,)) for request in beats[0].requests]
    assert one(against_fixture(case, outcome)) == (READ, "requests")


def test_contents_differ_by_child(case: Case, outcome: Outcome) -> None:
    assert outcome.contents is not None
    outcome.contents["c1"].write(7, b"x")
    (found,) = against_fixture(case, outcome)
    assert (found.step, found.what) == (None, "contents of c1")
    assert (found.left, found.right) == ("A:65536", "A:7 x:1 A:65528")


def test_trouble_differs_from_everything(case: Case, outcome: Outcome) -> None:
    outcome.trouble.append("leak of qcrs[0].buf")
    (found,) = against_fixture(case, outcome)
    assert (found.label, found.what, found.right) == ("run", "trouble", "leak of qcrs[0].buf")
    assert [d.right for d in between(outcome, outcome)] == [
        f"{outcome.witness}: leak of qcrs[0].buf"
    ] * 2


# Undefined behaviour and leaks.

UNDEFINED = """
- name: a
  children: 2
  quorum: {vote-threshold: 1}
  leaks: [{what: opts of quorum_open()}, {what: s->bs of quorum_open()}]
  steps:
  - read: [0, 512]
    expect: {requests: all, undefined: 'double free in f(): x'}
"""
LEAKS = ["opts of quorum_open()", "s->bs of quorum_open()"]


def undefined(text: str | None, ret: str | None = None) -> Outcome:
    """The case above, ended in ``text``, as a witness saw it that looks at memory."""
    asked = Asked((Request("c0", "read", 0, 512), Request("c1", "read", 0, 512)))
    step = StepOutcome("read 0 512", ret, beats=[asked], undefined=text)
    return Outcome("w", [StepOutcome("open", returns={}, beats=[]), step], sees_memory=True)


def test_undefined_behaviour_is_what_the_fixture_says_word_for_word(load: Load) -> None:
    (case,) = load(UNDEFINED)
    assert against_fixture(case, undefined("double free in f(): x")) == []
    (found,) = against_fixture(case, undefined("double free in f(): y"))
    assert (found.step, found.what) == (1, "undefined behaviour")
    assert (found.left, found.right) == ("double free in f(): x", "double free in f(): y")


def test_answer_before_undefined_behaviour_the_fixture_has_none_of_differs(load: Load) -> None:
    (case,) = load(UNDEFINED)
    assert one(against_fixture(case, undefined("double free in f(): x", "EIO"))) == (1, "ret")


def test_undefined_behaviour_that_did_not_come_differs(load: Load) -> None:
    (case,) = load(UNDEFINED)
    assert [d.what for d in against_fixture(case, undefined(None, "0"))] == [
        "undefined behaviour",
        "ret",
    ]


def test_leaks_are_those_the_fixture_names_in_any_order(load: Load) -> None:
    (case,) = load(UNDEFINED)
    outcome = undefined("double free in f(): x")
    for leaks in (LEAKS, LEAKS[::-1]):
        outcome.leaks = leaks
        assert against_fixture(case, outcome) == []


@pytest.mark.parametrize("leaks", [[], LEAKS[:1], [*LEAKS, "acb of f()"], [*LEAKS, LEAKS[0]]])
def test_other_leaks_than_the_fixture_names_differ_once(load: Load, leaks: list[str]) -> None:
    (case,) = load(UNDEFINED)
    outcome = undefined("double free in f(): x")
    outcome.leaks = leaks
    (found,) = against_fixture(case, outcome)
    assert (found.step, found.label, found.what) == (None, "end", "leaks")
    assert (found.left, found.right) == (", ".join(LEAKS), ", ".join(leaks) or "none")


def test_leaks_nobody_looked_for_are_left_out(load: Load) -> None:
    (case,) = load(UNDEFINED)
    outcome = undefined("double free in f(): x")
    assert outcome.leaks is None
    assert against_fixture(case, outcome) == []
    other = undefined("double free in f(): x")
    other.leaks = ["x of f()"]
    assert between(outcome, other) == between(other, outcome) == []


def test_two_outcomes_part_in_leaks_both_looked_for(case: Case, outcome: Outcome) -> None:
    other = replace(outcome, leaks=["acb of f()"])
    assert outcome.leaks == []
    (found,) = between(outcome, other)
    assert (found.step, found.what, found.left, found.right) == (
        None,
        "leaks",
        "none",
        "acb of f()",
    )
    assert [d.right for d in against_fixture(case, other)] == ["acb of f()"]


def test_story_ends_with_undefined_behaviour() -> None:
    step = undefined("double free in f(): x").steps[1]
    step.beats = [*(step.beats or []), Cancelled(0)]
    assert step.story() == [
        "asks c0 read 0 512",
        "asks c1 read 0 512",
        "  <- request 0: cancelled",
        "undefined behaviour double free in f(): x",
    ]


def test_two_outcomes_part_in_who_was_cancelled(case: Case, outcome: Outcome) -> None:
    beats = outcome.steps[READ].beats
    assert beats is not None
    steps = list(outcome.steps)
    steps[READ] = replace(steps[READ], beats=[*beats, Cancelled(0)])
    assert one(between(outcome, replace(outcome, steps=steps))) == (READ, "story")


@pytest.mark.parametrize(("name", "step"), [("beats", READ), ("data", READ)])
def test_fixture_leaves_out_what_was_not_observed(
    case: Case, outcome: Outcome, name: str, step: int
) -> None:
    setattr(outcome.steps[step], name, None)
    assert against_fixture(case, outcome) == []


def test_fixture_leaves_out_contents_nobody_read_back(case: Case, outcome: Outcome) -> None:
    assert outcome.contents is not None
    del outcome.contents["c0"]
    assert against_fixture(case, outcome) == []
    outcome.contents = None
    assert against_fixture(case, outcome) == []


def test_fixture_leaves_out_requests_nobody_could_see(load: Load) -> None:
    (case,) = load("""
        - name: a
          drive: driver=quorum
          images: {a: A}
          steps:
          - read: [0, 512]
            expect: {ret: 0, data: A}
        """)
    opening = StepOutcome("open", returns={}, beats=[])
    asked = [Asked((Request("a", "read", 0, 512),))]
    step = StepOutcome("read 0 512", "0", b"A" * 512, beats=asked)
    assert against_fixture(case, Outcome("w", [opening, step])) == []


def test_where_an_assertion_stood_is_not_compared(load: Load) -> None:
    case = load(
        """
        - name: abort
          steps:
          - read: [0, 512]
            expect: {exit: {status: -6, stderr: "f: Assertion `a && b' failed."}}
        """
    )[0]
    ended = StepOutcome(
        "read 0 512", exit=(-6, "qemu: ../../block.c:7: f: Assertion `a && b' failed.")
    )
    outcome = Outcome("test", [StepOutcome("open", returns={}), ended])
    assert against_fixture(case, outcome) == []
    ended.exit = (-6, "qemu: ../../block.c:7: g: Assertion `a && b' failed.")
    assert one(against_fixture(case, outcome)) == (1, "exit")


def test_an_end_in_a_step_of_which_nothing_is_seen_differs(load: Load) -> None:
    (case,) = load("""
        - name: a
          steps:
          - kill: true
        """)
    ended = StepOutcome("kill")
    outcome = Outcome("w", [StepOutcome("open", returns={}), ended])
    assert against_fixture(case, outcome) == []
    ended.exit = (-6, "")
    assert one(against_fixture(case, outcome)) == (1, "exit")


def test_after_an_expected_exit_nothing_else_of_the_step_counts(load: Load) -> None:
    (case,) = load("""
        - name: a
          steps:
          - read: [0, 512]
            expect: {exit: {status: 1, stderr: bye}}
          - read: [0, 512]
            expect: {ret: 0, data: A, requests: all}
        """)
    ended = StepOutcome("read 0 512", exit=(1, "bye"), events=[parse_event("QUORUM_FAILURE q 0 1")])
    outcome = Outcome("w", [StepOutcome("open", returns={}), ended])
    assert against_fixture(case, outcome) == []
    ended.exit = (1, "BYE")
    assert one(against_fixture(case, outcome)) == (1, "exit")
    ended.exit = None
    assert one(against_fixture(case, outcome)) == (1, "exit")


def test_an_outcome_is_no_different_from_itself(outcome: Outcome) -> None:
    assert between(outcome, outcome) == []


@pytest.mark.parametrize(
    ("name", "step", "value", "what"),
    [
        *((*change[:3], change[0]) for change in CHANGES if change[0] != "beats"),
        ("beats", READ, [], "story"),
    ],
)
def test_two_outcomes_part_in_the_one_field_that_differs(
    case: Case,
    outcome: Outcome,
    play: Callable[[Case], Outcome],
    name: str,
    step: int,
    value: object,
    what: str,
) -> None:
    other = play(case)
    setattr(other.steps[step], name, value)
    assert one(between(outcome, other)) == (step, what)
    assert one(between(other, outcome)) == (step, what)


def test_two_outcomes_part_in_how_a_request_was_answered(
    case: Case, outcome: Outcome, play: Callable[[Case], Outcome]
) -> None:
    other = play(case)
    beats = other.steps[READ].beats
    assert beats is not None
    beats[1] = Answered("c0", "read", 5)
    assert one(between(outcome, other)) == (READ, "story")


def test_two_outcomes_part_in_the_data_that_was_written(
    load: Load, play: Callable[[Case], Outcome]
) -> None:
    (case,) = load("""
        - name: a
          children: 1
          quorum: {vote-threshold: 1}
          steps:
          - write: [0, 512, W]
            expect: {ret: 0, requests: all}
          contents: {c0: "W:512 A"}
        """)
    left, right = play(case), play(case)
    beats = right.steps[1].beats
    assert beats is not None and isinstance(beats[0], Asked)
    beats[0] = Asked((replace(beats[0].requests[0], data=b"X" * 512),))
    assert against_fixture(case, right) == []
    (found,) = between(left, right)
    assert "= W:512" in found.left and "= X:512" in found.right


def test_two_outcomes_part_in_the_number_of_steps(
    case: Case, outcome: Outcome, play: Callable[[Case], Outcome]
) -> None:
    other = play(case)
    other.steps.pop()
    assert one(between(outcome, other)) == (None, "steps")


def test_two_outcomes_part_in_contents_both_know(
    case: Case, outcome: Outcome, play: Callable[[Case], Outcome]
) -> None:
    other = play(case)
    assert other.contents is not None
    other.contents["c0"] = Sparse(65536, ord("Z"))
    assert one(between(outcome, other)) == (None, "contents of c0")


def test_two_outcomes_leave_out_what_one_did_not_observe(
    case: Case, outcome: Outcome, play: Callable[[Case], Outcome]
) -> None:
    other = play(case)
    assert other.contents is not None
    del other.contents["c0"]
    for step in other.steps:
        step.beats = None
    assert between(outcome, other) == between(other, outcome) == []
    other.contents = None
    assert between(outcome, other) == between(other, outcome) == []


def test_story_tells_requests_answers_results_and_events(outcome: Outcome) -> None:
    assert outcome.steps[READ].story() == [
        "asks c0 read 0 512",
        "asks c1 read 0 512",
        "asks c2 read 0 512",
        "  <- c0 read: ok",
        "  <- c1 read: ok",
        "  <- c2 read: ok",
        "ret 0",
        "data A:512",
        f"event {parse_event('QUORUM_REPORT_BAD read c2 0 1')}",
    ]


# Beside a job.


def test_what_children_are_asked_beside_a_job_is_not_compared(outcome: Outcome) -> None:
    other = replace(outcome, steps=[replace(step, beats=[]) for step in outcome.steps])
    assert [one.what for one in between(outcome, other)] == ["story", "story"]
    for shown in (outcome, other):
        paced = replace(shown, steps=[replace(step, beside_job=True) for step in shown.steps])
        assert between(outcome if shown is other else other, paced) == []


def test_results_beside_a_job_are_compared(outcome: Outcome) -> None:
    paced = replace(outcome, steps=[replace(step, beside_job=True) for step in outcome.steps])
    paced.steps[READ] = replace(paced.steps[READ], ret="EIO")
    assert [one.what for one in between(outcome, paced)] == ["ret"]


def test_what_is_told_after_undefined_behaviour_beside_a_job_is_anybodys(
    load: Load, play: Callable[[Case], Outcome]
) -> None:
    (case,) = load("""
        - name: a
          quorum: {vote-threshold: 2}
          steps:
          - read: [0, 512]
            expect:
              undefined: "use after free in f() from g(): s->x"
              events: [QUORUM_REPORT_BAD read c0 0 1 EIO]
        """)
    first, second = (parse_event(f"QUORUM_REPORT_BAD read {c} 0 1 EIO") for c in ("c0", "c1"))
    outcome = replace(play(case), sees_memory=False)
    for events, wrong in (([first, second], []), ([second], ["events"]), ([], ["events"])):
        outcome.steps[1] = StepOutcome("read", ret="0", events=events, beside_job=True)
        assert [one.what for one in against_fixture(case, outcome)] == wrong
    # Without a job nothing goes on that could tell of anything.
    outcome.steps[1] = StepOutcome("read", ret="0", events=[first, second])
    assert [one.what for one in against_fixture(case, outcome)] == ["events"]
    outcome.steps[1] = StepOutcome("read", ret="0", events=[first])
    assert against_fixture(case, outcome) == []

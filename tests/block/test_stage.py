# SPDX-License-Identifier: GPL-2.0-or-later
"""Rounds, the schedule, and who is answered next."""

from __future__ import annotations

import pytest

from qsim.block.child import Fault, Request, ScriptedChild
from qsim.block.sparse import Sparse
from qsim.block.stage import Answered, Asked, Cancelled, Stage, StopAfter


def stage(*faults: tuple[str, Fault]) -> Stage[object]:
    """Three children of 4096 bytes."""
    children = {name: ScriptedChild(name, Sparse(4096, 65)) for name in ("a", "b", "c")}
    for name, fault in faults:
        children[name].faults.append(fault)
    return Stage(children)


def arrive(on: Stage[object], *names: str, op: str = "read") -> None:
    """A request for each of these children, with a cookie of its own."""
    for name in names:
        on.arrive(Request(name, op, 0, 512), object())


def answered(on: Stage[object]) -> list[str]:
    """Complete all that is held; who was answered in which order."""
    order = []
    while gone := on.complete_next():
        order.append("+".join(held.request.child for held, _ in gone))
    return order


def test_what_arrived_before_a_settling_is_one_round_sorted_by_child() -> None:
    on = stage()
    arrive(on, "c", "a", "b")
    on.settle()
    (asked,) = on.beats
    assert isinstance(asked, Asked)
    assert [request.child for request in asked.requests] == ["a", "b", "c"]


def test_requests_of_one_child_keep_the_order_of_their_arrival() -> None:
    on = stage()
    for op in ("write", "read", "flush"):
        on.arrive(Request("a", op), object())
    on.settle()
    (asked,) = on.beats
    assert isinstance(asked, Asked)
    assert [request.op for request in asked.requests] == ["write", "read", "flush"]


def test_settling_with_nothing_new_is_no_round() -> None:
    on = stage()
    on.settle()
    arrive(on, "a")
    on.settle()
    on.settle()
    assert len(on.beats) == 1


def test_what_arrived_is_not_held_before_it_has_settled() -> None:
    on = stage()
    arrive(on, "a")
    assert on.waiting
    assert on.complete_next() == []
    on.settle()
    assert not on.waiting
    assert len(on.complete_next()) == 1


def test_without_a_schedule_the_oldest_is_answered_first() -> None:
    on = stage()
    arrive(on, "c", "b")
    on.settle()
    arrive(on, "a")
    on.settle()
    assert answered(on) == ["b", "c", "a"]


def test_schedule_decides_and_what_it_leaves_out_comes_after_it() -> None:
    on = stage()
    on.begin(["c", "a"])
    arrive(on, "a", "b", "c")
    on.settle()
    assert answered(on) == ["c", "a", "b"]
    assert on.impossible == []


def test_schedule_can_name_a_child_that_is_asked_only_later() -> None:
    on = stage()
    on.begin(["b", "c"])
    arrive(on, "a", "b")
    on.settle()
    on.complete_next()
    arrive(on, "c")
    on.settle()
    assert answered(on) == ["c", "a"]


def test_schedule_that_names_who_holds_nothing_is_impossible_and_goes_on() -> None:
    on = stage()
    on.begin(["c", "b"])
    arrive(on, "a", "b")
    on.settle()
    assert answered(on) == ["b", "a"]
    assert on.impossible == ["c"]


def test_what_the_schedule_still_names_at_the_end_was_impossible() -> None:
    on = stage()
    on.begin(["a", "a", "b"])
    arrive(on, "a")
    on.settle()
    on.complete_next()
    on.end()
    assert on.impossible == ["a", "b"]
    assert on.order == []


def test_of_two_requests_of_one_child_the_schedule_means_the_older() -> None:
    on = stage()
    on.begin(["b", "b"])
    on.arrive(Request("b", "write", 0, 0, data=b""), object())
    on.arrive(Request("b", "flush"), object())
    arrive(on, "a")
    on.settle()
    ops = [on.complete_next()[0][0].request.op for _ in range(3)]
    assert ops == ["write", "flush", "read"]


def test_schedule_can_mean_a_younger_request_of_a_child() -> None:
    on = stage()
    on.begin(["b.1", "b.1", "b"])
    for op in ("write-zeroes", "flush", "read"):
        on.arrive(Request("b", op), object())
    on.settle()
    assert [on.complete_next()[0][0].request.op for _ in range(3)] == [
        "flush",
        "read",
        "write-zeroes",
    ]
    assert on.impossible == []


def test_younger_request_that_is_not_held_is_impossible() -> None:
    on = stage()
    on.begin(["b.1"])
    arrive(on, "a", "b")
    on.settle()
    assert answered(on) == ["a", "b"]
    assert on.impossible == ["b.1"]


def test_answers_are_part_of_the_story() -> None:
    on = stage(("b", Fault("read", 28)))
    arrive(on, "a", "b")
    on.settle()
    answered(on)
    assert on.end()[1:] == [Answered("a", "read", 0), Answered("b", "read", 28)]
    assert [str(beat) for beat in on.beats[1:]] == ["a read: ok", "b read: ENOSPC"]


def test_dying_child_loses_all_it_held_and_nothing_else() -> None:
    on = stage(("b", Fault("read", 0, dead=True)))
    on.begin(["b"])
    arrive(on, "a", "b", "c")
    arrive(on, "b", op="flush")
    on.settle()
    gone = on.complete_next()
    assert [(held.request.op, reply.dead) for held, reply in gone] == [
        ("read", True),
        ("flush", True),
    ]
    assert str(on.beats[-1]) == "b read: dies"
    assert answered(on) == ["a", "c"]


def test_death_by_a_younger_request_takes_the_chosen_one_first() -> None:
    on = stage(("b", Fault("flush", 0, dead=True)))
    arrive(on, "b", op="read")
    on.settle()
    arrive(on, "b", op="flush")
    on.settle()
    on.held.reverse()
    assert [held.request.op for held, _ in on.complete_next()] == ["flush", "read"]


def test_a_step_begins_with_an_empty_story_and_keeps_what_is_held() -> None:
    on = stage()
    arrive(on, "a")
    on.settle()
    on.begin([])
    assert on.beats == []
    assert answered(on) == ["a"]


def test_end_settles_what_has_just_arrived() -> None:
    on = stage()
    arrive(on, "a")
    assert len(on.end()) == 1
    assert len(on.held) == 1


# Cancelling.


def test_word_of_the_schedule_cancels_a_guest_request_by_its_place() -> None:
    on = stage()
    on.begin(["a", "cancel", "cancel.1"])
    arrive(on, "a")
    on.settle()
    # Not yet: first a is answered.
    assert on.cancel_next() is None
    assert len(on.complete_next()) == 1
    assert on.cancel_next() == 0
    on.cancelled(0)
    assert on.cancel_next() == 1
    on.cancelled(1)
    assert on.cancel_next() is None
    assert [str(beat) for beat in on.beats[1:]] == [
        "a read: ok",
        "request 0: cancelled",
        "request 1: cancelled",
    ]
    on.end()
    assert on.impossible == []


def test_without_a_schedule_nothing_is_cancelled() -> None:
    on = stage()
    arrive(on, "a")
    on.settle()
    assert on.cancel_next() is None


@pytest.mark.parametrize("word", ["cancel", "cancel.1"])
def test_cancelling_when_no_guest_request_is_in_flight_is_impossible(word: str) -> None:
    on = stage()
    on.begin([word])
    on.end()
    assert on.impossible == [word]


def test_asking_who_is_cancelled_next_does_not_use_the_word_up() -> None:
    on = stage()
    on.begin(["cancel"])
    assert on.cancel_next() == on.cancel_next() == 0


def test_beats_that_differ_in_who_was_cancelled_differ() -> None:
    assert Cancelled(0) != Cancelled(1)


# A step that ends with a completion.


def test_it_counts_what_one_child_has_completed_of_one_kind() -> None:
    on = stage()
    on.begin((), StopAfter("b", "read", 2))
    arrive(on, "a", "b")
    arrive(on, "b", op="flush")
    arrive(on, "b", "b")
    on.settle()
    left = []
    while on.complete_next():
        left.append(on.to_come)
    assert left == [2, 1, 1, 0, 0]
    on.end()
    assert on.missed is None


def test_what_did_not_come_so_often_is_told_when_the_step_is_over() -> None:
    on = stage()
    on.begin((), StopAfter("b", "read", 2))
    arrive(on, "b")
    on.settle()
    answered(on)
    on.end()
    assert str(on.missed) == "b read x2"
    on.begin(())
    on.end()
    assert on.missed is None


def test_what_is_held_at_the_end_of_a_step_is_held_in_the_next() -> None:
    on = stage()
    on.begin((), StopAfter("a", "read", 1))
    arrive(on, "a", "b")
    on.settle()
    on.complete_next()
    on.end()
    on.begin(())
    assert answered(on) == ["b"]


def test_what_a_killed_process_has_asked_has_no_effect() -> None:
    on = stage()
    on.begin((), StopAfter("a", "read", 1))
    arrive(on, "a", "b")
    on.settle()
    on.complete_next()
    on.end()
    # Arrived, and not yet seen.
    arrive(on, "c")
    on.drop()
    assert not on.waiting
    on.begin(())
    assert answered(on) == []
    assert on.end() == []

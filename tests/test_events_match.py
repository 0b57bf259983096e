# SPDX-License-Identifier: GPL-2.0-or-later
"""Comparing events: what the rate limiter may leave out, and where in the story they were made."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.block.events import Event
from qsim.outcome import Outcome, StepOutcome, between, events_match
from qsim.scenario.notation import parse_event


def test_an_event_has_its_place_in_the_story_where_both_know_it() -> None:
    def outcome(after: int | None) -> Outcome:
        event = replace(parse_event("QUORUM_REPORT_BAD read c0 0 1 EIO"), after=after)
        return Outcome("w", [StepOutcome("read 0 512", ret="0", events=[event])])

    assert between(outcome(1), outcome(1)) == []
    assert between(outcome(1), outcome(None)) == []
    (found,) = between(outcome(1), outcome(3))
    assert (found.left, found.right) == (
        "QUORUM_REPORT_BAD read c0 0 1 EIO (after 1 completions)",
        "QUORUM_REPORT_BAD read c0 0 1 EIO (after 3 completions)",
    )


def bad(node: str, sector: int) -> Event:
    """One event of a window of its own, told from others of the window by its sector."""
    return parse_event(f"QUORUM_REPORT_BAD read {node} {sector} 1")


def failure(sector: int) -> Event:
    """One event of the window all nodes share."""
    return parse_event(f"QUORUM_FAILURE q {sector} 1")


def test_all_events_match() -> None:
    events = [bad("a", 0), bad("b", 0), failure(0)]
    assert events_match(events, events)
    assert events_match([], [])


def test_of_one_window_the_middle_may_be_dropped() -> None:
    events = [bad("a", 0), bad("a", 1), bad("a", 2), bad("a", 3)]
    for kept in ([0, 3], [0, 1, 3], [0, 2, 3], [0, 1, 2, 3]):
        assert events_match(events, [events[i] for i in kept])


@pytest.mark.parametrize(
    ("opened", "kept", "matches"),
    [
        ((), [0], True),
        ((), [0, 1], True),
        ((), [0, 2], True),
        ((), [], False),
        ((), [1, 2], False),
        ((), [0, 2, 1], False),
        (("QUORUM_REPORT_BAD a",), [], True),
        (("QUORUM_REPORT_BAD a",), [2], True),
        (("QUORUM_REPORT_BAD b",), [1, 2], False),
    ],
)
def test_of_a_window_that_does_not_close_only_what_opens_it_must_be_there(
    opened: tuple[str, ...], kept: list[int], matches: bool
) -> None:
    events = [bad("a", 0), bad("a", 1), bad("a", 2)]
    assert events_match(events, [events[i] for i in kept], opened=opened) is matches


def test_what_has_no_window_is_not_missed_where_none_closes() -> None:
    events = [parse_event("BLOCK_JOB_READY j"), parse_event("BLOCK_JOB_COMPLETED j")]
    assert not events_match(events, events[:1], opened=())


def test_a_window_that_does_not_close_is_open_in_the_next_step() -> None:
    def outcome(withheld: bool, *steps: list[Event]) -> Outcome:
        shown = [StepOutcome(str(i), events=events) for i, events in enumerate(steps)]
        for step in shown[1:3]:
            step.withheld = withheld
        return Outcome("w", shown)

    first, second = bad("a", 0), bad("a", 1)
    whole = outcome(False, [first], [first, second], [second], [first, second])
    lost = outcome(True, [first], [first], [], [first, second])
    assert [lost.opened(i) for i in range(4)] == [
        None, frozenset(), frozenset({"QUORUM_REPORT_BAD a"}), None,
    ]  # fmt: skip
    assert between(whole, lost) == between(lost, whole) == []
    lost.steps[3].events = [first]
    assert [one.step for one in between(whole, lost)] == [3]
    # What opens the window is missed, and then what comes behind it too.
    unseen = outcome(True, [first], [], [], [first, second])
    assert [one.step for one in between(whole, unseen)] == [1, 2]


@pytest.mark.parametrize("kept", [[], [0], [3], [0, 1, 2], [1, 2, 3], [1, 2]])
def test_of_one_window_first_and_last_must_be_there(kept: list[int]) -> None:
    events = [bad("a", 0), bad("a", 1), bad("a", 2), bad("a", 3)]
    assert not events_match(events, [events[i] for i in kept])


def test_of_two_events_none_may_be_dropped() -> None:
    events = [bad("a", 0), bad("a", 1)]
    assert not events_match(events, events[:1])
    assert not events_match(events, events[1:])


def test_windows_of_different_nodes_are_independent() -> None:
    events = [bad("a", 0), bad("b", 0), bad("a", 1), bad("b", 1), bad("a", 2)]
    assert events_match(events, [events[i] for i in (0, 1, 3, 4)])
    assert not events_match(events, [events[i] for i in (0, 1, 2, 4)])


def test_failures_share_one_window_whatever_they_name() -> None:
    events = [failure(0), parse_event("QUORUM_FAILURE r 0 1"), failure(1)]
    assert events_match(events, [events[0], events[2]])
    assert not events_match(events, events[:2])


def test_events_without_a_limit_are_never_dropped() -> None:
    events = [Event.of("OTHER", {"n": n}) for n in range(3)]
    assert events_match(events, events)
    assert not events_match(events, [events[0], events[2]])


def test_order_counts() -> None:
    events = [bad("a", 0), bad("b", 0)]
    assert not events_match(events, events[::-1])


def test_nothing_may_be_added_or_changed() -> None:
    events = [bad("a", 0), bad("a", 1), bad("a", 2)]
    assert not events_match(events, [*events, events[-1]])
    assert not events_match(events, [events[0], bad("a", 9), events[2]])
    assert not events_match([], events[:1])


def test_equal_events_are_counted() -> None:
    same = [bad("a", 0)] * 4
    assert events_match(same, same[:2])
    assert events_match(same, same[:3])
    assert not events_match(same, same[:1])


def allowed(events: list[Event]) -> list[list[Event]]:
    """What the limiter can leave, by its definition: all choices that keep both ends."""
    ends = set()
    for node in {event.get("node-name") for event in events}:
        places = [i for i, event in enumerate(events) if event.get("node-name") == node]
        ends |= {places[0], places[-1]}
    middle = sorted(set(range(len(events))) - ends)
    return [
        [events[i] for i in sorted({*ends, *chosen})]
        for count in range(len(middle) + 1)
        for chosen in combinations(middle, count)
    ]


_EVENTS = st.lists(
    st.builds(bad, st.sampled_from("ab"), st.integers(min_value=0, max_value=2)), max_size=6
)


@given(_EVENTS)
def test_whatever_the_limiter_can_leave_matches(events: list[Event]) -> None:
    assert all(events_match(events, left) for left in allowed(events))


@given(_EVENTS, _EVENTS)
def test_whatever_matches_the_limiter_can_leave(events: list[Event], seen: list[Event]) -> None:
    assert events_match(events, seen) == (seen in allowed(events))

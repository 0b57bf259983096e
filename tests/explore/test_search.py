# SPDX-License-Identifier: GPL-2.0-or-later
"""The search: what it may leave out, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from qsim.block.child import Fault
from qsim.explore.exploration import Exploration
from qsim.explore.possible import Possible, possible
from qsim.explore.search import Bounds, Reduction, Search
from qsim.quorum import coroutine
from qsim.quorum.revisions import revision
from qsim.scenario import Case, Step
from qsim.scenario.asked import load_asked
from qsim.target.model import run_model

FAULTS = "any of ok, EIO, ENOSPC"


def asked(step: dict[str, Any], children: Any = 3, **quorum: Any) -> Case:
    return load_asked(
        {
            "name": "a",
            "children": children,
            "quorum": {"vote-threshold": 2, **quorum},
            "steps": [step],
        }
    )


def one_read(count: int, **quorum: Any) -> Case:
    """Each child has A or B, or fails in one of two ways."""
    faults = {f"c{i}": FAULTS for i in range(count)}
    children = [{"contents": "any of A, B"}] * count
    return asked({"read": [0, 512], "faults": faults}, children, **quorum)


SEVERAL = {
    "two reads": {"together": [{"read": [0, 512]}, {"read": [512, 512]}]},
    "a read in a write": {"together": [{"write": [0, 512, "X"]}, {"read": [0, 512]}]},
    "two writes of the same place": {
        "together": [{"write": [0, 512, "X"]}, {"write": [0, 512, "Y"]}],
    },
    "with an error": {
        "together": [{"read": [0, 512]}, {"flush": True}],
        "faults": {"c0": "any of ok, read EIO, flush EIO"},
    },
}


def outcomes(search: Search) -> set[Possible]:
    return {possible(way.outcome) for way in search.ways()}


def all_ways_of_searching(case: Case, name: str) -> dict[Reduction, tuple[Search, set[Possible]]]:
    searches = {one: Search(case, revision(name), one) for one in Reduction}
    return {one: (search, outcomes(search)) for one, search in searches.items()}


@pytest.mark.parametrize("name", ["v4", "mid-2015", "5.2", "7.2", "11.1"])
@pytest.mark.parametrize("step", SEVERAL.values(), ids=SEVERAL.keys())
def test_reduction_leaves_out_no_outcome_of_requests_together(
    step: dict[str, Any], name: str
) -> None:
    found = all_ways_of_searching(asked(step, 2), name)
    assert found[Reduction.ORDERS][1] == found[Reduction.STATES][1] == found[Reduction.FULL][1]
    runs = {one: search.figures.executions for one, (search, _) in found.items()}
    assert runs[Reduction.FULL] <= runs[Reduction.STATES] <= runs[Reduction.ORDERS]


@pytest.mark.parametrize("threshold", [1, 2, 3])
@pytest.mark.parametrize("pattern", ["quorum", "fifo"])
def test_reduction_leaves_out_no_outcome_of_a_read(pattern: str, threshold: int) -> None:
    quorum = {"vote-threshold": threshold, "read-pattern": pattern}
    found = all_ways_of_searching(one_read(3, **quorum), "7.2")
    assert found[Reduction.ORDERS][1] == found[Reduction.STATES][1] == found[Reduction.FULL][1]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_states_are_those_one_can_count(count: int) -> None:
    # Each child is asked, or has answered in one of four ways; when all have, the run is over.
    search = Search(one_read(count, **{"vote-threshold": 1}), revision("7.2"), Reduction.STATES)
    assert len(outcomes(search)) == 4**count
    assert search.figures.states == 5**count - 4**count
    # From each state one of the children that are asked still, in one of four ways.
    assert search.figures.edges == 4 * count * 5 ** (count - 1)


def test_independent_completions_are_made_in_one_order() -> None:
    step = {"together": [{"read": [0, 512]}, {"read": [512, 512]}]}
    case = asked(step, 3)
    full = Search(case, revision("7.2"), Reduction.FULL)
    states = Search(case, revision("7.2"), Reduction.STATES)
    assert outcomes(full) == outcomes(states)
    assert full.figures.states <= states.figures.states
    assert full.figures.executions < states.figures.executions


def test_bound_ends_a_search_that_could_go_on() -> None:
    search = Search(one_read(3), revision("7.2"), bounds=Bounds(executions=7))
    assert len(list(search.ways())) <= 7
    assert search.beyond and not search.complete
    search.bounds = Bounds()
    rest = outcomes(search)
    assert search.complete
    assert len(rest) > 50


def test_case_goes_a_way_again_when_all_is_decided() -> None:
    case = one_read(3)
    for way in Search(case, revision("7.2")).ways():
        closed = way.closed(case)
        assert not closed.is_open
        (again,) = Search(closed, revision("7.2"), Reduction.ORDERS, bounds=Bounds(1)).ways()
        assert again.schedule in (way.schedule, ("c0", "c1", "c2"))
        # What it is told as is what it is.
        told = load_asked(closed.raw)
        assert told.children == closed.children
        assert [_faults(step) for step in told.steps] == [_faults(step) for step in closed.steps]
        assert [step.complete for step in told.steps] == [way.schedule]


def _faults(step: Step) -> dict[str, tuple[Fault, ...]]:
    return {name: faults for name, faults in step.faults.items() if faults}


def test_defect_of_a_step_that_is_over_is_not_merged_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some order of the first step shows it; all orders of it come to the same second step."""
    done = coroutine._child_done

    def hasty(acb: Any, sacb: Any) -> None:
        if acb.count == 0 and sacb is acb.qcrs[2] and acb.offset == 0:
            acb.hasty = True
            coroutine.quorum_report_bad_acb(acb, acb.qcrs[0], -5)
        if getattr(acb, "hasty", False) and sacb is acb.qcrs[0]:
            acb.count += 1
            if acb.count == len(acb.bs.quorum_children):
                acb.co.enter_if_inactive()
        else:
            done(acb, sacb)

    monkeypatch.setattr(coroutine, "_child_done", hasty)
    steps = [{"read": [0, 512], "faults": {"c0": "EIO x1"}}, {"read": [512, 512]}]
    raw = {"name": "a", "quorum": {"vote-threshold": 2}, "steps": steps}
    for reduction in Reduction:
        exploration = Exploration([load_asked(raw)], revision("7.2"), reduction)
        exploration.run()
        assert [defect.what for defect in exploration.defects] == [
            "cause: a child is reported before it has failed"
        ]


@pytest.mark.parametrize("fault", ["any of ok, EPERM", "write EPERM"])
def test_open_faults_of_a_child_last_beyond_the_step_that_has_some_too(fault: str) -> None:
    case = load_asked(
        {
            "name": "a",
            "children": ["A", {"contents": "A", "faults": "any of ok, EIO"}],
            "quorum": {"vote-threshold": 1},
            "steps": [{"read": [0, 512], "faults": {"c1": fault}}, {"read": [0, 512]}],
        }
    )
    for way in Search(case, revision("7.2"), Reduction.ORDERS).ways():
        again = run_model(way.closed(case), revision("7.2"))
        assert possible(again) == possible(way.outcome)


def test_refused_command_changes_no_children_for_the_invariants() -> None:
    remove = {"execute": "x-blockdev-change", "arguments": {"parent": "q", "child": "children.1"}}
    steps = [{"write": [0, 512, "X"], "meanwhile": remove}, {"read": [0, 512]}]
    raw = {"name": "a", "children": 2, "quorum": {"vote-threshold": 2}, "steps": steps}
    exploration = Exploration([load_asked(raw)], revision("7.2"))
    exploration.run()
    assert exploration.defects == []

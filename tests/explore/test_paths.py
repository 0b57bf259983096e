# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way a request can go: which ways there are, and which defects lie on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import permutations, product
from math import factorial

import pytest

from qsim.block.memory import Struct
from qsim.explore.grid import CONTENTS, ERRNOS, STEPS, grid, patterns_of
from qsim.explore.invariants import violations
from qsim.explore.paths import Defect, defects_of, explore, paths, shortest
from qsim.outcome import Outcome, StepOutcome, against_fixture
from qsim.quorum import aio
from qsim.quorum.aio import QuorumAIOCB, quorum_aio_finalize, quorum_rewrite_bad_versions
from qsim.quorum.revisions import REVISIONS, revision
from qsim.report.saved import Head, asked, saved
from qsim.scenario import Case
from qsim.scenario.load import load_text
from qsim.select import cases_of
from qsim.target.model import run_model

Load = Callable[[str], list[Case]]

NAMES = [one.name for one in REVISIONS]

# What can go wrong, as fixtures/2014 has it in words; an index of an array is [i] here.

#: open.yaml: the option list of every open, until 8df3abfcee.
OPTS = "leak of opts of quorum_open()"
#: vote.yaml: the report of a failed read follows the AIOCB that reads never keep.
FAILED_READ = "null dereference in quorum_aio_cb() from bdrv_co_em_bh(): sacb->aiocb"
#: fifo.yaml: when all children have failed, one element past the array is freed.
NOBODY_ANSWERS = "out of bounds in quorum_aio_finalize() from quorum_aio_cb(): acb->qcrs[i]"
#: cancel.yaml: reads keep no AIOCB, and until 997dd8df3e each is cancelled all the same.
CANCELLED_READ = "null dereference in bdrv_aio_cancel() from quorum_aio_cancel(): acb->aiocb_info"
#: cancel.yaml: the AIOCB of a child's write that is over is still in the array.
HALF_WRITTEN = "use after free in bdrv_aio_cancel() from quorum_aio_cancel(): acb->aiocb_info"
HALF_WRITTEN_ASYNC = (
    "use after free in bdrv_aio_cancel_async() from quorum_aio_cancel(): acb->aiocb_info"
)
#: cancel.yaml: waiting for the last child's write finishes the request, which is freed again.
CANCELLED_WRITE = "use after free in quorum_aio_cancel() from bdrv_aio_cancel(): acb->qcrs"
#: cancel.yaml: since 997dd8df3e the children's requests go on, and the request is gone.
READ_GOES_ON = (
    "use after free in nbd_co_receive_reply() from bdrv_co_do_preadv(): acb->qcrs[i].qiov.iov"
)
FAILURE_GOES_ON = "use after free in quorum_aio_cb() from bdrv_co_em_bh(): acb->qcrs[i].parent"
REWRITE_GOES_ON = (
    "use after free in quorum_rewrite_aio_cb() from bdrv_co_em_bh(): acb->rewrite_count"
)

#: write.yaml: in FIFO order the threshold is not checked at open, and still counts writes.
ENOUGH = "enough: a write succeeds and fewer children than the threshold have done it"

BEFORE = {OPTS, FAILED_READ, CANCELLED_READ, HALF_WRITTEN, CANCELLED_WRITE}
FOUND = {
    "before": BEFORE,
    # v1 as the model takes it frees the buffers of all children: none too many.
    "v1": BEFORE | {ENOUGH},
    "v4": BEFORE | {NOBODY_ANSWERS, ENOUGH},
    "opts-freed": (BEFORE | {NOBODY_ANSWERS, ENOUGH}) - {OPTS},
    "cancel-null": {
        FAILED_READ,
        NOBODY_ANSWERS,
        HALF_WRITTEN,
        CANCELLED_WRITE,
        READ_GOES_ON,
        FAILURE_GOES_ON,
        REWRITE_GOES_ON,
        ENOUGH,
    },
    "cancel-async": {FAILED_READ, NOBODY_ANSWERS, HALF_WRITTEN_ASYNC, ENOUGH},
    "mid-2015": {FAILED_READ, NOBODY_ANSWERS, HALF_WRITTEN_ASYNC, ENOUGH},
    **{one.name: set[str]() for one in REVISIONS if one.engine == "coroutine"},
}
#: Without cancelling: what children that fail are enough for.
FOUND_WITHOUT_CANCELLING = {
    "before": {OPTS, FAILED_READ},
    "v4": {OPTS, FAILED_READ, NOBODY_ANSWERS, ENOUGH},
    "cancel-null": {FAILED_READ, NOBODY_ANSWERS, ENOUGH},
    "mid-2015": {FAILED_READ, NOBODY_ANSWERS, ENOUGH},
}


@cache
def _two_children(patterns: tuple[str, ...]) -> list[Case]:
    # Which errno a child fails with makes no other defect.
    return grid((2,), patterns, ERRNOS[:1])


@cache
def found_on(name: str) -> list[Defect]:
    """The shortest way to each defect of a revision, on two children."""
    wanted = revision(name)
    return shortest(explore(_two_children(patterns_of(wanted)), wanted))


@pytest.mark.parametrize("name", FOUND)
def test_defects_of_a_revision_on_two_children_are_these_and_no_others(name: str) -> None:
    assert {defect.what for defect in found_on(name)} == FOUND[name]


@pytest.mark.parametrize("name", FOUND_WITHOUT_CANCELLING)
def test_defects_that_need_nobody_to_cancel(name: str) -> None:
    wanted = revision(name)
    cases = grid((2,), patterns_of(wanted), ["EIO"])
    found = shortest(explore(cases, wanted, cancel=False))
    assert {defect.what for defect in found} == FOUND_WITHOUT_CANCELLING[name]


@pytest.mark.parametrize("name", [name for name, found in FOUND.items() if found])
def test_shortest_way_to_a_defect_is_a_scenario_that_loads_and_shows_it_again(name: str) -> None:
    wanted = revision(name)
    for defect in found_on(name):
        head = Head("explored", defect.what, "an exploration", name)
        text = saved(asked(defect.case.raw), defect.outcome, head)
        (case,) = load_text("explored.yaml", text, NAMES)
        assert (case.since, case.until) == (name, name)
        outcome = run_model(case, wanted)
        assert [str(one) for one in against_fixture(case, outcome)] == []
        assert defect.what in defects_of(outcome) + violations(case, wanted, outcome)


def test_shortest_ways_are_as_short_as_in_the_fixtures() -> None:
    ways = {
        defect.what: (
            defect.case.steps[0].verb,
            sorted(defect.case.steps[0].faults),
            defect.case.steps[0].complete,
        )
        for defect in [*found_on("v4"), *found_on("cancel-null")]
    }
    assert ways[NOBODY_ANSWERS] == ("read", ["c0", "c1"], ("c0", "c1"))
    assert ways[CANCELLED_READ] == ("read", [], ("cancel",))
    # To cancel a write is to wait for its children.
    assert ways[CANCELLED_WRITE] == ("write", [], ("cancel", "c0", "c1"))
    assert ways[HALF_WRITTEN] == ("write", [], ("c0", "cancel"))
    assert ways[READ_GOES_ON] == ("read", [], ("cancel", "c0"))
    # A single answer is enough when it is a failure; either child's will do.
    verb, (failing,), schedule = ways[FAILED_READ]
    assert (verb, schedule) == ("read", (failing,))
    verb, (failing,), schedule = ways[FAILURE_GOES_ON]
    assert (verb, schedule) == ("read", ("cancel", failing))
    verb, faults, schedule = ways[REWRITE_GOES_ON]
    assert (verb, faults, schedule[2]) == ("read", [], "cancel")
    # A FIFO read is over after one answer.
    assert ways[OPTS] == ("read", [], ("c0",))


def test_shortest_has_the_fewest_children_then_faults_then_words() -> None:
    one, *_ = found_on("mid-2015")
    (step,) = one.case.steps
    longer = replace(one, case=replace(one.case, steps=(replace(step, complete=("c0",) * 9),)))
    other = replace(one, what="another")
    assert shortest([longer, other, one, longer]) == sorted([one, other], key=lambda d: d.what)
    children = dict(list(one.case.children.items())[:1])
    fewer = replace(longer, case=replace(longer.case, children=children))
    assert shortest([one, fewer]) == [fewer]


# The ways there are.


def reading(load: Load, count: int, pattern: str = "quorum") -> Case:
    """A read of some children."""
    (case,) = load(f"""
        - name: a
          children: {count}
          quorum: {{vote-threshold: 1, read-pattern: {pattern}}}
          steps:
          - read: [0, 512]
            expect: {{ret: 0, data: A, requests: all}}
        """)
    return case


@pytest.mark.parametrize("name", ["v4", "mid-2015", "7.2"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_read_by_vote_nobody_cancels_goes_every_order_once(
    load: Load, name: str, count: int
) -> None:
    ways = [way.schedule for way in paths(reading(load, count), revision(name), cancel=False)]
    assert len(ways) == factorial(count)
    assert set(ways) == set(permutations([f"c{i}" for i in range(count)]))


@pytest.mark.parametrize("count", [2, 3])
def test_cancelling_comes_at_every_point_of_every_order_once(load: Load, count: int) -> None:
    ways = [way.schedule for way in paths(reading(load, count), revision("v4"))]
    assert len(set(ways)) == len(ways)
    orders = list(permutations([f"c{i}" for i in range(count)]))
    # The first read cancelled ends the run, so what would come later makes no way of its own.
    cut = {(*order[:at], "cancel") for order in orders for at in range(count)}
    assert set(ways) == set(orders) | cut


def test_cancelling_with_callbacks_to_come_goes_on_in_every_order(load: Load) -> None:
    ways = [way.schedule for way in paths(reading(load, 2), revision("mid-2015"))]
    # To cancel a read is to wait for it; children answer in any order meanwhile.
    assert sorted(ways) == sorted(
        [
            ("c0", "c1"),
            ("c1", "c0"),
            ("cancel", "c0", "c1"),
            ("cancel", "c1", "c0"),
            ("c0", "cancel", "c1"),
            ("c1", "cancel", "c0"),
        ]
    )


def test_with_coroutines_there_is_nothing_to_cancel(load: Load) -> None:
    ways = [way.schedule for way in paths(reading(load, 2), revision("7.2"))]
    assert sorted(ways) == [("c0", "c1"), ("c1", "c0")]


def test_fifo_goes_one_way(load: Load) -> None:
    (way,) = paths(reading(load, 3, "fifo"), revision("v4"), cancel=False)
    assert way.schedule == ("c0",)
    assert way.outcome.steps[1].ret == "0"


def test_requests_together_are_told_apart_and_either_can_be_cancelled(load: Load) -> None:
    (case,) = load("""
        - name: a
          children: 2
          quorum: {vote-threshold: 1, read-pattern: fifo}
          steps:
          - together: [{read: [0, 512]}, {read: [512, 512]}]
            expect:
              answers: [{ret: 0, data: A}, {ret: 0, data: A}]
              finish: [0, 1]
              requests: ["c0 read 0 512, c0 read 512 512"]
        """)
    ways = [way.schedule for way in paths(case, revision("mid-2015"))]
    assert len(set(ways)) == len(ways)
    assert ("c0", "c0") in ways and ("c0.1", "c0") in ways
    assert any("cancel" in way for way in ways) and any("cancel.1" in way for way in ways)
    assert all(sum(word.startswith("cancel") for word in way) <= 1 for way in ways)


def test_way_played_again_by_its_schedule_comes_to_the_same(load: Load) -> None:
    case, wanted = reading(load, 2), revision("cancel-null")
    (step,) = case.steps
    for way in paths(case, wanted):
        again = replace(case, steps=(replace(step, complete=way.schedule),))
        assert run_model(again, wanted) == way.outcome


# What is a defect.


def test_run_as_it_should_be_has_no_defect() -> None:
    assert defects_of(Outcome("w", [StepOutcome("read 0 512", "0")], leaks=[])) == []
    assert defects_of(Outcome("w", [StepOutcome("read 0 512", "EIO")])) == []


def test_every_kind_of_defect_is_named_without_the_child_it_hit() -> None:
    step = StepOutcome("read 0 512", undefined="out of bounds in f(): s->bs[3]", early=("c1 x",))
    outcome = Outcome("w", [step], leaks=["s->bs[12].buf of g()"], trouble=["it hangs"])
    assert defects_of(outcome) == [
        "out of bounds in f(): s->bs[i]",
        "leak of s->bs[i].buf of g()",
        "it hangs",
        "the guest is answered before the end of what was asked for it",
    ]


# Defects planted into the engine: exploration finds each.


def twice(acb: QuorumAIOCB) -> None:
    """quorum_aio_finalize() that calls back once more."""
    assert acb.cb is not None and acb.opaque is not None
    acb.cb(acb.opaque, acb.vote_ret)
    quorum_aio_finalize(acb)


def answers_too_early(acb: QuorumAIOCB, value: bytes | int) -> bool:
    """quorum_rewrite_bad_versions() that says there is nothing to wait for."""
    quorum_rewrite_bad_versions(acb, value)
    return False


def forgets(*_: object) -> None:
    """Whatever it should do, it does not."""


def forgets_the_last(opaque: Struct, ret: int) -> None:
    """quorum_rewrite_aio_cb() that never ends the request."""


PLANTED = {
    "vectors are not destroyed": (
        "qemu_iovec_destroy",
        forgets,
        {"leak of acb->qcrs[i].qiov.iov of read_quorum_children()"},
    ),
    "votes are not freed": (
        "quorum_free_vote_list",
        forgets,
        {"leak of version of quorum_count_vote()", "leak of item of quorum_count_vote()"},
    ),
    "a rewrite that is over ends nothing": (
        "quorum_rewrite_aio_cb",
        forgets_the_last,
        {"read 0 512: hangs: no child holds a request"},
    ),
    "the guest does not wait for rewrites": (
        "quorum_rewrite_bad_versions",
        answers_too_early,
        {
            "the guest is answered before the end of what was asked for it",
            REWRITE_GOES_ON,
        },
    ),
    "the guest is answered twice": (
        "quorum_aio_finalize",
        twice,
        {
            "called back twice in bdrv_co_io_em_complete() from quorum_aio_finalize(): "
            "acb->common.cb"
        },
    ),
}


@pytest.mark.parametrize(("name", "planted", "found"), PLANTED.values(), ids=PLANTED.keys())
def test_planted_defect_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, planted: object, found: set[str]
) -> None:
    wanted = revision("mid-2015")
    cases = grid((2,), ["quorum"], [])
    assert shortest(explore(cases, wanted, cancel=False)) == []
    monkeypatch.setattr(aio, name, planted)
    assert {one.what for one in shortest(explore(cases, wanted, cancel=False))} == found


# The small world.


@pytest.mark.parametrize(
    ("names", "patterns"),
    [
        (["before", "v4-1", "v3-1"], ("quorum",)),
        (["v1"], ("quorum", "single")),
        (["v2", "v3", "v4", "v4-merged", "mid-2015", "7.2", "10.0"], ("quorum", "fifo")),
    ],
)
def test_patterns_are_those_blockdev_add_takes(names: list[str], patterns: tuple[str, ...]) -> None:
    for name in names:
        assert patterns_of(revision(name)) == patterns


@pytest.mark.parametrize("name", NAMES)
def test_world_has_nothing_a_revision_refuses_for_its_pattern(name: str) -> None:
    wanted = revision(name)
    for case in grid((2,), patterns_of(wanted), []):
        opened = run_model(replace(case, steps=()), wanted).steps[0]
        # What FIFO did not check until it did.
        late = wanted.engine == "coroutine" and "read-pattern" in (case.options or {})
        assert opened.error is None or (late and "threshold" in opened.error[1]), case.options


def test_world_has_no_case_twice() -> None:
    seen = [
        str((case.children, case.options, case.steps[0].verb, case.steps[0].faults))
        for case in grid(errnos=["EIO"])
    ]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("children", [2, 3])
def test_world_has_every_request_threshold_pattern_and_choice_of_faults(children: int) -> None:
    # With all the errnos there are only of two children: of three there are thousands.
    cases = grid((children,)) if children == 2 else grid((children,), errnos=["EIO"])
    errnos = len(ERRNOS) if children == 2 else 1
    assert {len(case.children) for case in cases} == {children}
    for verb, pattern in product(STEPS, ("quorum", "fifo")):
        its = [
            case
            for case in cases
            if case.steps[0].verb == verb
            and (case.options or {}).get("read-pattern", "quorum") == pattern
        ]
        thresholds = {(case.options or {})["vote-threshold"] for case in its}
        if pattern == "quorum":
            assert thresholds == set(range(1, children + 1))
        else:
            assert thresholds >= {1}
            assert verb == "read" or thresholds == {0, 1, children + 1}
        faults = {
            tuple(
                next((fault.errno for fault in case.steps[0].faults.get(name, ())), 0)
                for name in case.children
            )
            for case in its
        }
        assert len(faults) == (errnos + 1) ** children
        ops = {fault.op for case in its for fs in case.steps[0].faults.values() for fault in fs}
        assert verb in ops


@pytest.mark.parametrize("children", [2, 3])
def test_world_votes_on_children_that_agree_and_that_do_not_with_and_without_rewriting(
    children: int,
) -> None:
    votes = [case for case in grid((children,), ["quorum"], []) if case.steps[0].verb == "read"]
    seen = {
        (
            tuple(chr(child.content.data.read(0, 1)[0]) for child in case.children.values()),
            bool((case.options or {}).get("rewrite-corrupted")),
        )
        for case in votes
    }
    assert seen == set(product(map(tuple, CONTENTS[children]), (False, True)))


def test_exploring_does_not_go_by_the_schedule_of_the_case(load: Load) -> None:
    (case,) = load("""
- name: a
  children: 2
  quorum: {vote-threshold: 1}
  steps:
  - read: [0, 512]
    complete: [c1, c0]
    expect: {ret: 0, data: A, requests: all}
""")
    assert [defect.what for defect in explore([case], revision("7.2"))] == []


def test_every_case_with_a_defect_is_told_as_a_scenario_that_shows_it(
    shipped_cases: list[Case],
) -> None:
    wanted = revision("v4")
    cases = [one for one in cases_of(shipped_cases, wanted) if one.steps and not one.images]
    found = 0
    for case in cases:
        for defect in shortest(explore([case], wanted)):
            found += 1
            head = Head("e", "x", "an exploration", "v4")
            text = saved({**asked(defect.case.raw), "name": "way"}, defect.outcome, head)
            (again,) = load_text("e.yaml", text, [one.name for one in REVISIONS])
            assert against_fixture(again, run_model(again, wanted)) == [], text
    assert found > 50

# SPDX-License-Identifier: GPL-2.0-or-later
"""The cost of a read as it is predicted, against calculations that know nothing of the model."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from qsim.block.child import Reply, Request, ScriptedChild
from qsim.block.sparse import Sparse
from qsim.block.stage import Stage
from qsim.claims.finding import Holds
from qsim.claims.reading.cost import Cost
from qsim.claims.reading.measure import LateChildren
from qsim.claims.reading.medium import GONE, Due, Medium, flapping, sometimes
from qsim.claims.reading.part import found
from qsim.claims.reading.predict import VirtualClock, predict
from qsim.claims.reading.settings import BASE, BY_NUMBER, READ_BYTES, SETTINGS, Setting, setting
from qsim.quorum.revisions import revision

READS = 60
SEED = 7
TODAY = revision("7.2")


def by_hand(one: Setting, reads: int, seed: int) -> tuple[dict[str, int], list[float]]:
    """Requests by child and latencies: under quorum the slowest of all, under fifo the sum of
    those asked one after the other until one succeeds."""
    plans = one.plans(reads, seed)
    if one.pattern == "quorum":
        together = zip(*plans.values(), strict=True)
        return dict.fromkeys(plans, reads), [max(due.after_ms for due in dues) for dues in together]
    left = {child: iter(plan) for child, plan in plans.items()}
    requests = dict.fromkeys(plans, 0)
    latencies = []
    for _ in range(reads):
        waited = 0.0
        for child, dues in left.items():
            due = next(dues)
            requests[child] += 1
            waited += due.after_ms
            if not due.fails:
                break
        latencies.append(waited)
    return requests, latencies


@pytest.mark.parametrize("one", SETTINGS, ids=lambda one: one.name)
def test_prediction_is_what_can_be_calculated_by_hand(one: Setting) -> None:
    cost = predict(one, READS, SEED, TODAY)
    requests, latencies = by_hand(one, READS, SEED)
    assert cost.requests == requests
    assert cost.bytes == {child: count * READ_BYTES for child, count in requests.items()}
    assert cost.latencies_ms == pytest.approx(latencies)
    assert set(cost.results) == {"0"}


def test_constant_times_give_round_numbers() -> None:
    slow, fast = Medium("slow", 5.0), Medium("fast", 1.0)
    quorum = predict(Setting("q", "quorum", (slow, fast, fast), 2), 10, SEED, TODAY)
    assert quorum.latencies_ms == pytest.approx([5.0] * 10)
    assert (quorum.requests_per_read, quorum.bytes_per_read) == (3.0, 3.0 * READ_BYTES)
    fifo = predict(Setting("f", "fifo", (fast, slow)), 10, SEED, TODAY)
    assert fifo.latencies_ms == pytest.approx([1.0] * 10)
    gone = replace(GONE, median_ms=2.0, sigma=0.0)
    retried = predict(Setting("r", "fifo", (gone, gone, slow)), 10, SEED, TODAY)
    assert retried.latencies_ms == pytest.approx([2.0 + 2.0 + 5.0] * 10)
    assert retried.requests == {"c0": 10, "c1": 10, "c2": 10}


def test_no_child_left_is_an_error_after_all_were_asked() -> None:
    cost = predict(Setting("none", "fifo", (GONE, GONE)), 3, SEED, TODAY)
    assert cost.results == ["EIO"] * 3
    assert cost.requests == {"c0": 3, "c1": 3}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_mean_number_of_requests_is_that_of_the_geometric_series(share: float) -> None:
    # Each child fails with p on its own: the k-th is asked with p^(k-1).
    children, reads = 4, 1500
    flaky = Medium("flaky", 1.0, fails=sometimes(share))
    cost = predict(Setting("g", "fifo", (flaky,) * children), reads, SEED, TODAY)
    expected = (1 - share**children) / (1 - share)
    squares = sum((2 * k - 1) * share ** (k - 1) for k in range(1, children + 1))
    error = sqrt((squares - expected**2) / reads)
    assert abs(cost.requests_per_read - expected) < 4 * error
    failed = cost.results.count("EIO") / reads
    assert abs(failed - share**children) < 4 * sqrt(share**children / reads)


def test_flapping_is_up_and_down() -> None:
    plan = Medium("f", 1.0, fails=flapping(3, 2), failing_ms=30.0).plan(10, Random(1))
    assert [due.fails for due in plan] == [False] * 3 + [True] * 2 + [False] * 3 + [True] * 2
    assert {due.after_ms for due in plan if due.fails} == {30.0}


def test_a_child_has_the_same_times_under_both_patterns_and_with_one_seed() -> None:
    fifo, vote = (setting(f"local, rack, far, {name}") for name in ("fifo", "quorum"))
    assert fifo.plans(20, 1) == vote.plans(20, 1)
    assert fifo.plans(20, 1) != fifo.plans(20, 2)
    # More reads do not change the first.
    assert fifo.plans(30, 1)["c1"][:20] == fifo.plans(20, 1)["c1"]


def test_two_requests_that_are_alike_are_due_each_at_its_time() -> None:
    clock = VirtualClock({"c0": (Due(5.0, False), Due(1.0, False))})
    stage: Stage[None] = Stage({"c0": ScriptedChild("c0", Sparse(512))})
    for _ in range(2):
        stage.arrive(Request("c0", "read", 0, 512), None)
    stage.settle()
    for word, now_ms in (("c0.1", 1.0), ("c0.0", 5.0)):
        assert (clock.decide(stage, 0), clock.now_ms) == (word, now_ms)
        stage.order.append(word)
        assert len(stage.complete_next()) == 1
    assert not stage.held


def test_revisions_of_the_series_read_at_the_same_cost() -> None:
    one = setting("failing first, fifo")
    assert predict(one, READS, SEED, revision("v4")) == predict(one, READS, SEED, TODAY)


def test_names_of_settings_are_different() -> None:
    names = [one.name for one in (BASE, *SETTINGS, *BY_NUMBER)]
    assert len(set(names)) == len(names)


def test_quantiles_are_values_that_were_seen() -> None:
    cost = Cost({}, {}, latencies_ms=[float(i) for i in range(1, 101)])
    assert [cost.quantile_ms(share) for share in (0.01, 0.5, 0.9, 0.99, 1.0)] == [
        1,
        50,
        90,
        99,
        100,
    ]
    assert cost.mean_ms == 50.5


def test_a_child_is_answered_when_it_is_due_and_not_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A binary shows that no answer is early; that none is late is no matter for a clock."""
    one = setting("flapping first, fifo")
    plans = one.plans(READS, SEED)
    late = LateChildren(one.case(READS, plans), plans)
    timers: list[tuple[float, Reply]] = []
    loop = SimpleNamespace(call_later=lambda delay_s, call, reply: timers.append((delay_s, reply)))
    monkeypatch.setattr("asyncio.get_running_loop", lambda: loop)
    at_once: list[Reply] = []
    arrival: Any = SimpleNamespace(request=Request("c0", "read", 0, 512), answer=at_once.append)
    # Before reads count they are answered at once, and none fails.
    late.arrived(arrival)
    assert [reply.errno for reply in at_once] == [0] and not timers
    late.begin()
    for _ in range(READS):
        late.arrived(arrival)
    assert [delay_s for delay_s, _ in timers] == [due.after_ms / 1000 for due in plans["c0"]]
    assert [bool(reply.errno) for _, reply in timers] == [due.fails for due in plans["c0"]]
    assert any(due.fails for due in plans["c0"])
    assert (late.cost.requests["c0"], late.cost.bytes["c0"]) == (READS, READS * 512)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> LateChildren:
    """The children of two reads, which count, and take no time."""
    one = setting("two local, fifo")
    plans = one.plans(2, SEED)
    children = LateChildren(one.case(2, plans), plans)
    children.begin()
    loop = SimpleNamespace(call_later=lambda delay_s, call, reply: call(reply))
    monkeypatch.setattr("asyncio.get_running_loop", lambda: loop)
    return children


def test_a_read_that_nobody_has_planned_is_answered_and_told(late: LateChildren) -> None:
    answers: list[Reply] = []
    arrival: Any = SimpleNamespace(request=Request("c0", "read", 0, 4096), answer=answers.append)
    for _ in range(3):
        late.arrived(arrival)
    assert [reply.data for reply in answers] == [b"A" * 4096] * 3
    late.cost.results += ["0", "0"]
    planned = predict(setting("two local, fifo"), 2, SEED, TODAY)
    assert planned.difference(late.cost) == "requests: {'c0': 2, 'c1': 0} and {'c0': 3, 'c1': 0}"


@pytest.mark.parametrize(
    "request_",
    [
        Request("c0", "write", 0, 512, data=bytes(512)),
        Request("c0", "flush"),
        Request("c0", "block-status", 0, 512),
    ],
    ids=lambda request: request.op,
)
def test_what_is_no_read_is_answered_and_told(late: LateChildren, request_: Request) -> None:
    answers: list[Reply] = []
    arrival: Any = SimpleNamespace(request=request_, answer=answers.append)
    late.arrived(arrival)
    arrival.request = Request("c0", "read", 0, 4096)
    for _ in range(2):
        late.arrived(arrival)
    assert [reply.errno for reply in answers] == [0, 0, 0]
    late.cost.results += ["0", "0"]
    planned = predict(setting("two local, fifo"), 2, SEED, TODAY)
    assert planned.difference(late.cost) == (
        f"requests other than reads: {{}} and {{'c0 {request_.op}': 1}}"
    )


def test_of_results_that_differ_the_first_is_told() -> None:
    mine = Cost({}, {}, results=["0"] * 5)
    its = Cost({}, {}, results=["0", "0", "EIO", "0", "EIO"])
    assert mine.difference(its) == "results: 2 of 5 differ, the first that of read 2: 0 and EIO"


@pytest.fixture(scope="module")
def predicted() -> dict[str, Cost]:
    return {one.name: predict(one, 5, SEED, TODAY) for one in (BASE, *SETTINGS, *BY_NUMBER)}


def test_what_is_measured_otherwise_is_told(predicted: dict[str, Cost]) -> None:
    assert not found(predicted, predicted).differences
    name = "two local, fifo"
    other = replace(predicted[name], requests={"c0": 5, "c1": 1})
    finding = found(predicted, {**predicted, name: other})
    assert finding.differences == [
        f"{name}: predicted and measured requests: {{'c0': 5, 'c1': 0}} and {{'c0': 5, 'c1': 1}}"
    ]
    assert finding.differing == f"1 of {len(predicted)} settings"
    assert finding.verdicts[-1].holds is Holds.NO


def test_an_answer_too_early_is_a_deviation_too(predicted: dict[str, Cost]) -> None:
    name = "slow first, fifo"
    early = replace(predicted[name], latencies_ms=[0.0] * 5)
    figure = found(predicted, {**predicted, name: early}).verdicts[-1].figure
    assert f"up to -{predicted[name].quantile_ms(0.5):.2f}, " in figure


def test_without_a_binary_nothing_is_called_measured(predicted: dict[str, Cost]) -> None:
    finding = found(predicted, {})
    assert [one.holds for one in finding.verdicts] == [Holds.IF, Holds.IF, Holds.YES, Holds.OPEN]
    assert not any("measured" in column for table in finding.tables for column in table.columns)


def test_a_fifo_that_asks_all_would_not_hold(predicted: dict[str, Cost]) -> None:
    asks_all = {
        name: replace(cost, requests=dict.fromkeys(cost.requests, 5))
        for name, cost in predicted.items()
    }
    one, _, number, _ = found(asks_all, {}).verdicts
    assert (one.holds, number.holds) == (Holds.NO, Holds.NO)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Who restarts where: the manager, the optimum, and the two beside a search through everything."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qsim.claims.availability.alone import best_alone, each_alone
from qsim.claims.availability.assign import assign, assign_trials, spread
from qsim.claims.availability.draw import Draws
from qsim.claims.availability.optimum import most
from qsim.claims.availability.placement import place
from qsim.claims.availability.setting import NOWHERE, Ints, Policy, Restart, Setting

from .settings import settings


@st.composite
def problems(draw: st.DrawFn) -> tuple[Ints, Ints]:
    hosts = draw(st.integers(1, 4))
    width = draw(st.integers(1, 3))
    row = st.lists(st.integers(NOWHERE, hosts - 1), min_size=width, max_size=width)
    rows = draw(st.lists(row, min_size=1, max_size=5))
    free = draw(st.lists(st.integers(0, 3), min_size=hosts, max_size=hosts))
    return np.array(rows), np.array(free)


def searched(choices: Ints, free: Ints) -> int:
    """The most that can start, by looking at every way."""
    best = 0
    for way in product(*({NOWHERE, *row} for row in choices.tolist())):
        taken = Counter(host for host in way if host != NOWHERE)
        if all(count <= free[host] for host, count in taken.items()):
            best = max(best, taken.total())
    return best


@given(problems())
def test_the_optimum_is_what_a_search_finds(problem: tuple[Ints, Ints]):
    assert most(*problem) == searched(*problem)


@given(problems())
def test_the_manager_keeps_to_choices_and_room_and_gives_up_for_a_reason(problem):
    choices, free = problem
    got = assign(choices, free)
    taken = np.bincount(got[got != NOWHERE], minlength=len(free))
    assert (taken <= free).all()
    for vm, host in enumerate(got.tolist()):
        if host == NOWHERE:
            assert all(taken[other] == free[other] for other in choices[vm] if other != NOWHERE)
        else:
            assert host in choices[vm]
    assert np.count_nonzero(got != NOWHERE) * 2 >= most(choices, free)


@given(problems())
def test_with_one_choice_each_the_manager_loses_nothing(problem: tuple[Ints, Ints]):
    choices, free = problem
    one = choices[:, :1]
    assert np.count_nonzero(assign(one, free) != NOWHERE) == most(one, free)


def test_the_manager_takes_those_with_fewest_choices_first():
    assert assign(np.array([[0, 1], [0, NOWHERE]]), np.array([1, 1])).tolist() == [1, 0]


def test_the_manager_goes_where_fewer_might():
    """Two may start on 0 and 1, the third on 1 and 2: it leaves 1 to them."""
    rows = np.array([[0, 1], [0, 1], [1, 2]])
    assert assign(rows, np.array([1, 1, 1])).tolist() == [0, 1, 2]


def test_the_manager_can_lose_one():
    """All are alike to it, so the first two ask 0 and the third 2; the second comes too late."""
    rows, free = np.array([[0, 1], [0, 2], [2, 1]]), np.array([1, 1, 1])
    assert assign(rows, free).tolist() == [0, NOWHERE, 2]
    assert most(rows, free) == 3


@given(st.integers(0, 12), st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_spread_goes_to_the_one_with_most_room_each_time(count: int, room: list[int]):
    left = list(room)
    expected = []
    for _ in range(min(count, sum(room))):
        host = left.index(max(left))
        left[host] -= 1
        expected.append(host)
    assert spread(count, np.array(room)).tolist() == expected


@given(st.lists(problems(), min_size=1, max_size=4))
def test_many_crashes_at_once_are_as_one_by_one(many: list[tuple[Ints, Ints]]):
    """Those whose hosts all have the same room: what data centres here have."""
    trial, choices, free, alone = [], [], [], []
    for i, (rows, room) in enumerate(many):
        two = np.abs(rows[:, [0, -1]])
        trial += [i] * len(two)
        choices += two.tolist()
        free.append(int(room[0]))
        alone.append(np.count_nonzero(assign(two, np.full(4, room[0])) != NOWHERE))
    found = assign_trials(np.array(trial), np.array(choices), 4, np.array(free))
    assert found.tolist() == alone


@given(settings())
def test_every_host_alone_is_as_a_crash_of_that_host(setting: Setting):
    replicas = place(setting, Draws(5))
    alone = each_alone(setting, replicas)
    best = 0
    for host in range(setting.hosts):
        rows = replicas[replicas[:, 0] == host][:, 1:]
        free = np.full(setting.hosts, setting.free_slots)
        free[host] = 0
        here = np.count_nonzero(assign(rows, free) != NOWHERE)
        best += most(rows, free)
        assert alone.at_replica[host] == here
        if setting.restart is Restart.ANYWHERE:
            assert alone.restarted[host] == min(len(rows), free.sum())
        else:
            assert alone.restarted[host] == here
    assert best_alone(setting, replicas) == best


def test_how_little_the_manager_loses_with_three_replicas():
    """Eight hosts, ten VMs in twelve slots each, a hundred placements: 17 of 7993 restarts."""
    setting = Setting(8, 10, 12, Policy.SCATTERED, replicas=3)
    got = best = 0
    for seed in range(100):
        replicas = place(setting, Draws(seed))
        got += int(each_alone(setting, replicas).restarted.sum())
        best += best_alone(setting, replicas)
    assert (got, best) == (7976, 7993)

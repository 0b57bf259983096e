# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulation, closed forms, and everything there is, where that is little enough to look at."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from math import comb, isclose

import numpy as np
import pytest

from qsim.claims.availability import loss, twenty
from qsim.claims.availability.alone import each_alone
from qsim.claims.availability.closed import loses_all, loses_any, restarts
from qsim.claims.availability.draw import Draws
from qsim.claims.availability.interval import interval
from qsim.claims.availability.placement import place
from qsim.claims.availability.schemes import SCATTERED, THREE
from qsim.claims.availability.setting import Policy, Restart, Setting

SEED = 2014


def every_placement(hosts: int, vms: int, replicas: int, home: int = 0) -> list[list[tuple]]:
    """Of one host's VMs: all ways to scatter their other replicas."""
    others = combinations([host for host in range(hosts) if host != home], replicas - 1)
    return list(product(list(others), repeat=vms))


def by_search(way: tuple[tuple[int, ...], ...], free: int) -> int:
    """The most VMs that can start, each on one of its hosts."""
    return max(
        sum(min(free, chosen.count(host)) for host in set(chosen)) for chosen in product(*way)
    )


@pytest.mark.parametrize("free", [0, 1, 2, 3])
@pytest.mark.parametrize(("hosts", "vms"), [(2, 3), (3, 4), (4, 3), (5, 3)])
def test_two_replicas_scattered_exactly(hosts: int, vms: int, free: int):
    """Every placement there is, by the simulation's own count, by a search, and by the formula."""
    ways = every_placement(hosts, vms, 2)
    counted = [
        twenty.first_host(
            [Setting(hosts, vms, vms + free, Policy.SCATTERED)],
            [np.array([(0, *others) for others in way])],
        ).item()
        for way in ways
    ]
    assert counted == [by_search(way, free) for way in ways]
    mean = Fraction(sum(counted), len(ways))
    known = restarts(Setting(hosts, vms, vms + free, Policy.SCATTERED))
    assert known is not None and isclose(known, mean, abs_tol=1e-12)


def test_three_replicas_scattered_exactly():
    """Four hosts, three VMs, one free slot each.

    In the three of 27 placements in which all have their replicas on the same two hosts, two
    restart, else all three can.  In three the manager's order costs it one.
    """
    ways = every_placement(4, 3, 3)
    setting = Setting(4, 3, 4, Policy.SCATTERED, replicas=3)
    counted = [
        twenty.first_host([setting], [np.array([(0, *others) for others in way])]).item()
        for way in ways
    ]
    best = [by_search(way, 1) for way in ways]
    assert len(ways) == 27 and sum(best) == 24 * 3 + 3 * 2
    assert sum(counted) == sum(best) - 3
    assert all(best[i] - 1 <= counted[i] <= best[i] for i in range(27))


@pytest.mark.parametrize("policy", [Policy.SCATTERED, Policy.RACKS])
@pytest.mark.parametrize("hosts", [4, 8, 16, 100])
def test_simulated_restarts_are_within_the_interval(policy: Policy, hosts: int):
    """300 placements, Student's t at 95 %, a fixed seed: the formula lies in all of these."""
    setting = Setting(hosts, 10, 12, policy, racks=4)
    known = interval(
        [
            int(each_alone(setting, place(setting, Draws(SEED, hosts, i))).restarted.sum()) / hosts
            for i in range(300)
        ]
    )
    expected = restarts(setting)
    assert expected is not None and known.holds(expected)
    assert known.half < 0.07


def test_the_interval_is_one_of_95_percent():
    """Of 200 intervals, each over 30 placements, 190 should hold what the formula says."""
    setting = Setting(8, 10, 12, Policy.SCATTERED)
    expected = restarts(setting)
    assert expected is not None
    held = 0
    for seed in range(200):
        placed = [place(setting, Draws(SEED, seed, i)) for i in range(30)]
        means = [int(each_alone(setting, rows).restarted.sum()) / 8 for rows in placed]
        held += interval(means).holds(expected)
    assert 181 <= held <= 199  # three standard deviations


@pytest.mark.parametrize("width", [1, 2, 3, 5])
@pytest.mark.parametrize("free", [0, 1, 2, 5])
def test_the_ring_leaves_nothing_to_chance(width: int, free: int):
    setting = Setting(9, 7, 7 + free, Policy.RING, ring_hosts=width)
    counted = each_alone(setting, place(setting, Draws(0))).restarted
    assert counted.tolist() == [restarts(setting)] * 9


@pytest.mark.parametrize("free", range(6))
def test_a_pair_restarts_what_its_partner_has_room_for(free: int):
    setting = Setting(6, 4, 4 + free, Policy.PAIRS)
    counted = each_alone(setting, place(setting, Draws(0))).restarted
    assert counted.tolist() == [min(4, free)] * 6
    assert restarts(setting) == min(4, free)


def test_restart_anywhere_takes_all_there_is():
    setting = Setting(4, 10, 12, Policy.SCATTERED, restart=Restart.ANYWHERE)
    assert each_alone(setting, place(setting, Draws(0))).restarted.tolist() == [6] * 4
    assert restarts(setting) == 6


@pytest.mark.parametrize(("hosts", "failed", "replicas"), [(5, 2, 2), (6, 3, 2), (6, 4, 3)])
def test_one_vm_loses_all(hosts: int, failed: int, replicas: int):
    sets = list(combinations(range(hosts), replicas))
    for dead in combinations(range(hosts), failed):
        lost = sum(set(one) <= set(dead) for one in sets)
        assert isclose(loses_all(hosts, failed, replicas), lost / len(sets))


@pytest.mark.parametrize(("hosts", "vms", "replicas"), [(3, 1, 2), (3, 2, 2), (4, 1, 2), (4, 1, 3)])
def test_some_vm_loses_all_exactly(hosts: int, vms: int, replicas: int):
    """Every placement of every VM: how many sets of hosts are fatal, on average."""
    setting = Setting(hosts, vms, vms, Policy.SCATTERED, replicas=replicas)
    each = [every_placement(hosts, vms, replicas, home) for home in range(hosts)]
    fatal = ways = 0
    for way in product(*each):
        rows = [(home, *others) for home in range(hosts) for others in way[home]]
        here = len({frozenset(row) for row in rows})
        assert here == loss.fatal_sets(setting, np.array(rows))
        fatal += here
        ways += 1
    known = loses_any(setting)
    assert known is not None
    assert isclose(known, Fraction(fatal, ways * comb(hosts, replicas)), rel_tol=1e-12)


@pytest.mark.parametrize("scheme", [SCATTERED, THREE])
@pytest.mark.parametrize("hosts", [8, 32, 100])
def test_simulated_loss_is_within_the_interval(scheme, hosts: int):
    """100 placements, Student's t at 95 %, a fixed seed."""
    setting = Setting(hosts, 10, 12, scheme.policy, replicas=scheme.replicas)
    found = loss.measure(setting, scheme, SEED, 100)
    assert found.expected is not None and found.any_vm.holds(found.expected)


@pytest.mark.parametrize("racks", [2, 4, 8])
def test_simulated_loss_in_different_racks_is_within_the_interval(racks: int):
    setting = Setting(16, 10, 12, Policy.RACKS, racks=racks)
    sets = comb(16, 2)
    known = interval(
        [loss.fatal_sets(setting, place(setting, Draws(SEED, i))) / sets for i in range(100)]
    )
    expected = loses_any(setting)
    assert expected is not None and known.holds(expected)


@pytest.mark.parametrize("hosts", [2, 3, 7, 10, 11, 12, 30])
def test_loss_in_the_ring_is_counted(hosts: int):
    setting = Setting(hosts, 10, 12, Policy.RING)
    counted = loss.fatal_sets(setting, place(setting, Draws(0))) / comb(hosts, 2)
    assert loses_any(setting) == pytest.approx(counted)


def test_pairs_lose_only_as_a_pair():
    setting = Setting(100, 10, 12, Policy.PAIRS)
    assert loss.fatal_sets(setting, place(setting, Draws(0))) == 50
    assert loses_any(setting) == pytest.approx(1 / 99)


def test_an_interval_is_student_s():
    """By a table: t(0.975, 4) = 2.776; the deviation of 1 to 5 is 1.5811."""
    known = interval([1, 2, 3, 4, 5])
    assert known.mean == 3
    assert known.half == pytest.approx(2.776 * 1.5811 / 5**0.5, rel=1e-3)
    assert (known.low, known.high) == (known.mean - known.half, known.mean + known.half)
    assert known.holds(4.9) and not known.holds(5.1)
    assert known.is_far(13, 0.0) and not known.is_far(13, 0.1) and not known.is_far(12, 0.0)

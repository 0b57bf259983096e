# SPDX-License-Identifier: GPL-2.0-or-later
"""Random numbers that are the same everywhere, and where replicas lie."""

from __future__ import annotations

from collections import Counter
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from numpy.random import PCG64, SeedSequence

from qsim.claims.availability.draw import Draws, distinct
from qsim.claims.availability.placement import place
from qsim.claims.availability.setting import Ints, Policy, Restart, Setting

from .settings import settings

#: Of seed 2014, below 20.
DRAWN = [18, 14, 5, 10, 15, 19, 13, 15, 13, 18]
MASK = (1 << 128) - 1


def pcg64(state: int, increment: int, count: int) -> list[int]:
    """PCG XSL RR 128/64, as its paper has it."""
    found = []
    for _ in range(count):
        state = (state * 0x2360ED051FC65DA44385DF649FCCF645 + increment) & MASK
        mixed = (state >> 64) ^ (state & (1 << 64) - 1)
        turn = state >> 122
        found.append((mixed >> turn | mixed << (64 - turn)) & (1 << 64) - 1)
    return found


def test_numbers_are_those_of_the_paper():
    bits = PCG64(SeedSequence((2014, 7)))
    state = bits.state["state"]
    expected = [(raw >> 32) * 10_000 >> 32 for raw in pcg64(state["state"], state["inc"], 50)]
    assert Draws(2014, 7).below(10_000, 50).tolist() == expected


def test_numbers_of_a_seed_are_facts():
    assert Draws(2014).below(20, 10).tolist() == DRAWN
    assert Draws(2014, 1).below(20, 10).tolist() != DRAWN


class Every(Draws):
    """Gives what it is told to."""

    def __init__(self, columns: list[list[int]]) -> None:
        self.columns = iter(columns)

    def below(self, bound: int | Ints, count: int) -> Ints:
        column = np.array(next(self.columns))
        assert (column < bound).all() and len(column) == count
        return column


@pytest.mark.parametrize("own", range(5))
def test_every_choice_of_others_comes_from_one_draw(own: int):
    first, second = zip(*product(range(4), range(3)), strict=True)
    rows = distinct(Every([list(first), list(second)]), np.full(12, own), 5, 2)
    others = [host for host in range(5) if host != own]
    assert sorted(map(tuple, rows.tolist())) == sorted(
        (own, *two) for two in permutations(others, 2)
    )


def test_partners_are_neighbours():
    setting = Setting(4, 2, 3, Policy.PAIRS)
    assert place(setting, Draws(0)).tolist() == [
        [0, 1], [0, 1], [1, 0], [1, 0], [2, 3], [2, 3], [3, 2], [3, 2],
    ]  # fmt: skip


def test_the_ring_takes_the_next_in_turn():
    setting = Setting(6, 4, 5, Policy.RING, replicas=3, ring_hosts=3)
    rows = place(setting, Draws(0)).tolist()
    assert rows[:4] == [[0, 1, 2], [0, 2, 3], [0, 3, 1], [0, 1, 2]]
    assert rows[-4:] == [[5, 0, 1], [5, 1, 2], [5, 2, 0], [5, 0, 1]]


@given(settings())
def test_replicas_are_distinct_and_keep_to_the_policy(setting: Setting):
    rows = place(setting, Draws(1))
    assert rows.shape == (setting.vms, setting.replicas)
    assert rows.min() >= 0 and rows.max() < setting.hosts
    assert Counter(rows[:, 0].tolist()) == dict.fromkeys(range(setting.hosts), setting.vms_per_host)
    for row in rows.tolist():
        assert len(set(row)) == setting.replicas
        if setting.policy is Policy.RACKS:
            assert len({host % setting.racks for host in row}) == setting.replicas
        if setting.policy is Policy.PAIRS:
            assert row[1] // 2 == row[0] // 2
        if setting.policy is Policy.RING:
            steps = {(host - row[0]) % setting.hosts for host in row[1:]}
            assert max(steps) <= setting.ring_width


def test_a_rack_of_any_size_is_drawn_in_full():
    """Seven hosts in three racks: of three, two and two."""
    setting = Setting(7, 60, 60, Policy.RACKS, racks=3)
    rows = place(setting, Draws(3)).tolist()
    assert {host for home, host in rows if home == 0} == {1, 2, 4, 5}
    assert {host for home, host in rows if home == 1} == {0, 2, 3, 5, 6}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"hosts": 3, "policy": Policy.PAIRS}, "even number"),
        ({"policy": Policy.PAIRS, "restart": Restart.ANYWHERE}, "even number"),
        ({"policy": Policy.PAIRS, "replicas": 3}, "3 replicas pairs: 2 places"),
        ({"policy": Policy.RACKS, "racks": 1}, "2 replicas in different racks: 1 places"),
        ({"policy": Policy.SCATTERED, "replicas": 5}, "5 replicas scattered: 4 places"),
        ({"racks": 9}, "9 racks of 4 hosts"),
        ({"vms_per_host": 9}, "9 VMs in 3 slots"),
        ({"repair_s": 10}, "before it is known"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict, text: str):
    right = {"hosts": 4, "vms_per_host": 2, "slots_per_host": 3, "policy": Policy.SCATTERED}
    with pytest.raises(ValueError, match=text):
        Setting(**(right | wrong))

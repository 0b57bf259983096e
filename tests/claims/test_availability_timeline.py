# SPDX-License-Identifier: GPL-2.0-or-later
"""What follows a crash: small ones told by hand, and what must hold in any."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.claims.availability.cluster import Cluster
from qsim.claims.availability.draw import Draws
from qsim.claims.availability.failure import Crash, Failure, crashes
from qsim.claims.availability.placement import place
from qsim.claims.availability.setting import NOWHERE, Ints, Policy, Restart, Setting
from qsim.claims.availability.timeline import Aftermath, play

from .settings import settings

DISK = 40 * 10**9
HOURS = 3600


class Watched(Cluster):
    """Looks at itself after everything that happens to it."""

    def fail(self, hosts: Ints) -> Ints:
        victims = super().fail(hosts)
        self.look()
        return victims

    def start(self, vms: Ints, hosts: Ints) -> None:
        assert (self.where[vms] == NOWHERE).all(), "it runs already"
        super().start(vms, hosts)
        self.look()

    def replicate(self, vm: int, nth: int, host: int) -> None:
        assert not self.current[vm, nth] or not self.up[self.replicas[vm, nth]], "for nothing"
        super().replicate(vm, nth, host)
        self.look()

    def look(self) -> None:
        setting = self.setting
        running = np.flatnonzero(self.where != NOWHERE)
        load = Counter(self.where[running].tolist())
        assert all(self.up[host] for host in load), "a VM on a dead host"
        assert all(count <= setting.slots_per_host for count in load.values()), "over its slots"
        assert [load[host] for host in range(setting.hosts)] == self.load.tolist()
        usable = self.current & self.up[self.replicas]
        assert usable[running].any(axis=1).all(), "a VM runs on nothing"
        assert self.current.any(axis=1).all(), "nobody has a VM's data any more"
        if setting.restart is Restart.AT_REPLICA:
            beside = (self.replicas[running] == self.where[running, None]) & usable[running]
            assert beside.any(axis=1).all(), "a VM without a replica beside it"
        for row in self.replicas.tolist():
            assert len(set(row)) == len(row), "two replicas on a host"
            if setting.policy is Policy.RACKS:
                assert len({host % setting.racks for host in row}) == len(row), "two in a rack"
            if setting.policy is Policy.PAIRS:
                assert row[0] ^ 1 == row[1]


@given(settings(), st.sampled_from(Failure), st.integers(0, 99))
def test_what_holds_in_any_data_centre(setting: Setting, failure: Failure, seed: int):
    draws = Draws(seed)
    cluster = Watched(setting, place(setting, draws))
    after = play(cluster, crashes(failure, setting, draws), draws)
    assert (cluster.where != NOWHERE).all() and cluster.up.all()
    assert cluster.current.all()
    assert 0 <= after.restarted_at_once <= after.hit
    assert after.without_replica <= after.hit - after.restarted_at_once
    assert after.busiest_host_bytes <= after.copied_bytes
    assert after.most_started <= after.hit
    assert setting.detection_s + setting.boot_s <= after.mean_away_s <= after.all_run_s


@given(settings(), st.integers(0, 99))
def test_a_seed_decides_everything(setting: Setting, seed: int):
    def once() -> Aftermath:
        draws = Draws(seed)
        cluster = Cluster(setting, place(setting, draws))
        return play(cluster, crashes(Failure.SEQUENCE, setting, draws), draws)

    assert once() == once()


def crash_of(setting: Setting, *hosts: int, replicas: list[list[int]] | None = None) -> Aftermath:
    """These fail together."""
    draws = Draws(0)
    rows = place(setting, draws) if replicas is None else np.array(replicas)
    return play(Watched(setting, rows), [Crash(0, np.array(hosts))], draws)


def test_the_cover_letter_s_pair():
    """B has room for five of A's twenty.

    They are known dead at 30 s and boot two at a time, in three rounds of 60 s.  A is back after
    four hours and boots the other fifteen, in eight rounds.  B then sends what 25 VMs have written
    in four hours, 14.4 GB each, at 125 MB/s: 116 s each, one after the other.
    """
    after = crash_of(Setting(2, 20, 25, Policy.PAIRS), 0)
    assert after == Aftermath(
        hit=20,
        restarted_at_once=5,
        without_replica=0,
        all_run_s=4 * HOURS + 8 * 60,
        mean_away_s=(
            2 * 90 + 2 * 150 + 210 + 15 * 4 * HOURS + 2 * 60 * (1 + 2 + 3 + 4 + 5 + 6 + 7) + 480
        )
        / 20,
        all_replicated_s=4 * HOURS + 25 * 116,
        copied_bytes=25 * 144 * 10**8,
        busiest_host_bytes=25 * 144 * 10**8,
        most_started=15,
    )


def test_replicas_scattered_by_hand():
    """Host 0 of four runs two VMs, with second replicas on 1 and 2; 3 runs one, with its on 0.

    Both restart at once, each beside its replica.  Ten minutes after the crash three images are
    copied, 320 s each, from 1, 2 and 3 to a host that has none of that VM.
    """
    setting = Setting(4, 2, 3, Policy.SCATTERED)
    rows = [[0, 1], [0, 2], [1, 2], [1, 2], [2, 1], [2, 1], [3, 0], [3, 1]]
    after = crash_of(setting, 0, replicas=rows)
    assert after.hit == after.restarted_at_once == 2
    assert after.all_run_s == after.mean_away_s == 30 + 60
    assert after.copied_bytes == 3 * DISK
    # How many must wait for another depends on what targets are drawn.
    assert after.all_replicated_s in {600 + 320 * rounds for rounds in (1, 2, 3)}


def test_copies_share_a_host_s_network():
    """Nowhere to go but between 1 and 2: two copies, one after the other; or at once, half as fast."""
    rows = [[0, 1], [1, 2], [2, 0]]
    one = crash_of(Setting(3, 1, 2, Policy.SCATTERED), 0, replicas=rows)
    two = crash_of(Setting(3, 1, 2, Policy.SCATTERED, copies_at_once=2), 0, replicas=rows)
    assert one.all_replicated_s == two.all_replicated_s == 600 + 2 * 320
    assert one.busiest_host_bytes == two.busiest_host_bytes == 2 * DISK


def test_a_vm_waits_for_its_host_where_there_is_no_room():
    after = crash_of(Setting(4, 2, 2, Policy.SCATTERED), 0)
    assert after.restarted_at_once == 0
    assert after.all_run_s == 4 * HOURS + 60


def test_restart_anywhere_needs_no_room_at_a_replica():
    """Both VMs have their replica on host 1, with room for one; host 2 takes the other."""
    rows = [[0, 1], [0, 1], [1, 0], [1, 0], [2, 1], [2, 1]]
    near = crash_of(Setting(3, 2, 3, Policy.SCATTERED), 0, replicas=rows)
    far = crash_of(Setting(3, 2, 3, Policy.SCATTERED, restart=Restart.ANYWHERE), 0, replicas=rows)
    assert (near.restarted_at_once, far.restarted_at_once) == (1, 2)


def test_a_rack_takes_both_replicas_unless_they_keep_apart():
    """Hosts 0 and 2 are a rack.  Nobody but them has VM 0; it waits for them."""
    setting = Setting(4, 1, 4, Policy.SCATTERED, racks=2)
    after = crash_of(setting, 0, 2, replicas=[[0, 2], [1, 0], [2, 1], [3, 0]])
    assert (after.hit, after.restarted_at_once, after.without_replica) == (2, 1, 1)
    assert after.all_run_s == 4 * HOURS + 60


def test_the_second_of_a_pair_fails_while_the_first_is_away():
    """A has missed what was written on B; its VM has to wait for B, and a start on A would be a lie."""
    setting = Setting(2, 1, 2, Policy.PAIRS)
    draws = Draws(0)
    plan = [Crash(0, np.array([0])), Crash(1800, np.array([1]))]
    after = play(Watched(setting, place(setting, draws)), plan, draws)
    assert (after.hit, after.restarted_at_once, after.without_replica) == (3, 1, 2)
    assert after.all_run_s == 1800 + 4 * HOURS + 60


def test_nobody_takes_the_room_of_those_who_come_home():
    """Three of four hosts are back at once, and full if all go home.

    Were each VM to go where there is most room, one would be left with replicas on full hosts.
    """
    rows = [[0, 3], [0, 1], [1, 2], [1, 0], [2, 1], [2, 0], [3, 1], [3, 2]]
    after = crash_of(Setting(4, 2, 2, Policy.SCATTERED), 0, 1, 2, replicas=rows)
    assert (after.hit, after.restarted_at_once) == (6, 0)
    assert after.all_run_s == after.mean_away_s == 4 * HOURS + 60


def test_a_copy_does_not_outlive_its_hosts():
    """Host 1 is away from 60 s to 160 s, in the middle of three copies: all are made again."""
    setting = Setting(3, 1, 3, Policy.SCATTERED, repair_s=100, rebuild_after_s=50, copies_at_once=3)
    plan = [Crash(0, np.array([0])), Crash(60, np.array([1]))]
    rows = np.array([[0, 2], [1, 0], [2, 0]])
    after = play(Watched(setting, rows), plan, Draws(0))
    assert setting.copy_s(DISK) == 960
    assert after.all_replicated_s == 50 + 960 + 960


def test_a_vm_whose_replicas_are_all_elsewhere_stops_with_them():
    """Started on host 2, with no replica there; then host 1, which has the last one, fails."""
    roomy = Setting(3, 1, 2, Policy.SCATTERED, restart=Restart.ANYWHERE)
    cluster = Watched(roomy, np.array([[0, 1], [1, 0], [2, 1]]))
    assert cluster.fail(np.array([0])).tolist() == [0]
    cluster.start(np.array([0]), np.array([2]))
    assert cluster.fail(np.array([1])).tolist() == [0, 1]
    assert cluster.current[0].tolist() == [False, True]
    cluster.repair(np.array([0]))
    assert cluster.restart(np.array([0])).tolist() == [NOWHERE]
    cluster.repair(np.array([1]))
    assert cluster.restart(np.array([0])).tolist() == [1]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure.HOST, 1),
        (Failure.RACK, 3),
        (Failure.SEQUENCE, 3),
    ],
)
def test_what_fails(failure: Failure, expected: int):
    setting = Setting(9, 1, 1, Policy.SCATTERED, racks=3)
    plan = crashes(failure, setting, Draws(4))
    hosts = [host for crash in plan for host in crash.hosts.tolist()]
    assert len(set(hosts)) == len(hosts) == expected
    if failure is Failure.RACK:
        assert len(plan) == 1 and len({host % 3 for host in hosts}) == 1
    if failure is Failure.SEQUENCE:
        assert [crash.at_s for crash in plan] == [0, 1800, 3600]


def test_a_sequence_leaves_a_host():
    setting = Setting(2, 1, 1, Policy.SCATTERED)
    assert len(crashes(Failure.SEQUENCE, setting, Draws(4))) == 1


def test_the_same_numbers_on_any_machine():
    """Forty hosts in eight racks, a rack fails: facts of this seed."""
    setting = Setting(40, 10, 12, Policy.RACKS, replicas=3, racks=8)
    draws = Draws(2014)
    after = play(
        Watched(setting, place(setting, draws)), crashes(Failure.RACK, setting, draws), draws
    )
    assert after == Aftermath(
        hit=50,
        restarted_at_once=50,
        without_replica=0,
        all_run_s=90,
        mean_away_s=90.0,
        all_replicated_s=5720,
        copied_bytes=154 * DISK,
        busiest_host_bytes=16 * DISK,
        most_started=2,
    )

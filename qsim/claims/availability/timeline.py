# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens after a crash, told in SimPy: detection, boots, waiting, repair, copies.

Only what a failure touches becomes a process, so 10,000 hosts cost little more than ten.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from simpy import Environment, Event, Resource

from qsim.claims.availability.cluster import Cluster
from qsim.claims.availability.copies import Copy, copies
from qsim.claims.availability.draw import Draws
from qsim.claims.availability.failure import Crash
from qsim.claims.availability.setting import NOWHERE, Ints

Process = Generator[Event, Any, None]


@dataclass(frozen=True)
class Aftermath:
    """What came of it.  Times count from the first crash."""

    #: A VM that is hit twice counts twice.
    hit: int
    #: As soon as the crash was known; the others wait.
    restarted_at_once: int
    #: Had no replica left that was current, when it should have started.
    without_replica: int
    all_run_s: int
    #: Over those hit: how long they were away, on average.
    mean_away_s: float
    all_replicated_s: int
    copied_bytes: int
    #: Read and written by the host that copies most.
    busiest_host_bytes: int
    #: VMs started on the host that starts most.
    most_started: int


def play(cluster: Cluster, plan: list[Crash], draws: Draws) -> Aftermath:
    """Let it happen, until all VMs run and all replicas are current."""
    run = _Run(cluster, draws)
    for crash in plan:
        run.env.process(run.crash(crash))
    run.env.run()
    return run.aftermath()


class _Run:
    def __init__(self, cluster: Cluster, draws: Draws) -> None:
        self.cluster = cluster
        self.setting = cluster.setting
        self.draws = draws
        self.env = Environment()
        self.boots: dict[int, Resource] = defaultdict(
            lambda: Resource(self.env, self.setting.boots_at_once)
        )
        self.waiting: set[int] = set()
        self.down_since: dict[int, int] = {}
        #: Where VMs ran that do not.
        self.fell_on: dict[int, int] = {}
        #: Of hosts that have failed: when, and once they are back, for how long.
        self.failed_at: dict[int, int] = {}
        self.away_s: dict[int, int] = {}
        self.queue: list[Copy] = []
        self.under_way: list[Copy] = []
        self.lanes = defaultdict[int, int](int)
        self.hit = self.at_once = self.without_replica = 0
        self.away: list[int] = []
        self.last_boot_s = self.last_copy_s = 0
        self.busy_bytes: Counter[int] = Counter()
        self.started: Counter[int] = Counter()

    @property
    def now(self) -> int:
        return int(self.env.now)

    def crash(self, crash: Crash) -> Process:
        yield self.env.timeout(crash.at_s)
        ran_on = self.cluster.where.copy()
        victims = self.cluster.fail(crash.hosts)
        self.hit += len(victims)
        for vm in victims.tolist():
            self.down_since.setdefault(vm, self.now)
            self.fell_on[vm] = int(ran_on[vm])
        self.failed_at.update(dict.fromkeys(crash.hosts.tolist(), self.now))
        self.env.process(self.repair(crash.hosts))
        self.env.process(self.rebuild_later())
        yield self.env.timeout(self.setting.detection_s)
        self.waiting.update(victims.tolist())
        self.without_replica += int((~self.cluster.usable(victims).any(axis=1)).sum())
        self.restart()
        self.at_once += int((self.cluster.where[victims] != NOWHERE).sum())

    def repair(self, hosts: Ints) -> Process:
        yield self.env.timeout(self.setting.repair_s)
        self.cluster.repair(hosts)
        for host in hosts.tolist():
            self.away_s[host] = self.now - self.failed_at[host]
        self.resume(set(hosts.tolist()))
        self.restart()
        self.rebuild()

    def rebuild_later(self) -> Process:
        yield self.env.timeout(self.setting.rebuild_after_s)
        self.rebuild()

    def restart(self) -> None:
        """The manager's turn: every VM it knows to be dead."""
        if not self.waiting:
            return
        vms = np.array(sorted(self.waiting), dtype=np.int64)
        self.boot_all(vms, self.cluster.restart(vms))

    def resume(self, hosts: set[int]) -> None:
        """VMs start where they were, on hosts that are back: nobody else may take that room."""
        vms = np.array(sorted(x for x in self.waiting if self.fell_on[x] in hosts), dtype=np.int64)
        vms = vms[self.cluster.usable(vms).any(axis=1)]
        there = np.array([self.fell_on[vm] for vm in vms.tolist()], dtype=np.int64)
        self.cluster.start(vms, there)
        self.boot_all(vms, there)

    def boot_all(self, vms: Ints, hosts: Ints) -> None:
        for vm, host in zip(vms.tolist(), hosts.tolist(), strict=True):
            if host != NOWHERE:
                self.waiting.remove(vm)
                self.env.process(self.boot(vm, host))

    def boot(self, vm: int, host: int) -> Process:
        self.started[host] += 1
        with self.boots[host].request() as turn:
            yield turn
            yield self.env.timeout(self.setting.boot_s)
        # Else that host has crashed too, meanwhile, and another boot counts.
        if self.cluster.where[vm] == host and vm in self.down_since:
            self.away.append(self.now - self.down_since.pop(vm))
            self.last_boot_s = self.now

    def rebuild(self) -> None:
        """The tool's turn: every replica that can be made and is not being made."""
        known = [*self.under_way, *self.queue]
        self.queue += copies(self.cluster, known, self.away_s, self.draws)
        self.start_copies()

    def start_copies(self) -> None:
        """Those whose hosts both have a share of their network left, in turn; others let pass.

        Not by SimPy's resources: whoever held one end while it waits for the other would leave
        idle what a real network does not.
        """
        waiting = []
        taken, most = self.lanes, self.setting.copies_at_once
        for copy in self.queue:
            if taken[copy.source] < most and taken[copy.target] < most:
                taken[copy.source] += 1
                taken[copy.target] += 1
                self.under_way.append(copy)
                self.env.process(self.copy(copy))
            else:
                waiting.append(copy)
        self.queue = waiting

    def copy(self, copy: Copy) -> Process:
        ends = (copy.source, copy.target)
        before = self.standing(ends)
        if self.cluster.up[list(ends)].all():
            yield self.env.timeout(self.setting.copy_s(copy.size_bytes))
        for end in ends:
            self.lanes[end] -= 1
        self.under_way.remove(copy)
        if self.cluster.up[list(ends)].all() and self.standing(ends) == before:
            self.cluster.replicate(copy.vm, copy.nth, copy.target)
            self.last_copy_s = self.now
            self.busy_bytes.update(dict.fromkeys(ends, copy.size_bytes))
            self.start_copies()
        else:
            self.rebuild()

    def standing(self, ends: tuple[int, int]) -> list[int | None]:
        return [self.failed_at.get(end) for end in ends]

    def aftermath(self) -> Aftermath:
        assert not self.waiting and not self.down_since, "a VM waits for ever"
        assert not self.cluster.lacking()[0].size, "a replica is missing for ever"
        return Aftermath(
            hit=self.hit,
            restarted_at_once=self.at_once,
            without_replica=self.without_replica,
            all_run_s=self.last_boot_s,
            mean_away_s=sum(self.away) / len(self.away),
            all_replicated_s=self.last_copy_s,
            copied_bytes=sum(self.busy_bytes.values()) // 2,
            busiest_host_bytes=max(self.busy_bytes.values(), default=0),
            most_started=max(self.started.values(), default=0),
        )

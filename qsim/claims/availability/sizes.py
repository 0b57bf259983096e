# SPDX-License-Identifier: GPL-2.0-or-later
"""From 2 hosts to 10,000: how many VMs restart at once, and how long until all is well again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from qsim.claims.availability.alone import best_alone, each_alone
from qsim.claims.availability.closed import restarts
from qsim.claims.availability.cluster import Cluster
from qsim.claims.availability.draw import Draws
from qsim.claims.availability.failure import Failure, crashes
from qsim.claims.availability.interval import Interval, interval
from qsim.claims.availability.placement import place
from qsim.claims.availability.schemes import SCHEMES, Scheme
from qsim.claims.availability.setting import Setting
from qsim.claims.availability.timeline import Aftermath, play
from qsim.claims.finding import Cell, Table


@dataclass(frozen=True)
class Size:
    """One scheme in a data centre of one size."""

    setting: Setting
    scheme: Scheme
    placements: int
    #: Shares of a crashed host's VMs: that restart at once, and that restart where a replica lies.
    restarted: Interval
    at_replica: Interval
    #: What the first is by a formula, if there is one.
    expected: float | None
    #: The largest share of restarts at a replica the manager misses, over all placements.
    missed: float
    after: dict[Failure, list[Aftermath]]

    @property
    def name(self) -> str:
        """What it is of."""
        return f"{self.scheme}, {self.setting.hosts} hosts"

    @property
    def grain(self) -> float:
        """What one VM makes in the mean."""
        return 1 / (self.setting.vms * self.placements)


def measure(
    setting: Setting,
    scheme: Scheme,
    seed: int,
    placements: int,
    played: Mapping[Failure, int],
) -> Size:
    """Draw placements, and let every host crash alone.

    :param played: in how many of them what follows a failure is played.
    """
    shares, local, missed = [], [], []
    after: dict[Failure, list[Aftermath]] = {failure: [] for failure in Failure}
    number = SCHEMES.index(scheme)
    for i in range(placements):
        replicas = place(setting, Draws(seed, setting.hosts, number, i))
        alone = each_alone(setting, replicas)
        shares.append(int(alone.restarted.sum()) / setting.vms)
        local.append(int(alone.at_replica.sum()) / setting.vms)
        if setting.replicas > 2:
            missed.append(1 - int(alone.at_replica.sum()) / best_alone(setting, replicas))
        for kind, failure in enumerate(Failure, 1):
            if i < played[failure]:
                draws = Draws(seed, setting.hosts, number, i, kind)
                plan = crashes(failure, setting, draws)
                after[failure].append(play(Cluster(setting, replicas), plan, draws))
    known = restarts(setting)
    return Size(
        setting=setting,
        scheme=scheme,
        placements=placements,
        restarted=interval(shares),
        at_replica=interval(local),
        expected=None if known is None else known / setting.vms_per_host,
        missed=max(missed, default=0.0),
        after=after,
    )


def alone_table(sizes: list[Size]) -> Table:
    """Every host crashes alone."""
    columns = (
        "hosts",
        "vms",
        "scheme",
        "placements",
        "restarted_percent",
        "restarted_low_percent",
        "restarted_high_percent",
        "restarted_closed_form_percent",
        "restarted_at_replica_percent",
        "missed_by_manager_percent",
    )
    rows = tuple(
        (
            size.setting.hosts,
            size.setting.vms,
            str(size.scheme),
            size.placements,
            _percent(size.restarted.mean),
            _percent(max(size.restarted.low, 0.0)),
            _percent(min(size.restarted.high, 1.0)),
            "" if size.expected is None else _percent(size.expected),
            _percent(size.at_replica.mean),
            _percent(size.missed),
        )
        for size in sizes
    )
    return Table("availability-sizes", columns, rows)


def _percent(share: float) -> float:
    return round(100 * share, 4)


#: Of what came of a failure: how a column is called, and what is averaged.
AVERAGED: dict[str, Callable[[Aftermath], float]] = {
    "hit_vms": lambda after: after.hit,
    "restarted_percent": lambda after: 100 * after.restarted_at_once / after.hit,
    "without_replica_vms": lambda after: after.without_replica,
    "all_run_s": lambda after: after.all_run_s,
    "away_per_vm_s": lambda after: after.mean_away_s,
    "all_replicated_s": lambda after: after.all_replicated_s,
    "copied_gb": lambda after: after.copied_bytes / 1e9,
    "busiest_host_gb": lambda after: after.busiest_host_bytes / 1e9,
    "most_started_vms": lambda after: after.most_started,
}


def average(size: Size, failure: Failure, name: str) -> Interval:
    """Of a column, over the seeds."""
    return interval([AVERAGED[name](after) for after in size.after[failure]])


def failures_table(sizes: list[Size]) -> Table:
    """One failure a placement: the mean, and half the width of its interval."""
    averaged = [column for name in AVERAGED for column in (name, f"{name}_plus_minus")]
    columns = ("hosts", "scheme", "failure", "played", *averaged)
    return Table("availability-failures", columns, tuple(_rows(sizes)))


def _rows(sizes: list[Size]) -> list[tuple[Cell, ...]]:
    rows = []
    for size in sizes:
        for failure in Failure:
            cells: list[Cell] = [size.setting.hosts, str(size.scheme), failure.value]
            cells.append(len(size.after[failure]))
            for name in AVERAGED:
                known = average(size, failure, name)
                cells += [round(known.mean, 2), round(known.half, 2)]
            rows.append(tuple(cells))
    return rows

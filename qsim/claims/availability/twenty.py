# SPDX-License-Identifier: GPL-2.0-or-later
"""The cover letter's numbers: twenty VMs run on host A, and A crashes.

How many restart at once, for any number of free slots on each of the other hosts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qsim.claims.availability.assign import assign_trials
from qsim.claims.availability.closed import restarts
from qsim.claims.availability.draw import Draws
from qsim.claims.availability.interval import Interval, interval
from qsim.claims.availability.placement import place
from qsim.claims.availability.schemes import ANYWHERE, PAIRS, SCATTERED, THREE, Scheme
from qsim.claims.availability.setting import Ints, Restart, Setting
from qsim.claims.finding import Table

VMS = 20
FREE = range(VMS + 1)
#: What is scattered over how many hosts; a pair is two.
CASES = (
    (2, PAIRS),
    (4, SCATTERED),
    (8, SCATTERED),
    (20, SCATTERED),
    (20, THREE),
    (4, ANYWHERE),
    (8, ANYWHERE),
    (20, ANYWHERE),
)


@dataclass(frozen=True)
class Point:
    """One case with so many free slots on each host."""

    setting: Setting
    scheme: Scheme
    restarted: Interval
    expected: float | None
    placements: int

    @property
    def name(self) -> str:
        """What it is of."""
        return f"{self.scheme}, {self.setting.hosts} hosts"

    @property
    def grain(self) -> float:
        """What one VM makes in the mean."""
        return 1 / self.placements

    @property
    def used_percent(self) -> float:
        """How much of all slots is taken before the crash."""
        return 100 * VMS / self.setting.slots_per_host


def twenty(seed: int, *, quick: bool) -> Iterator[Point]:
    """All cases, each with any number of free slots, in this order."""
    placements = 30 if quick else 400
    for case, (hosts, scheme) in enumerate(CASES):
        settings = [
            Setting(
                hosts=hosts,
                vms_per_host=VMS,
                slots_per_host=VMS + free,
                policy=scheme.policy,
                replicas=scheme.replicas,
                restart=scheme.restart,
            )
            for free in FREE
        ]
        placed = [place(settings[0], Draws(seed, case, i))[:VMS] for i in range(placements)]
        counts = first_host(settings, placed)
        for one, column in zip(settings, counts.T.tolist(), strict=True):
            yield Point(one, scheme, interval(column), restarts(one), placements)


def first_host(settings: list[Setting], placed: list[Ints]) -> Ints:
    """How many VMs of the first host restart: a row for each placement, a column for each setting.

    :param placed: the first host's VMs only; the same for all settings.
    """
    free = np.array([one.free_slots for one in settings])
    trials = np.arange(len(placed) * len(settings))
    # Placement by placement; in each, setting by setting.
    choices = np.stack(placed)[:, None, :, 1:]
    spread = np.broadcast_to(choices, (len(placed), len(settings), *choices.shape[2:]))
    trial = np.repeat(trials, choices.shape[2])
    hosts = settings[0].hosts
    count = assign_trials(
        trial, spread.reshape(len(trial), -1), hosts, np.tile(free, len(placed))
    ).reshape(len(placed), len(settings))
    if settings[0].restart is Restart.ANYWHERE:
        # The rest goes wherever there is room left.
        return np.broadcast_to(np.minimum(choices.shape[2], free * (hosts - 1)), count.shape)
    return count


def table(points: list[Point]) -> Table:
    """A row for each."""
    columns = (
        "hosts",
        "scheme",
        "free_slots_per_host",
        "used_percent",
        "restarted_vms",
        "restarted_low_vms",
        "restarted_high_vms",
        "restarted_closed_form_vms",
    )
    rows = tuple(
        (
            point.setting.hosts,
            str(point.scheme),
            point.setting.free_slots,
            round(point.used_percent, 1),
            round(point.restarted.mean, 4),
            round(point.restarted.low, 4),
            round(point.restarted.high, 4),
            "" if point.expected is None else round(point.expected, 4),
        )
        for point in points
    )
    return Table("availability-twenty", columns, rows)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What scattering costs: as many hosts as a VM has replicas fail together, any of all.

How likely some VM has then lost all of its replicas.  It is counted, not sampled: the sets of
hosts that hold all replicas of some VM, of all sets of that size.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from qsim.claims.availability.closed import loses_any
from qsim.claims.availability.draw import Draws
from qsim.claims.availability.interval import Interval, interval
from qsim.claims.availability.placement import place
from qsim.claims.availability.schemes import (
    APART,
    PAIRS,
    RING,
    SCATTERED,
    SCHEMES,
    THREE,
    Scheme,
)
from qsim.claims.availability.setting import Ints, Setting
from qsim.claims.finding import Table

COMPARED = (PAIRS, RING, SCATTERED, APART, THREE)


@dataclass(frozen=True)
class Loss:
    """One scheme in a data centre of one size."""

    setting: Setting
    scheme: Scheme
    #: How likely some VM loses all, and how many do on average.
    any_vm: Interval
    expected: float | None
    lost_vms: float

    @property
    def name(self) -> str:
        """What it is of."""
        return f"{self.scheme}, {self.setting.hosts} hosts"

    @property
    def grain(self) -> float:
        """What one set of hosts makes, in one placement."""
        return 1 / comb(self.setting.hosts, self.setting.replicas)


def measure(setting: Setting, scheme: Scheme, seed: int, placements: int) -> Loss:
    """Draw that many placements."""
    sets = comb(setting.hosts, setting.replicas)
    number = SCHEMES.index(scheme)
    shares = [
        fatal_sets(setting, place(setting, Draws(seed, setting.hosts, number, i))) / sets
        for i in range(placements)
    ]
    return Loss(setting, scheme, interval(shares), loses_any(setting), setting.vms / sets)


def fatal_sets(setting: Setting, replicas: Ints) -> int:
    """How many sets of hosts hold all replicas of some VM."""
    key = np.zeros(len(replicas), dtype=np.int64)
    for host in np.sort(replicas, axis=1).T:
        key = key * setting.hosts + host
    return len(np.unique(key))


def table(losses: list[Loss]) -> Table:
    """A row for each."""
    columns = (
        "hosts",
        "scheme",
        "failing_hosts",
        "some_vm_lost_percent",
        "some_vm_lost_low_percent",
        "some_vm_lost_high_percent",
        "some_vm_lost_closed_form_percent",
        "lost_vms_on_average",
    )
    rows = tuple(
        (
            loss.setting.hosts,
            str(loss.scheme),
            loss.setting.replicas,
            _percent(loss.any_vm.mean),
            _percent(max(loss.any_vm.low, 0.0)),
            _percent(min(loss.any_vm.high, 1.0)),
            "" if loss.expected is None else _percent(loss.expected),
            float(f"{loss.lost_vms:.4g}"),
        )
        for loss in losses
    )
    return Table("availability-loss", columns, rows)


def _percent(share: float) -> float:
    """Four digits, wherever they are."""
    return float(f"{100 * share:.4g}")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Which hosts a VM's replicas lie on, by policy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qsim.claims.availability.draw import Draws, distinct
from qsim.claims.availability.setting import Ints, Policy, Setting


def place(setting: Setting, draws: Draws) -> Ints:
    """A row for each VM: the host it runs on, then those of its other replicas."""
    home = np.repeat(np.arange(setting.hosts), setting.vms_per_host)
    return _PLACES[setting.policy](setting, home, draws)


def _pairs(setting: Setting, home: Ints, draws: Draws) -> Ints:
    return np.column_stack((home, home ^ 1))


def _ring(setting: Setting, home: Ints, draws: Draws) -> Ints:
    nth = np.arange(len(home)) % setting.vms_per_host
    steps = [1 + (nth + i) % setting.ring_width for i in range(setting.replicas - 1)]
    return np.column_stack((home, *((home + step) % setting.hosts for step in steps)))


def _scattered(setting: Setting, home: Ints, draws: Draws) -> Ints:
    return distinct(draws, home, setting.hosts, setting.replicas - 1)


def _racks(setting: Setting, home: Ints, draws: Draws) -> Ints:
    """Other racks first, then a host in each."""
    racks = distinct(draws, home % setting.racks, setting.racks, setting.replicas - 1)
    columns = [home]
    for rack in racks.T[1:]:
        held = (setting.hosts - 1 - rack) // setting.racks + 1
        columns.append(rack + setting.racks * draws.below(held, len(home)))
    return np.column_stack(columns)


_PLACES: dict[Policy, Callable[[Setting, Ints, Draws], Ints]] = {
    Policy.PAIRS: _pairs,
    Policy.RING: _ring,
    Policy.SCATTERED: _scattered,
    Policy.RACKS: _racks,
}

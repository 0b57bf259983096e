# SPDX-License-Identifier: GPL-2.0-or-later
"""Every host of a data centre crashes, each alone: how many of its VMs restart at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qsim.claims.availability.assign import assign_trials
from qsim.claims.availability.optimum import most
from qsim.claims.availability.setting import Ints, Restart, Setting


@dataclass(frozen=True)
class Alone:
    """Of each host's VMs, if it crashes."""

    #: Those that restart, and how many of them where a replica lies.
    restarted: Ints
    at_replica: Ints


def each_alone(setting: Setting, replicas: Ints) -> Alone:
    """All crashes at once: they have nothing to do with each other."""
    free = np.full(setting.hosts, setting.free_slots)
    at_replica = assign_trials(replicas[:, 0], replicas[:, 1:], setting.hosts, free)
    if setting.restart is Restart.AT_REPLICA:
        return Alone(at_replica, at_replica)
    room = min(setting.vms_per_host, setting.free_slots * (setting.hosts - 1))
    return Alone(np.full(setting.hosts, room), at_replica)


def best_alone(setting: Setting, replicas: Ints) -> int:
    """How many VMs could restart at a replica over all these crashes, at most."""
    keys, index = np.unique(replicas[:, :1] * setting.hosts + replicas[:, 1:], return_inverse=True)
    free = np.full(len(keys), setting.free_slots)
    return most(index.reshape(len(replicas), -1), free)

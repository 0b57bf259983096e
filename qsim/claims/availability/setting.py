# SPDX-License-Identifier: GPL-2.0-or-later
"""What is simulated: a data centre, its policy, and how long things take."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: In arrays of hosts: none.
NOWHERE = -1


class Policy(Enum):
    """Where a VM's replicas lie, besides the host it runs on."""

    #: Hosts are coupled two by two.
    PAIRS = "pairs"
    #: On the hosts that follow in a ring, in turn.
    RING = "in a ring"
    #: On any other hosts.
    SCATTERED = "scattered"
    #: On any other hosts, never two in a rack.
    RACKS = "in different racks"


class Restart(Enum):
    """Where a VM may start again."""

    AT_REPLICA = "at a replica"
    #: At a replica if there is room, else anywhere: children are reached over the network.
    ANYWHERE = "anywhere"


@dataclass(frozen=True)
class Setting:
    """A data centre: all its hosts are alike, and each runs as many VMs as the others.

    Neighbours by number stand in different racks (rack = number modulo racks), so a crash of a
    rack takes neither a pair nor, if there are racks enough, neighbours in the ring.

    :param ring_hosts: how many of the next hosts a host's VMs have their replicas on.
    :param boots_at_once: how many VMs a host boots side by side; more wait.
    :param repair_s: from its crash until a host is back, with its disks as they were.
    :param gap_s: between crashes in a sequence.
    :param rebuild_after_s: from a crash until lost replicas are made anew on other hosts.
    :param written_bytes_per_s: what a VM changes: all that DRBD copies to a host that is back.
    :param copy_bytes_per_s: what copies may take of a host's network, in and out together.
    :param copies_at_once: how many copies of images share that on a host; more wait.
    :raise ValueError: when the policy has no place for that many replicas, or it makes no sense.
    """

    hosts: int
    vms_per_host: int
    slots_per_host: int
    policy: Policy
    replicas: int = 2
    restart: Restart = Restart.AT_REPLICA
    racks: int = 1
    ring_hosts: int = 5
    detection_s: int = 30
    boot_s: int = 60
    boots_at_once: int = 2
    repair_s: int = 4 * 3600
    gap_s: int = 1800
    rebuild_after_s: int = 600
    disk_bytes: int = 40 * 10**9
    written_bytes_per_s: int = 10**6
    copy_bytes_per_s: int = 125 * 10**6
    copies_at_once: int = 1

    def __post_init__(self) -> None:
        if self.vms_per_host > self.slots_per_host:
            raise ValueError(f"{self.vms_per_host} VMs in {self.slots_per_host} slots of a host")
        if not 1 <= self.racks <= self.hosts:
            raise ValueError(f"{self.racks} racks of {self.hosts} hosts")
        if self.repair_s <= self.detection_s:
            raise ValueError("a host is back before it is known to have failed")
        if not 2 <= self.replicas <= self.room:
            raise ValueError(f"{self.replicas} replicas {self.policy.value}: {self.room} places")
        if self.policy is Policy.PAIRS and (self.hosts % 2 or self.restart is Restart.ANYWHERE):
            raise ValueError("pairs take an even number of hosts, and restart only on the partner")

    @property
    def room(self) -> int:
        """How many replicas of a VM there can be."""
        return {
            Policy.PAIRS: 2,
            Policy.RING: 1 + self.ring_width,
            Policy.SCATTERED: self.hosts,
            Policy.RACKS: self.racks,
        }[self.policy]

    @property
    def ring_width(self) -> int:
        """How many other hosts hold replicas of a host's VMs, in a ring."""
        return min(self.ring_hosts, self.hosts - 1)

    @property
    def vms(self) -> int:
        """How many VMs there are in all."""
        return self.hosts * self.vms_per_host

    @property
    def free_slots(self) -> int:
        """How many more VMs fit on a host before anything has failed."""
        return self.slots_per_host - self.vms_per_host

    def copy_s(self, size_bytes: int) -> int:
        """How long a copy takes, once it has its share of both hosts' network."""
        return -(-size_bytes * self.copies_at_once // self.copy_bytes_per_s)

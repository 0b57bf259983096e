# SPDX-License-Identifier: GPL-2.0-or-later
"""The data centre as it stands: which hosts are up, where VMs run, which replicas are current."""

from __future__ import annotations

import numpy as np

from qsim.claims.availability.assign import assign, spread
from qsim.claims.availability.setting import NOWHERE, Bools, Ints, Restart, Setting


class Cluster:
    """All hosts up, all VMs at home, all replicas current, at first.

    :param replicas: a row for each VM: its home, then the hosts of its other replicas.
    """

    def __init__(self, setting: Setting, replicas: Ints) -> None:
        self.setting = setting
        self.replicas = replicas.copy()
        self.where = replicas[:, 0].copy()
        self.up = np.ones(setting.hosts, dtype=bool)
        #: Of each replica, whether it has all that was written.  A manager has to know that: with
        #: a threshold of 1 a child that has missed writes is read as any other.
        self.current = np.ones(replicas.shape, dtype=bool)
        self.load = np.bincount(self.where, minlength=setting.hosts)

    def fail(self, hosts: Ints) -> Ints:
        """Hosts crash; the VMs that ran there, or elsewhere with no current replica left now."""
        self.up[hosts] = False
        self.load[hosts] = 0
        hit = np.zeros(self.setting.hosts, dtype=bool)
        hit[hosts] = True
        running = self.where != NOWHERE
        there = running & hit[self.where]
        cut_off = running & ~there & ~(self.current & self.up[self.replicas]).any(axis=1)
        self.load -= np.bincount(self.where[cut_off], minlength=self.setting.hosts)
        victims = np.flatnonzero(there | cut_off)
        self.where[victims] = NOWHERE
        # Those that run on go on writing, past the replicas that are gone.
        self.current &= ~(hit[self.replicas] & (self.where != NOWHERE)[:, None])
        return victims

    def repair(self, hosts: Ints) -> None:
        """Hosts come back, empty of VMs; their disks are as they were."""
        self.up[hosts] = True

    def usable(self, vms: Ints) -> Bools:
        """Of each replica of these VMs, whether it is current and its host is up."""
        return self.current[vms] & self.up[self.replicas[vms]]

    def restart(self, vms: Ints) -> Ints:
        """Start what can be started of VMs that do not run: where, or :data:`NOWHERE`."""
        usable = self.usable(vms)
        got = assign(np.where(usable, self.replicas[vms], NOWHERE), self.free())
        self.start(vms, got)
        if self.setting.restart is Restart.ANYWHERE:
            left = np.flatnonzero((got == NOWHERE) & usable.any(axis=1))
            more = spread(len(left), self.free())
            got[left[: len(more)]] = more
            self.start(vms[left[: len(more)]], more)
        return got

    def start(self, vms: Ints, hosts: Ints) -> None:
        """VMs that do not run start on these hosts, where it is not :data:`NOWHERE`."""
        started = vms[hosts != NOWHERE]
        hosts = hosts[hosts != NOWHERE]
        self.where[started] = hosts
        self.load += np.bincount(hosts, minlength=self.setting.hosts)
        self.current[started] &= self.up[self.replicas[started]]

    def free(self) -> Ints:
        """How many VMs each host has room for."""
        return np.where(self.up, self.setting.slots_per_host - self.load, 0)

    def lacking(self) -> tuple[Ints, Ints]:
        """VMs that run, and which of their replicas are not usable.

        One that waits has lost nothing yet: it starts from its replicas once a host is back.
        """
        running = self.where != NOWHERE
        usable = self.current & self.up[self.replicas]
        vm, nth = np.nonzero(~usable & (running & usable.any(axis=1))[:, None])
        return vm, nth

    def replicate(self, vm: int, nth: int, host: int) -> None:
        """A replica has been made on a host that is up, as current as the VM itself."""
        self.replicas[vm, nth] = host
        self.current[vm, nth] = True

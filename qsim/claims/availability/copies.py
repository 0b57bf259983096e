# SPDX-License-Identifier: GPL-2.0-or-later
"""Which images are copied, and to where, until every VM has all its replicas again.

Nothing of this is in the series: there is no auto-sync.  For quorum children a tool outside QEMU is
assumed that copies a whole image to another host the policy allows, or back to a host that is up
again: the series keeps no record of what has changed.  For pairs it is DRBD, which does, and waits
for the partner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from qsim.claims.availability.cluster import Cluster
from qsim.claims.availability.draw import Draws
from qsim.claims.availability.setting import Policy, Setting


@dataclass(frozen=True)
class Copy:
    """A replica to be made."""

    vm: int
    nth: int
    source: int
    target: int
    size_bytes: int


def copies(
    cluster: Cluster, under_way: Iterable[Copy], away_s: Mapping[int, int], draws: Draws
) -> list[Copy]:
    """All that can be made now, besides those under way.

    :param away_s: of hosts that have failed, for how long they were away, at most.
    """
    setting = cluster.setting
    coming: dict[int, dict[int, int]] = defaultdict(dict)
    for copy in under_way:
        coming[copy.vm][copy.nth] = copy.target
    found = []
    for vm, nth in zip(*(x.tolist() for x in cluster.lacking()), strict=True):
        if nth in coming[vm]:
            continue
        host = int(cluster.replicas[vm, nth])
        if cluster.up[host]:
            target, size = host, _size(setting, away_s[host])
        else:
            others = [*np.delete(cluster.replicas[vm], nth).tolist(), *coming[vm].values()]
            elsewhere = _elsewhere(cluster, host, others, draws)
            if elsewhere is None:
                continue
            target, size = elsewhere, setting.disk_bytes
        coming[vm][nth] = target
        found.append(Copy(vm, nth, _source(cluster, vm), target, size))
    return found


def _size(setting: Setting, away_s: int) -> int:
    """What goes back to a host that was away."""
    if setting.policy is not Policy.PAIRS:
        return setting.disk_bytes
    return min(setting.disk_bytes, setting.written_bytes_per_s * away_s)


def _source(cluster: Cluster, vm: int) -> int:
    """The replica beside the VM if there is one: it is read in any case."""
    usable = cluster.replicas[vm][cluster.current[vm] & cluster.up[cluster.replicas[vm]]]
    beside = int(cluster.where[vm])
    return beside if beside in usable else int(usable[0])


def _elsewhere(cluster: Cluster, lost: int, others: list[int], draws: Draws) -> int | None:
    """A host for a replica lost with its host, beside the VM's others: one the policy allows."""
    setting = cluster.setting
    if setting.policy is Policy.PAIRS:
        return None
    allowed = cluster.up.copy()
    if setting.policy is Policy.RACKS:
        for rack in {host % setting.racks for host in others}:
            allowed[rack :: setting.racks] = False
    else:
        allowed[others] = False
    hosts = np.flatnonzero(allowed)
    if not hosts.size:
        return None
    if setting.policy is Policy.RING:
        # Those that follow the lost one; none more than others.
        hosts = np.roll(hosts, -np.searchsorted(hosts, lost))[: setting.ring_width]
    return int(hosts[draws.below(len(hosts), 1)[0]])

# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be known without simulating."""

from __future__ import annotations

from math import comb, expm1, fsum, log1p

from qsim.claims.availability.setting import Policy, Restart, Setting


def loses_all(hosts: int, failed: int, replicas: int) -> float:
    """How likely a VM loses all its replicas when ``failed`` hosts, any, fail together."""
    return comb(failed, replicas) / comb(hosts, replicas)


def restarts(setting: Setting) -> float | None:
    """How many of a crashed host's VMs restart at once, on average; ``None``: not known.

    A pair, and the ring with two replicas, leave nothing to chance.  With two replicas scattered,
    how many of the VMs have their second on a given host is binomial, and that host takes no more
    than it has room for.  With three it is a matching, and there is no such formula.
    """
    vms, free, others = setting.vms_per_host, setting.free_slots, setting.hosts - 1
    if setting.restart is Restart.ANYWHERE:
        return min(vms, free * others)
    if setting.policy is Policy.PAIRS:
        return min(vms, free)
    if setting.replicas != 2:
        return None
    if setting.policy is Policy.RING:
        share, more = divmod(vms, setting.ring_width)
        return more * min(share + 1, free) + (setting.ring_width - more) * min(share, free)
    if setting.policy is Policy.RACKS:
        if setting.hosts % setting.racks:
            return None
        others = setting.hosts - setting.hosts // setting.racks
    p = 1 / others
    return others * fsum(
        comb(vms, k) * p**k * (1 - p) ** (vms - k) * min(k, free) for k in range(vms + 1)
    )


def loses_any(setting: Setting) -> float | None:
    """How likely some VM loses all its replicas when as many hosts fail together, any; or ``None``.

    That is the share of sets of hosts of this size that hold all replicas of some VM: the
    copysets of Cidon et al. (USENIX ATC 2013).
    """
    hosts, size = setting.hosts, setting.replicas
    sets = comb(hosts, size)
    drawn = size * setting.vms_per_host
    if setting.policy is Policy.PAIRS:
        return hosts / 2 / sets
    if setting.policy is Policy.RING:
        width = min(setting.ring_width, setting.vms_per_host)
        if size != 2:
            return None
        return 1.0 if hosts <= 2 * width + 1 else hosts * width / sets
    if setting.policy is Policy.RACKS:
        racks = setting.racks
        if hosts % racks:
            return None
        each: int = (hosts // racks) ** size
        apart = comb(racks, size) * each
        return apart / sets * _hit(comb(racks - 1, size - 1) * each // (hosts // racks), drawn)
    return _hit(comb(hosts - 1, size - 1), drawn)


def _hit(of: int, times: int) -> float:
    """How likely one of ``of`` is drawn, in so many draws."""
    return 1.0 if of == 1 else -expm1(times * log1p(-1 / of))

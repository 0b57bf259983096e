# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared, and in which data centres."""

from __future__ import annotations

from dataclasses import dataclass

from qsim.claims.availability.failure import Failure
from qsim.claims.availability.setting import Policy, Restart, Setting


@dataclass(frozen=True)
class Scheme:
    """A policy, with how many replicas, and where VMs may restart."""

    policy: Policy
    replicas: int = 2
    restart: Restart = Restart.AT_REPLICA

    def __str__(self) -> str:
        if self.policy is Policy.PAIRS:
            return "DRBD pairs"
        anywhere = ", restart anywhere" if self.restart is Restart.ANYWHERE else ""
        return f"{self.replicas} {self.policy.value}{anywhere}"


PAIRS = Scheme(Policy.PAIRS)
RING = Scheme(Policy.RING)
SCATTERED = Scheme(Policy.SCATTERED)
ANYWHERE = Scheme(Policy.SCATTERED, restart=Restart.ANYWHERE)
THREE = Scheme(Policy.SCATTERED, replicas=3)
APART = Scheme(Policy.RACKS)
THREE_APART = Scheme(Policy.RACKS, replicas=3)
SCHEMES = (PAIRS, RING, SCATTERED, ANYWHERE, APART, THREE, THREE_APART)

SIZES = (2, 4, 8, 16, 32, 100, 320, 1000, 10_000)
QUICK_SIZES = (2, 4, 8, 32)

#: Ten in twelve: a DRBD partner has room for two of them.
VMS_PER_HOST = 10
SLOTS_PER_HOST = 12
#: Hosts in a rack, where there are hosts enough for four racks.
RACK = 20


def setting(hosts: int, scheme: Scheme) -> Setting | None:
    """The data centre of that size; ``None`` if it is too small for the scheme."""
    racks = max(min(hosts, 4), hosts // RACK)
    try:
        return Setting(
            hosts=hosts,
            vms_per_host=VMS_PER_HOST,
            slots_per_host=SLOTS_PER_HOST,
            policy=scheme.policy,
            replicas=scheme.replicas,
            restart=scheme.restart,
            racks=racks,
        )
    except ValueError:
        return None


def placements(hosts: int, *, quick: bool) -> int:
    """How many are drawn: in a large data centre one holds many crashes already."""
    return 10 if quick else max(10, min(200, 100_000 // hosts))


def played(hosts: int, *, quick: bool) -> dict[Failure, int]:
    """In how many of them what follows a failure is played: it takes longer."""
    most = placements(hosts, quick=quick)
    host, more = (3, 2) if quick else (40, 12)
    return {
        Failure.HOST: min(host, most),
        Failure.RACK: min(more, most),
        Failure.SEQUENCE: min(more, most),
    }

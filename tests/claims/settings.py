# SPDX-License-Identifier: GPL-2.0-or-later
"""Small data centres of any kind."""

from __future__ import annotations

from hypothesis import strategies as st

from qsim.claims.availability.setting import Policy, Restart, Setting


@st.composite
def settings(draw: st.DrawFn) -> Setting:
    """Any that makes sense, with times that fall together as they like."""
    policy = draw(st.sampled_from(Policy))
    hosts = draw(st.integers(2, 9)) if policy is not Policy.PAIRS else 2 * draw(st.integers(1, 4))
    racks = draw(st.integers(min(2, hosts), hosts))
    ring = draw(st.integers(1, 4))
    room = {
        Policy.PAIRS: 2,
        Policy.RING: 1 + min(ring, hosts - 1),
        Policy.SCATTERED: hosts,
        Policy.RACKS: racks,
    }[policy]
    vms = draw(st.integers(1, 6))
    anywhere = policy is not Policy.PAIRS and draw(st.booleans())
    detection_s = draw(st.integers(0, 40))
    return Setting(
        hosts=hosts,
        vms_per_host=vms,
        slots_per_host=vms + draw(st.integers(0, 4)),
        policy=policy,
        replicas=draw(st.integers(2, min(room, 4))),
        restart=Restart.ANYWHERE if anywhere else Restart.AT_REPLICA,
        racks=racks,
        ring_hosts=ring,
        detection_s=detection_s,
        boot_s=draw(st.sampled_from([0, 7, 60])),
        boots_at_once=draw(st.integers(1, 3)),
        repair_s=detection_s + draw(st.integers(1, 2000)),
        gap_s=draw(st.sampled_from([0, 20, 300, 1500])),
        rebuild_after_s=draw(st.sampled_from([0, 100, 900])),
        disk_bytes=draw(st.sampled_from([1, 10**9, 40 * 10**9])),
        copies_at_once=draw(st.integers(1, 3)),
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""Twenty virtual machines whose host has crashed: where they restart, and what it costs.

The cover letter compares two hosts coupled by DRBD with quorum children scattered over the data
centre.  Here both, and two policies between them, are hosts with slots, VMs with replicas, and
hosts that fail.  What is assumed, because the series does not say it:

- A manager outside QEMU sees the crash, knows which replica is current, and starts the VMs.
- It may start a VM only where a replica lies (:attr:`Restart.AT_REPLICA`: the first child is
  local), or on any host with a free slot (:attr:`Restart.ANYWHERE`: all children are remote).
- Nothing in the series replicates again what a crash took.  A tool outside QEMU copies whole
  images some time after it (:mod:`.copies`); its cost is that tool's, and a guess.
- DRBD replicates again by itself once the host is back, and only what has changed.
- In v4 a quorum of two children does not open while one of them cannot be opened, nor does one
  of a single child (``fixtures/2014/open.yaml``): until there is a second replica again, the
  manager starts a VM on the bare image.
- In a DRBD setup all VMs of a host have the same partner, as the cover letter has it.  DRBD does
  not ask for that: each VM's device may have a partner of its own, which is scattering too.

Numbers are integers as far as they go, and drawn so that a seed gives the same on any machine
(:mod:`.draw`).
"""

# SPDX-License-Identifier: GPL-2.0-or-later
"""The releases of QEMU that Debian has ready to unpack, and which of their programs are compared.

A new release is a line here.
"""

from __future__ import annotations

from dataclasses import dataclass

SYSTEM, DAEMON, IMG = "qemu-system-x86_64", "qemu-storage-daemon", "qemu-img"
#: The programs that get a wrapper; qemu-img is what the harness makes images with.
PROGRAMS = (SYSTEM, DAEMON, IMG)
#: The Debian packages they are in.
PACKAGES = ("qemu-system-x86", "qemu-utils")


@dataclass(frozen=True)
class Release:
    """A release of QEMU as a suite of Debian has it.

    :param name: the version it is expected to be.
    :param aptopts: what apt must be told for this suite.
    """

    name: str
    suite: str
    aptopts: tuple[str, ...] = ()


RELEASES = (
    Release("5.2", "bullseye"),
    Release("7.2", "bookworm"),
    Release("10.0", "trixie"),
    # Mirrors of sid may lag behind the date until which its index is good.
    Release("11.1", "sid", ('Acquire::Check-Valid-Until "false"',)),
)

#: What is compared, in this order.
PLAYS = (
    ("5.2", SYSTEM),
    ("7.2", SYSTEM),
    ("10.0", SYSTEM),
    ("11.1", SYSTEM),
    ("7.2", DAEMON),
    ("11.1", DAEMON),
)

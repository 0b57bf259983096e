# SPDX-License-Identifier: GPL-2.0-or-later
"""Request flags, block status bits and node permissions (include/block/block-common.h, 7.2)."""

from __future__ import annotations

from enum import IntFlag

BDRV_SECTOR_SIZE = 512
BDRV_REQUEST_MAX_BYTES = 0x7FFFFFFF // BDRV_SECTOR_SIZE * BDRV_SECTOR_SIZE
#: 2^63-1 rounded down to the largest request alignment (block.h BDRV_MAX_LENGTH).
BDRV_MAX_LENGTH = (1 << 63) - (1 << 30)
MAX_BOUNCE_BUFFER = 32768 << 9


class Req(IntFlag):
    """BDRV_REQ_*: the flags a request can carry that matter to quorum."""

    NONE = 0
    ZERO_WRITE = 1
    MAY_UNMAP = 2
    FUA = 4
    WRITE_UNCHANGED = 8
    NO_FALLBACK = 16


class Status(IntFlag):
    """BDRV_BLOCK_*: what a block status query answers."""

    NONE = 0
    DATA = 1
    ZERO = 2
    ALLOCATED = 4
    EOF = 8


class Perm(IntFlag):
    """BLK_PERM_*: what a parent wants to do with a node, or lets others do."""

    NONE = 0
    CONSISTENT_READ = 1
    WRITE = 2
    WRITE_UNCHANGED = 4
    RESIZE = 8
    ALL = 15


DEFAULT_PERM_PASSTHROUGH = Perm.CONSISTENT_READ | Perm.WRITE | Perm.WRITE_UNCHANGED | Perm.RESIZE
DEFAULT_PERM_UNCHANGED = Perm.ALL & ~DEFAULT_PERM_PASSTHROUGH

#: Names in error texts, in the order QEMU lists them (block.c bdrv_perm_names()).
PERM_NAMES = {
    Perm.CONSISTENT_READ: "consistent read",
    Perm.WRITE: "write",
    Perm.WRITE_UNCHANGED: "write unchanged",
    Perm.RESIZE: "resize",
}


def bdrv_perm_names(perm: Perm) -> str:
    """The names of all permissions in ``perm``, as error texts list them."""
    return ", ".join(text for bit, text in PERM_NAMES.items() if perm & bit)

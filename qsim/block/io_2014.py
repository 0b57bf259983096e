# SPDX-License-Identifier: GPL-2.0-or-later
"""The generic request paths of 2014, as far as sectors go (block.c at a9db86b223).

No permissions, no flags below the device, no record of what was flushed: a request is checked
against the node's length and handed to the driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.block.errno import number
from qsim.block.flags import BDRV_SECTOR_SIZE, Req
from qsim.block.iovec import QEMUIOVector
from qsim.block.switches import READ_ONLY_IS_EPERM

if TYPE_CHECKING:
    from qsim.block.node import BlockDriverState


def bdrv_check_byte_request(bs: BlockDriverState, offset: int, bytes_: int) -> int:
    """bdrv_check_byte_request(): -EIO beyond the end."""
    length = bs.bdrv_getlength()
    return -number("EIO") if offset > length or length - offset < bytes_ else 0


async def bdrv_co_do_preadv(
    bs: BlockDriverState, offset: int, bytes_: int, qiov: QEMUIOVector
) -> int:
    """bdrv_co_do_preadv() of whole sectors: 0 or a negative errno."""
    assert offset % BDRV_SECTOR_SIZE == 0 and bytes_ % BDRV_SECTOR_SIZE == 0
    if bdrv_check_byte_request(bs, offset, bytes_) < 0:
        return -number("EIO")
    return await bs.co_preadv(offset, bytes_, qiov, Req.NONE)


async def bdrv_co_do_pwritev(
    bs: BlockDriverState, offset: int, bytes_: int, qiov: QEMUIOVector
) -> int:
    """bdrv_co_do_pwritev() of whole sectors: 0 or a negative errno."""
    assert offset % BDRV_SECTOR_SIZE == 0 and bytes_ % BDRV_SECTOR_SIZE == 0
    if bs.read_only:
        return -number("EPERM" if READ_ONLY_IS_EPERM in bs.world.switches else "EACCES")
    if bdrv_check_byte_request(bs, offset, bytes_) < 0:
        return -number("EIO")
    return await bs.co_pwritev(offset, bytes_, qiov, Req.NONE)


async def bdrv_co_flush(bs: BlockDriverState) -> int:
    """bdrv_co_flush(): always goes to the driver; a read-only node is not flushed."""
    return 0 if bs.read_only else await bs.co_flush()


async def bdrv_co_discard(bs: BlockDriverState, offset: int, bytes_: int) -> int:
    """bdrv_co_discard() of a driver that has no discard: it succeeds, after the checks."""
    if bdrv_check_byte_request(bs, offset, bytes_) < 0:
        return -number("EIO")
    if bs.read_only:
        return -number("EPERM" if READ_ONLY_IS_EPERM in bs.world.switches else "EROFS")
    return 0

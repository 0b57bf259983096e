# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's way in, in 2014: a device exported over NBD (nbd.c at a9db86b223)."""

from __future__ import annotations

from dataclasses import replace

from qsim.block.errno import number, system_errno_to_nbd_errno
from qsim.block.export import GuestReply
from qsim.block.flags import BDRV_SECTOR_SIZE
from qsim.block.io_2014 import (
    bdrv_co_discard,
    bdrv_co_do_preadv,
    bdrv_co_do_pwritev,
    bdrv_co_flush,
)
from qsim.block.iovec import qemu_iovec_init_buf
from qsim.block.node import BlockDriverState
from qsim.block.switches import NBD_FEW_ERRNOS


class Export2014:
    """One export.  Errnos go to the guest as they are; requests are in whole sectors."""

    def __init__(self, bs: BlockDriverState, writable: bool) -> None:
        self.bs = bs
        self.writable = writable
        self.ledger = bs.world.ledger

    async def request(
        self, op: str, offset: int, bytes_: int, data: bytes | None, flags: tuple[str, ...]
    ) -> GuestReply:
        """nbd_trip().

        :raise NotImplementedError: for what the server of 2014 does not know.
        """
        reply = await self._trip(op, offset, bytes_, data, flags)
        if NBD_FEW_ERRNOS in self.bs.world.switches:
            return replace(reply, errno=system_errno_to_nbd_errno(reply.errno))
        return reply

    async def _trip(
        self, op: str, offset: int, bytes_: int, data: bytes | None, flags: tuple[str, ...]
    ) -> GuestReply:
        if offset % BDRV_SECTOR_SIZE or bytes_ % BDRV_SECTOR_SIZE:
            raise NotImplementedError("the NBD server of 2014 knows whole sectors only")
        if offset + bytes_ > self.bs.bdrv_getlength():
            # Its server negates the number it sends; only the later mapping mends that.
            return GuestReply(-number("EINVAL") & 0xFFFFFFFF)
        match op:
            case "read":
                ret = await bdrv_co_flush(self.bs) if "fua" in flags else 0
                return GuestReply(-ret) if ret < 0 else await self._read(offset, bytes_)
            case "write":
                assert data is not None
                if not self.writable:
                    return GuestReply(number("EROFS"))
                ret = await self._write(offset, data)
                if ret >= 0 and "fua" in flags:
                    ret = await bdrv_co_flush(self.bs)
                return GuestReply(-ret)
            case "flush":
                return GuestReply(-await bdrv_co_flush(self.bs))
            case "discard":
                return GuestReply(-await bdrv_co_discard(self.bs, offset, bytes_))
        raise NotImplementedError(f"the NBD server of 2014 has no {op}")

    async def _read(self, offset: int, bytes_: int) -> GuestReply:
        block = self.ledger.alloc("guest buffer", bytes_, zeroed=False)
        qiov = qemu_iovec_init_buf(self.ledger, block, 0, bytes_)
        try:
            ret = await bdrv_co_do_preadv(self.bs, offset, bytes_, qiov)
            return GuestReply(-ret, bytes(block.data) if ret >= 0 else b"")
        finally:
            self.ledger.free(block)

    async def _write(self, offset: int, data: bytes) -> int:
        block = self.ledger.alloc("guest buffer", len(data))
        block.data[:] = data
        qiov = qemu_iovec_init_buf(self.ledger, block, 0, len(data))
        try:
            return await bdrv_co_do_pwritev(self.bs, offset, len(data), qiov)
        finally:
            self.ledger.free(block)

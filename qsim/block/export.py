# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's way in: a node exported over NBD (nbd/server.c and block-backend.c, 7.2)."""

from __future__ import annotations

from dataclasses import dataclass

from qsim.block.child import extent_kind
from qsim.block.errno import NBD_ERRNOS, number
from qsim.block.flags import BDRV_REQUEST_MAX_BYTES, BDRV_SECTOR_SIZE, Perm, Req, Status
from qsim.block.io import (
    align_down,
    bdrv_co_block_status,
    bdrv_co_flush,
    bdrv_co_preadv,
    bdrv_co_pwritev,
)
from qsim.block.iovec import qemu_iovec_init_buf
from qsim.block.nbd_node import NBD_MAX_BUFFER_SIZE
from qsim.block.node import BdrvChild
from qsim.block.switches import ZEROES_AT_ONCE

_WIRE = {number(name) for name in NBD_ERRNOS}
#: Errnos the server folds into one that NBD has (system_errno_to_nbd_errno()).
_FOLDED = {
    number("EROFS"): number("EPERM"),
    number("EFBIG"): number("ENOSPC"),
}


@dataclass(frozen=True)
class GuestReply:
    """What the guest gets: a positive errno or 0, data, or one extent (kind, bytes)."""

    errno: int
    data: bytes = b""
    extent: tuple[str, int] | None = None


def nbd_errno(ret: int) -> int:
    """The errno a guest sees for a driver's return code."""
    if ret >= 0:
        return 0
    return _FOLDED.get(-ret, -ret if -ret in _WIRE else number("EINVAL"))


class Export:
    """One export: requests of the guest on a root edge."""

    def __init__(self, root: BdrvChild) -> None:
        self.root = root
        self.ledger = root.bs.world.ledger
        self.size = align_down(root.bs.bdrv_getlength(), BDRV_SECTOR_SIZE)

    async def request(
        self, op: str, offset: int, bytes_: int, data: bytes | None, flags: tuple[str, ...]
    ) -> GuestReply:
        """nbd_co_receive_request() and nbd_handle_request()."""
        if op != "write-zeroes" and {"no-hole", "fast-zero"} & set(flags):
            return GuestReply(number("EINVAL"))
        if op == "flush":
            return GuestReply(nbd_errno(await bdrv_co_flush(self.root.bs)))
        # Whatever nbd_co_receive_request() refuses, nbd_trip() answers with EINVAL.
        if op in ("read", "write") and bytes_ > NBD_MAX_BUFFER_SIZE:
            return GuestReply(number("EINVAL"))
        if op in ("write", "write-zeroes", "discard") and not self.root.perm & Perm.WRITE:
            return GuestReply(number("EINVAL"))
        if offset > self.size or bytes_ > self.size - offset:
            return GuestReply(number("EINVAL"))
        match op:
            case "read":
                ret = await bdrv_co_flush(self.root.bs) if "fua" in flags else 0
                if ret < 0:
                    return GuestReply(nbd_errno(ret))
                return await self._read(offset, bytes_)
            case "write":
                assert data is not None
                return GuestReply(nbd_errno(await self._write(offset, data, flags)))
            case "write-zeroes":
                return GuestReply(nbd_errno(await self._zero(offset, bytes_, flags)))
            case "block-status":
                return await self._status(offset, bytes_)
        assert op == "discard"
        # The driver has no .bdrv_co_pdiscard: bdrv_co_pdiscard() succeeds without asking it.
        return GuestReply(nbd_errno(await bdrv_co_flush(self.root.bs)) if "fua" in flags else 0)

    async def _read(self, offset: int, bytes_: int) -> GuestReply:
        block = self.ledger.alloc("guest buffer", bytes_)
        qiov = qemu_iovec_init_buf(self.ledger, block, 0, bytes_)
        ret = await bdrv_co_preadv(self.root, offset, bytes_, qiov, Req.NONE)
        self.ledger.free(block)
        return GuestReply(nbd_errno(ret), bytes(block.data) if ret >= 0 else b"")

    async def _write(self, offset: int, data: bytes, flags: tuple[str, ...]) -> int:
        block = self.ledger.alloc("guest buffer", len(data))
        block.data[:] = data
        qiov = qemu_iovec_init_buf(self.ledger, block, 0, len(data))
        req = Req.FUA if "fua" in flags else Req.NONE
        ret = await bdrv_co_pwritev(self.root, offset, len(data), qiov, req)
        self.ledger.free(block)
        return ret

    async def _zero(self, offset: int, bytes_: int, flags: tuple[str, ...]) -> int:
        req = Req.ZERO_WRITE
        if "fua" in flags:
            req |= Req.FUA
        if "no-hole" not in flags:
            req |= Req.MAY_UNMAP
        if "fast-zero" in flags:
            req |= Req.NO_FALLBACK
        if ZEROES_AT_ONCE in self.root.bs.world.switches:
            return await bdrv_co_pwritev(self.root, offset, bytes_, None, req)
        ret = 0
        while ret >= 0 and bytes_:
            num = min(bytes_, BDRV_REQUEST_MAX_BYTES)
            ret = await bdrv_co_pwritev(self.root, offset, num, None, req)
            offset, bytes_ = offset + num, bytes_ - num
        return ret

    async def _status(self, offset: int, bytes_: int) -> GuestReply:
        """blockstatus_to_extents() for one extent: asks on while the answers are alike."""
        if not bytes_:
            return GuestReply(number("EINVAL"))
        kind, length = "", 0
        while bytes_:
            ret, status, num = await bdrv_co_block_status(self.root.bs, True, offset, bytes_)
            if ret < 0:
                return GuestReply(nbd_errno(ret))
            this = extent_kind(not status & Status.DATA, bool(status & Status.ZERO))
            if kind and this != kind:
                break
            kind, length = this, length + num
            offset, bytes_ = offset + num, bytes_ - num
        return GuestReply(0, extent=(kind, length))

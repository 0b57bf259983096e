# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of blkdebug a scenario puts above quorum and its children (block/blkdebug.c, 7.2).

With ``align`` it turns an unaligned guest request into one I/O vector of several elements,
which is how quorum gets to see such vectors without a guest device.  With ``take-child-perms``
and ``unshare-child-perms`` it is any user of a node there can be.
"""

from __future__ import annotations

from typing import Any

from qsim.block.flags import PERM_NAMES, Perm, Req
from qsim.block.io import (
    bdrv_co_flush,
    bdrv_co_preadv,
    bdrv_co_pwrite_zeroes,
    bdrv_co_pwritev,
)
from qsim.block.iovec import QEMUIOVector
from qsim.block.node import BdrvChild, BlockDriverState, Limits, World
from qsim.block.options import qdict_extract_subqdict

_PASSED = Req.FUA | Req.MAY_UNMAP | Req.NO_FALLBACK

#: BlockPermission of the QAPI schema.
_PERMISSIONS = {text.replace(" ", "-"): perm for perm, text in PERM_NAMES.items()}


def blkdebug_parse_perm_list(options: dict[str, Any], prefix: str) -> Perm:
    """blkdebug_parse_perm_list(): the permissions under ``prefix``, taken out of ``options``."""
    perms = Perm.NONE
    for name in qdict_extract_subqdict(options, prefix).values():
        perms |= _PERMISSIONS[name]
    return perms


class BlkdebugNode(BlockDriverState):
    """A filter over its ``image`` child; no rules, only the alignment and the permissions."""

    driver = "blkdebug"
    has_pwrite_zeroes = True
    flushes_to_disk = True
    raw_block_status = True

    def __init__(self, world: World, node_name: str, align: int, take: Perm, unshare: Perm) -> None:
        super().__init__(world, node_name)
        self.align = align
        self.take_child_perms = take
        self.unshare_child_perms = unshare

    @property
    def _image(self) -> BdrvChild:
        return self.children[0]

    def opened(self) -> None:
        """The end of blkdebug_open(): limits and flags from the child."""
        image = self._image.bs
        self.limits = Limits(
            request_alignment=self.align or image.limits.request_alignment,
            max_transfer=image.limits.max_transfer,
        )
        self.supported_write_flags = Req.WRITE_UNCHANGED | (Req.FUA & image.supported_write_flags)
        self.supported_zero_flags = Req.WRITE_UNCHANGED | (_PASSED & image.supported_zero_flags)

    def child_perm(self, perm: Perm, shared: Perm) -> tuple[Perm, Perm]:
        """blkdebug_child_perm(): a filter's, and what the options say."""
        nperm, nshared = super().child_perm(perm, shared)
        return nperm | self.take_child_perms, nshared & ~self.unshare_child_perms

    async def co_preadv(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """blkdebug_co_preadv()."""
        return await bdrv_co_preadv(self._image, offset, bytes_, qiov, flags)

    async def co_pwritev(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """blkdebug_co_pwritev()."""
        return await bdrv_co_pwritev(self._image, offset, bytes_, qiov, flags)

    async def co_pwrite_zeroes(self, offset: int, bytes_: int, flags: Req) -> int:
        """blkdebug_co_pwrite_zeroes()."""
        return await bdrv_co_pwrite_zeroes(self._image, offset, bytes_, flags)

    async def co_flush(self) -> int:
        """blkdebug_co_flush(), which is .bdrv_co_flush_to_disk."""
        return await bdrv_co_flush(self._image.bs)

    def getlength(self) -> int:
        """blkdebug_getlength()."""
        return self._image.bs.bdrv_getlength()

# SPDX-License-Identifier: GPL-2.0-or-later
"""The quorum node: the driver's state and its table of callbacks (bdrv_quorum)."""

from __future__ import annotations

from typing import Any

from qsim.block.error import QmpError
from qsim.block.flags import DEFAULT_PERM_PASSTHROUGH, DEFAULT_PERM_UNCHANGED, Perm, Req, Status
from qsim.block.iovec import QEMUIOVector
from qsim.block.node import BdrvChild, BlockDriverState, World
from qsim.quorum import coroutine
from qsim.quorum.revisions import Revision
from qsim.quorum.switches import BLOCK_STATUS, CO_FLUSH, PWRITE_ZEROES


class QuorumNode(BlockDriverState):
    """BDRVQuorumState and the callbacks, which the engine of the revision carries out."""

    driver = "quorum"
    strong_runtime_opts = ("vote-threshold", "blkverify", "rewrite-corrupted", "read-pattern")

    def __init__(self, world: World, node_name: str, revision: Revision) -> None:
        super().__init__(world, node_name)
        self.revision = revision
        self.has_pwrite_zeroes = PWRITE_ZEROES in revision.switches
        self.has_block_status = BLOCK_STATUS in revision.switches
        self.flushes_to_disk = CO_FLUSH not in revision.switches
        self.quorum_children: list[BdrvChild] = []
        self.next_child_index = 0
        self.threshold = 0
        self.is_blkverify = False
        self.rewrite_corrupted = False
        self.read_pattern = "quorum"

    @property
    def reference(self) -> str:
        """bdrv_get_device_or_node_name()."""
        return self.device_name or self.node_name

    async def co_preadv(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """.bdrv_co_preadv."""
        return await coroutine.quorum_co_preadv(self, offset, bytes_, qiov, flags)

    async def co_pwritev(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """.bdrv_co_pwritev."""
        return await coroutine.quorum_co_pwritev(self, offset, bytes_, qiov, flags)

    async def co_pwrite_zeroes(self, offset: int, bytes_: int, flags: Req) -> int:
        """.bdrv_co_pwrite_zeroes."""
        return await coroutine.quorum_co_pwrite_zeroes(self, offset, bytes_, flags)

    async def co_flush(self) -> int:
        """.bdrv_co_flush, or .bdrv_co_flush_to_disk."""
        return await coroutine.quorum_co_flush(self)

    async def co_block_status(
        self, want_zero: bool, offset: int, bytes_: int
    ) -> tuple[int, Status, int]:
        """.bdrv_co_block_status."""
        return await coroutine.quorum_co_block_status(self, want_zero, offset, bytes_)

    def getlength(self) -> int:
        """quorum_getlength(): all children must have the length of the first."""
        result = self.quorum_children[0].bs.bdrv_getlength()
        if result < 0:
            return result
        for edge in self.quorum_children[1:]:
            value = edge.bs.bdrv_getlength()
            if value < 0:
                return value
            if value != result:
                return -5  # EIO
        return result

    def child_perm(self, perm: Perm, shared: Perm) -> tuple[Perm, Perm]:
        """quorum_child_perm(): children never share WRITE or RESIZE; rewriting needs WRITE."""
        nperm = perm & DEFAULT_PERM_PASSTHROUGH
        if self.rewrite_corrupted:
            nperm |= Perm.WRITE
        nshared = (shared & (Perm.CONSISTENT_READ | Perm.WRITE_UNCHANGED)) | DEFAULT_PERM_UNCHANGED
        return nperm, nshared

    def recurse_can_replace(self, to_replace: BlockDriverState) -> bool:
        """quorum_recurse_can_replace(): a direct child nobody else uses."""
        for edge in self.quorum_children:
            if edge.bs is to_replace:
                return to_replace.parents == [edge]
        return False

    def gather_child_options(self, target: dict[str, Any]) -> None:
        """quorum_gather_child_options(): the children numbered anew, without gaps."""
        target["children"] = [edge.bs.full_open_options() for edge in self.quorum_children]

    def dirname(self) -> str:
        """quorum_dirname(): there is none.

        :raise QmpError: always.
        """
        raise QmpError("Cannot generate a base directory for quorum nodes")

    def refresh_flags(self) -> None:
        """quorum_refresh_flags(): of the zero flags, what all children support."""
        if not self.has_pwrite_zeroes:
            return
        flags = Req.FUA | Req.MAY_UNMAP | Req.NO_FALLBACK
        for edge in self.quorum_children:
            flags &= edge.bs.supported_zero_flags
        self.supported_zero_flags = flags | Req.WRITE_UNCHANGED

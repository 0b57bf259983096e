# SPDX-License-Identifier: GPL-2.0-or-later
"""The quorum node of 2014: the driver's state and its table of callbacks (bdrv_quorum)."""

from __future__ import annotations

from functools import partial
from typing import Any

from qsim.block.aio import bdrv_co_io_em
from qsim.block.flags import BDRV_SECTOR_SIZE, Req
from qsim.block.iovec import QEMUIOVector
from qsim.block.memory import Block, Ledger
from qsim.block.node import BdrvChild, BlockDriverState, World
from qsim.block.switches import Switch
from qsim.quorum.aio import quorum_aio_readv, quorum_aio_writev, quorum_co_flush
from qsim.quorum.revisions import Revision


class Quorum2014Node(BlockDriverState):
    """BDRVQuorumState; ``bs_array`` is the memory of its array of children."""

    driver = "quorum"

    def __init__(self, world: World, node_name: str, revision: Revision) -> None:
        super().__init__(world, node_name)
        self.revision = revision
        self.quorum_children: list[BdrvChild] = []
        self.bs_array: Block | None = None
        self.num_children = 0
        self.threshold = 0
        self.is_blkverify = False
        self.rewrite_corrupted = False
        self.read_pattern = "quorum"

    @property
    def ledger(self) -> Ledger:
        """The heap."""
        return self.world.ledger

    @property
    def switches(self) -> frozenset[Switch]:
        """What this revision does otherwise than others."""
        return self.revision.switches

    @property
    def reference(self) -> str:
        """bs->device_name, else bs->node_name."""
        return self.device_name or self.node_name

    async def co_preadv(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """.bdrv_aio_readv, behind bdrv_co_readv_em()."""
        sector, count = offset // BDRV_SECTOR_SIZE, bytes_ // BDRV_SECTOR_SIZE
        return await bdrv_co_io_em(self, partial(quorum_aio_readv, self, sector, qiov, count))

    async def co_pwritev(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """.bdrv_aio_writev, behind bdrv_co_writev_em()."""
        sector, count = offset // BDRV_SECTOR_SIZE, bytes_ // BDRV_SECTOR_SIZE
        return await bdrv_co_io_em(self, partial(quorum_aio_writev, self, sector, qiov, count))

    async def co_flush(self) -> int:
        """.bdrv_co_flush_to_disk."""
        return await quorum_co_flush(self)

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

    def close(self) -> None:
        """quorum_close(), and before it bdrv_close() frees the edges."""
        for edge in self.quorum_children:
            self.ledger.free(edge.memory)
        self.ledger.free(self.bs_array)
        self.bs_array = None

    def full_open_options(self) -> dict[str, Any]:
        """quorum_refresh_filename(): every option but read-pattern, given or not."""
        return {
            "driver": "quorum",
            "vote-threshold": self.threshold,
            "blkverify": self.is_blkverify,
            "rewrite-corrupted": self.rewrite_corrupted,
            "children": [edge.bs.full_open_options() for edge in self.quorum_children],
        }

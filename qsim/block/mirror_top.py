# SPDX-License-Identifier: GPL-2.0-or-later
"""The node that a mirror puts over its source, which the guest's requests go through.

Source: block/mirror.c bdrv_mirror_top_*(), do_sync_target_write(); 7.2.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from qsim.block.coroutine import (
    Coroutine,
    aio_co_wake,
    qemu_coroutine_self,
    qemu_coroutine_yield,
)
from qsim.block.flags import Perm, Req
from qsim.block.io import (
    align_down,
    align_up,
    bdrv_co_flush,
    bdrv_co_preadv,
    bdrv_co_pwrite_zeroes,
    bdrv_co_pwritev,
)
from qsim.block.iovec import QEMUIOVector, qemu_iovec_init_slice
from qsim.block.mirror_op import MirrorOp, active_write_prepare, active_write_settle
from qsim.block.node import BdrvChild, BlockDriverState, World

if TYPE_CHECKING:
    from qsim.block.mirror import MirrorBlockJob


class MirrorTopNode(BlockDriverState):
    """bdrv_mirror_top: a filter over ``backing``."""

    driver = "mirror_top"
    has_pwrite_zeroes = True
    raw_block_status = True

    def __init__(self, world: World, job: MirrorBlockJob) -> None:
        super().__init__(world, "")
        self.supported_write_flags = Req.WRITE_UNCHANGED
        self.supported_zero_flags = Req.WRITE_UNCHANGED | Req.NO_FALLBACK
        self.job = job
        #: Whether it forwards nothing any more.
        self.stop = False
        self._in_flight = 0
        self._drains: list[Coroutine] = []

    @property
    def backing(self) -> BdrvChild:
        """The edge to the source."""
        return self.children[0]

    def child_perm(self, perm: Perm, shared: Perm) -> tuple[Perm, Perm]:
        """bdrv_mirror_top_child_perm()."""
        return (Perm.NONE, Perm.ALL) if self.stop else super().child_perm(perm, shared)

    async def drained_begin(self) -> None:
        """bdrv_drained_begin(): until the guest's requests that are on their way have ended."""
        while self._in_flight:
            self._drains.append(qemu_coroutine_self())
            await qemu_coroutine_yield()

    async def _tracked(self, request: Awaitable[int]) -> int:
        """A request of the guest, which who drains the node waits for."""
        self._in_flight += 1
        ret = await request
        self._in_flight -= 1
        if not self._in_flight:
            drains, self._drains = self._drains, []
            for coroutine in drains:
                aio_co_wake(coroutine)
        return ret

    async def co_preadv(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """bdrv_mirror_top_preadv()."""
        return await self._tracked(bdrv_co_preadv(self.backing, offset, bytes_, qiov, flags))

    async def co_pwritev(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """bdrv_mirror_top_pwritev()."""
        return await self._tracked(bdrv_mirror_top_do_write(self, offset, bytes_, qiov, flags))

    async def co_pwrite_zeroes(self, offset: int, bytes_: int, flags: Req) -> int:
        """bdrv_mirror_top_pwrite_zeroes()."""
        return await self._tracked(bdrv_mirror_top_do_write(self, offset, bytes_, None, flags))

    async def co_flush(self) -> int:
        """bdrv_mirror_top_flush()."""
        return await self._tracked(bdrv_co_flush(self.backing.bs))

    def getlength(self) -> int:
        """A filter is as long as what it filters."""
        return self.backing.bs.bdrv_getlength()


async def bdrv_mirror_top_do_write(
    bs: MirrorTopNode, offset: int, bytes_: int, qiov: QEMUIOVector | None, flags: Req
) -> int:
    """bdrv_mirror_top_do_write(): to the source, and in write-blocking mode to the target."""
    job = bs.job
    op: MirrorOp | None = None
    if job.write_blocking and job.ret >= 0 and not job.is_cancelled():
        op = await active_write_prepare(job, offset, bytes_)
    if qiov is None:
        ret = await bdrv_co_pwrite_zeroes(bs.backing, offset, bytes_, flags)
    else:
        ret = await bdrv_co_pwritev(bs.backing, offset, bytes_, qiov, flags)
    if op is not None:
        if ret >= 0:
            await do_sync_target_write(job, offset, bytes_, qiov, flags)
        active_write_settle(job, op)
    return ret


async def do_sync_target_write(
    job: MirrorBlockJob, offset: int, bytes_: int, qiov: QEMUIOVector | None, flags: Req
) -> None:
    """do_sync_target_write(): parts of chunks that are to be copied anyway are left to that."""
    bitmap, granularity = job.dirty_bitmap, job.granularity
    start, end = offset, offset + bytes_
    if start % granularity and bitmap.get(start):
        start = align_up(start, granularity)
    if end % granularity and bitmap.get(end - 1):
        end = align_down(end, granularity)
    if start >= end:
        return
    whole, over = align_up(start, granularity), align_down(end, granularity)
    if whole < over:
        bitmap.reset(whole, over - whole)
    if qiov is None:
        ret = await bdrv_co_pwritev(job.target, start, end - start, None, flags | Req.ZERO_WRITE)
    else:
        part = qemu_iovec_init_slice(qiov, start - offset, end - start)
        ret = await bdrv_co_pwritev(job.target, start, end - start, part, flags)
    if ret < 0:
        first = align_down(start, granularity)
        bitmap.set(first, align_up(end, granularity) - first)
        job.error_action("write")
        if not job.ret:
            job.ret = ret
        job.work()

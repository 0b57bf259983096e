# SPDX-License-Identifier: GPL-2.0-or-later
"""The mirror job: a node copied to another while it is written (block/mirror.c, 7.2).

Re-told as far as a quorum node is mirrored whole: the source is read through its driver, chunk
after chunk, and what is written meanwhile is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qsim.block.coroutine import Coroutine
from qsim.block.dirty_bitmap import BdrvDirtyBitmap
from qsim.block.errno import number
from qsim.block.error import QmpError
from qsim.block.flags import Perm, Req, Status
from qsim.block.io import (
    align_down,
    align_up,
    bdrv_co_block_status,
    bdrv_co_flush,
    bdrv_co_preadv,
    bdrv_co_pwritev,
)
from qsim.block.iovec import qemu_iovec_init_buf
from qsim.block.job import BlockJob
from qsim.block.mirror_op import InFlightBitmap, MirrorOp, mirror_wait_on_conflicts
from qsim.block.mirror_top import MirrorTopNode
from qsim.block.node import (
    BdrvChild,
    BlockDriverState,
    bdrv_append,
    bdrv_refresh_perms,
    bdrv_replace_node,
    bdrv_root_attach,
    bdrv_root_detach,
    bdrv_unref_child,
)
from qsim.block.switches import JOB_CANCEL_BY_FORCE, MIRROR_LEAVES_WRITES

MAX_IN_FLIGHT = 16
MAX_IO_BYTES = 1 << 20
DEFAULT_MIRROR_BUF_SIZE = MAX_IN_FLIGHT * MAX_IO_BYTES
#: bdrv_get_default_bitmap_granularity() of a node without clusters.
DEFAULT_GRANULARITY = 64 * 1024
INT_MAX = 0x7FFFFFFF


class MirrorBlockJob(BlockJob):
    """MirrorBlockJob.

    :param bs: the source.
    :param find: bdrv_find_node(), for the node to be replaced.
    """

    def __init__(
        self,
        job_id: str,
        bs: BlockDriverState,
        target: BlockDriverState,
        replaces: str | None,
        granularity: int,
        buf_size: int,
        write_blocking: bool,
        find: Callable[[str], BlockDriverState | None],
    ) -> None:
        super().__init__(bs.world, job_id)
        self.granularity = granularity or DEFAULT_GRANULARITY
        self.buf_size = align_up(buf_size or DEFAULT_MIRROR_BUF_SIZE, self.granularity)
        self.replaces = replaces
        self.find = find
        self.to_replace: BlockDriverState | None = None
        self.write_blocking = write_blocking
        self.should_complete = False
        self.prepared = False
        self.ret = 0
        self.bdev_length = 0
        self.buf_free_count = self.buf_size // self.granularity
        self.in_flight = 0
        self.in_flight_bitmap = InFlightBitmap(bs.world.ledger)
        self.ops_in_flight: list[MirrorOp] = []
        #: What is left of the bitmap as it was when the iterator last began.
        self.dbi: list[int] = []
        self.mirror_top_bs = MirrorTopNode(bs.world, self)
        self.mirror_top_bs.total_sectors = bs.total_sectors
        bdrv_append(self.mirror_top_bs, bs, "backing")
        try:
            self.target: BdrvChild = bdrv_root_attach(
                target, f"block job '{job_id}'", Perm.WRITE, Perm.WRITE_UNCHANGED
            )
        except QmpError:
            self._take_out()
            self._close_top()
            raise
        self.dirty_bitmap = BdrvDirtyBitmap(self.granularity, self.work, not write_blocking)
        bs.dirty_bitmaps.append(self.dirty_bitmap)

    @property
    def source(self) -> BlockDriverState:
        """The node that is mirrored."""
        return self.mirror_top_bs.backing.bs

    def chunks(self, offset: int, bytes_: int) -> range:
        """The chunks that a part touches."""
        return range(offset // self.granularity, -(-(offset + bytes_) // self.granularity))

    def mirror_iteration_done(self, op: MirrorOp, buffers: int) -> None:
        """mirror_iteration_done()."""
        self.in_flight -= 1
        self.buf_free_count += buffers
        self.in_flight_bitmap.chunks.difference_update(self.chunks(op.offset, op.bytes))
        self.ops_in_flight.remove(op)
        op.over()

    def _failed(self, op: MirrorOp, operation: str, ret: int) -> None:
        """What mirror_read_complete() and mirror_write_complete() do about an error."""
        self.dirty_bitmap.set(op.offset, op.bytes)
        self.error_action(operation)
        if self.ret >= 0:
            self.ret = ret

    async def mirror_co_read(self, op: MirrorOp, handled: list[int]) -> None:
        """mirror_co_read(): read from the source, as a guest would, and write to the target."""
        op.bytes = min(self.buf_size, op.bytes)
        handled.append(op.bytes)
        buffers = len(self.chunks(op.offset, op.bytes))
        while self.buf_free_count < buffers:
            await self.mirror_wait_for_free_in_flight_slot()
        self.buf_free_count -= buffers
        self.in_flight += 1
        op.is_in_flight = True
        ledger = self.world.ledger
        block = ledger.alloc("s->buf", op.bytes)
        qiov = qemu_iovec_init_buf(ledger, block, 0, op.bytes)
        ret = await bdrv_co_preadv(self.mirror_top_bs.backing, op.offset, op.bytes, qiov, Req.NONE)
        if ret < 0:
            self._failed(op, "read", ret)
        else:
            ret = await bdrv_co_pwritev(self.target, op.offset, op.bytes, qiov, Req.NONE)
            if ret < 0:
                self._failed(op, "write", ret)
        ledger.free(block)
        self.mirror_iteration_done(op, buffers)

    async def mirror_co_zero(self, op: MirrorOp, handled: list[int]) -> None:
        """mirror_co_zero()."""
        self.in_flight += 1
        handled.append(op.bytes)
        op.is_in_flight = True
        flags = Req.ZERO_WRITE | Req.MAY_UNMAP
        ret = await bdrv_co_pwritev(self.target, op.offset, op.bytes, None, flags)
        if ret < 0:
            self._failed(op, "write", ret)
        self.mirror_iteration_done(op, 0)

    def mirror_perform(self, offset: int, bytes_: int, zero: bool) -> int:
        """mirror_perform(): start to copy a part; how much of it."""
        op = MirrorOp(offset, bytes_)
        handled: list[int] = []
        method = self.mirror_co_zero if zero else self.mirror_co_read
        self.ops_in_flight.append(op)
        Coroutine(partial(method, op, handled)).enter()
        return handled[0]

    async def mirror_wait_for_free_in_flight_slot(self) -> None:
        """mirror_wait_for_free_in_flight_slot()."""
        for op in self.ops_in_flight:
            if not op.is_pseudo_op and op.is_in_flight and not op.is_active_write:
                await op.wait()
                return
        raise AssertionError("nothing is in flight")

    def _iter_next(self) -> int:
        """bdrv_dirty_iter_next(): what was set behind its back it does not see; -1 at the end."""
        while self.dbi:
            chunk = self.dbi.pop(0)
            if chunk in self.dirty_bitmap.chunks:
                return chunk * self.granularity
        return -1

    def _set_iter(self, offset: int) -> None:
        """bdrv_set_dirty_iter()."""
        first = offset // self.granularity
        self.dbi = sorted(chunk for chunk in self.dirty_bitmap.chunks if chunk >= first)

    async def mirror_iteration(self) -> None:
        """mirror_iteration(): copy the next chunks that are dirty, as many as the buffer takes."""
        offset = self._iter_next()
        if offset < 0:
            self._set_iter(0)
            offset = self._iter_next()
            assert offset >= 0
        await mirror_wait_on_conflicts(None, self, offset, 1)
        nb_chunks = 1
        while nb_chunks * self.granularity < self.buf_size:
            next_offset = offset + nb_chunks * self.granularity
            if next_offset >= self.bdev_length or not self.dirty_bitmap.get(next_offset):
                break
            if next_offset // self.granularity in self.in_flight_bitmap.chunks:
                break
            next_dirty = self._iter_next()
            if next_dirty != next_offset:
                self._set_iter(next_offset)
                next_dirty = self._iter_next()
            assert next_dirty == next_offset
            nb_chunks += 1
        # Before anything yields: what is written from here on must be known.
        self.dirty_bitmap.reset(offset, nb_chunks * self.granularity)
        pseudo_op = MirrorOp(offset, nb_chunks * self.granularity, is_pseudo_op=True)
        self.ops_in_flight.append(pseudo_op)
        self.in_flight_bitmap.chunks.update(self.chunks(pseudo_op.offset, pseudo_op.bytes))
        max_io_bytes = max(self.buf_size // MAX_IN_FLIGHT, MAX_IO_BYTES)
        while nb_chunks > 0 and offset < self.bdev_length:
            bytes_ = nb_chunks * self.granularity
            ret, status, io_bytes = await bdrv_co_block_status(self.source, True, offset, bytes_)
            if ret < 0:
                io_bytes = min(bytes_, max_io_bytes)
            elif status & Status.DATA:
                io_bytes = min(io_bytes, max_io_bytes)
            io_bytes -= io_bytes % self.granularity
            zero = ret >= 0 and not status & Status.DATA and io_bytes >= self.granularity
            io_bytes = max(io_bytes, self.granularity)
            while self.in_flight >= MAX_IN_FLIGHT:
                await self.mirror_wait_for_free_in_flight_slot()
            if self.ret < 0:
                break
            io_bytes = min(io_bytes, self.bdev_length - offset)
            io_bytes = self.mirror_perform(offset, io_bytes, zero)
            offset += io_bytes
            nb_chunks -= len(self.chunks(0, io_bytes))
        self.ops_in_flight.remove(pseudo_op)
        pseudo_op.over()

    async def mirror_wait_for_all_io(self) -> None:
        """mirror_wait_for_all_io()."""
        while self.in_flight > 0:
            await self.mirror_wait_for_free_in_flight_slot()

    async def mirror_dirty_init(self) -> int:
        """mirror_dirty_init() with sync=full: a target that unmaps is made zeroes first, any other
        is copied to from end to end.
        """
        target_bs = self.target.bs
        if not (target_bs.unmap and target_bs.supported_zero_flags & Req.MAY_UNMAP):
            self.dirty_bitmap.set(0, self.bdev_length)
            return 0
        most = align_down(INT_MAX, self.granularity)
        for offset in range(0, self.bdev_length, most):
            if self.is_cancelled():
                return 0
            while self.in_flight >= MAX_IN_FLIGHT:
                await self.mirror_wait_for_free_in_flight_slot()
            self.mirror_perform(offset, min(self.bdev_length - offset, most), zero=True)
        await self.mirror_wait_for_all_io()
        offset = 0
        while offset < self.bdev_length and not self.is_cancelled():
            bytes_ = min(self.bdev_length - offset, most)
            ret, status, count = await bdrv_co_block_status(self.source, False, offset, bytes_)
            if ret < 0:
                return ret
            if status & Status.ALLOCATED:
                self.dirty_bitmap.set(offset, count)
            offset += count
        return 0

    async def mirror_flush(self) -> int:
        """mirror_flush()."""
        ret = await bdrv_co_flush(self.target.bs)
        if ret < 0:
            self.error_action("write")
            self.ret = ret
        return ret

    async def run(self) -> int:
        """mirror_run()."""
        ret = 0
        self.bdev_length = self.source.bdrv_getlength()
        if self.bdev_length != self.target.bs.bdrv_getlength():
            raise NotImplementedError("a target of another size")
        ret = await self.mirror_dirty_init()
        if ret >= 0 and not self.is_cancelled():
            self._set_iter(0)
            ret = await self._copy()
        await self.mirror_wait_for_all_io()
        self.in_flight_bitmap.free()
        await self.mirror_top_bs.drained_begin()
        return ret

    async def _copy(self) -> int:
        """The loop of mirror_run()."""
        by_force = JOB_CANCEL_BY_FORCE in self.world.switches
        while True:
            if MIRROR_LEAVES_WRITES not in self.world.switches:
                await self._active_writes()
            if self.ret < 0:
                return self.ret
            if by_force and self.is_cancelled():
                return 0
            cnt = len(self.dirty_bitmap.chunks)
            if (
                self.in_flight >= MAX_IN_FLIGHT
                or self.buf_free_count == 0
                or (cnt == 0 and self.in_flight > 0)
            ):
                await self.mirror_wait_for_free_in_flight_slot()
                continue
            if cnt:
                await self.mirror_iteration()
            should_complete = False
            if self.in_flight == 0 and cnt == 0:
                if self.status != "ready":
                    if await self.mirror_flush() < 0:
                        continue
                    self.transition_to_ready()
                should_complete = self.should_complete or self.cancelled
                cnt = len(self.dirty_bitmap.chunks)
            if cnt == 0 and should_complete:
                await self.mirror_top_bs.drained_begin()
                if self.dirty_bitmap.chunks or await self.mirror_flush() < 0:
                    continue
                self.cancelled = False
                return 0
            nothing = self.in_flight == 0 and cnt == 0 and not should_complete
            await self.sleep(for_work=self.status == "ready" and nothing)
            # Up to 5.2 here only, where it comes by ten times a second at least.
            early = self.status != "ready" or self.force_cancel
            if not by_force and self.cancelled and early:
                return 0

    async def _active_writes(self) -> None:
        """mirror_wait_for_any_operation() of active ones, in 5.2: until there is none."""
        while active := [op for op in self.ops_in_flight if op.is_active_write]:
            await active[0].wait()

    def complete(self) -> None:
        """mirror_complete().

        :raise QmpError: when the node to be replaced is no more.
        """
        if self.replaces is not None:
            self.to_replace = self.find(self.replaces)
            if self.to_replace is None:
                raise QmpError(f"Node name '{self.replaces}' not found")
        self.should_complete = True
        self.enter()

    async def mirror_exit_common(self, abort: bool) -> int:
        """mirror_exit_common(): the target takes its place, if it is to; the filter goes, and is
        flushed when it is closed, so the source is.
        """
        if self.prepared:
            return 0
        self.prepared = True
        src, target_bs, ret = self.source, self.target.bs, 0
        src.dirty_bitmaps.remove(self.dirty_bitmap)
        bdrv_root_detach(self.target)
        if self.should_complete and not abort:
            to_replace = self.to_replace or src
            if to_replace is src or src.recurse_can_replace(to_replace):
                bdrv_replace_node(to_replace, target_bs)
            else:
                ret = -number("EPERM")
        self._take_out()
        await bdrv_co_flush(self.mirror_top_bs)
        self._close_top()
        return ret

    def _take_out(self) -> None:
        """The filter node goes out of the graph."""
        top = self.mirror_top_bs
        src = top.backing.bs
        top.stop = True
        bdrv_refresh_perms(top)
        bdrv_replace_node(top, src)

    def _close_top(self) -> None:
        """The filter node lets its source go."""
        bdrv_unref_child(self.mirror_top_bs.backing)

    async def prepare(self) -> int:
        """mirror_prepare()."""
        return await self.mirror_exit_common(abort=False)

    async def abort(self) -> None:
        """mirror_abort()."""
        await self.mirror_exit_common(abort=True)


#: What blockdev-mirror must be told, or may, that the model knows: the only value, or which.
_ONLY: dict[str, Any] = {
    "sync": "full", "speed": 0, "on_source_error": "report", "on_target_error": "report",
    "auto_finalize": True, "auto_dismiss": True,
}  # fmt: skip
_KNOWN: dict[str, Callable[[Any], bool]] = {
    "granularity": lambda size: not size or (512 <= size <= 64 << 20 and not size & (size - 1)),
    "buf_size": lambda size: size >= 0,
    "copy_mode": lambda mode: True,
}


def outside(arguments: dict[str, Any]) -> str | None:
    """Which argument of blockdev-mirror the model does not know, as it is given."""
    for key, value in arguments.items():
        if not (_KNOWN[key](value) if key in _KNOWN else _ONLY.get(key) == value):
            return f"blockdev-mirror with {key.replace('_', '-')} {value}"
    return None

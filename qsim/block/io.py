# SPDX-License-Identifier: GPL-2.0-or-later
"""The generic request paths every child request goes through (block/io.c, 5.2 to 10.0).

What matters between the quorum driver and its children is re-told: alignment and padding,
splitting at the largest transfer, FUA emulated by a flush, write-zeroes that fall back to plain
writes, MAY_UNMAP dropped where the node does not unmap, and block status rounded to the
alignment.
"""

from __future__ import annotations

from dataclasses import dataclass

from qsim.block.coroutine import aio_co_wake, qemu_coroutine_self, qemu_coroutine_yield
from qsim.block.errno import number
from qsim.block.flags import (
    BDRV_MAX_LENGTH,
    BDRV_REQUEST_MAX_BYTES,
    MAX_BOUNCE_BUFFER,
    Perm,
    Req,
    Status,
)
from qsim.block.iovec import QEMUIOVector, qemu_iovec_init_buf, qemu_iovec_init_slice
from qsim.block.memory import Block, Undefined
from qsim.block.node import BdrvChild, BlockDriverState
from qsim.block.switches import NO_FLUSH_DROPS_FUA, UNMAP_AT_EVERY_NODE

INT_MAX = 0x7FFFFFFF
INT64_MAX = (1 << 63) - 1


def align_down(value: int, align: int) -> int:
    """QEMU_ALIGN_DOWN()."""
    return value // align * align


def align_up(value: int, align: int) -> int:
    """ROUND_UP()."""
    return -(-value // align) * align


def _check_request(offset: int, bytes_: int, limit: int) -> int:
    """bdrv_check_qiov_request() and bdrv_check_request32(): 0 or -EIO."""
    if offset < 0 or bytes_ < 0 or bytes_ > limit:
        return -number("EIO")
    if offset > BDRV_MAX_LENGTH or offset > BDRV_MAX_LENGTH - bytes_:
        return -number("EIO")
    return 0


@dataclass
class Padding:
    """BdrvRequestPadding: what is added before and after an unaligned request, in bytes."""

    head: int
    tail: int
    buf: Block
    buf_len: int
    merge_reads: bool


def bdrv_init_padding(bs: BlockDriverState, offset: int, bytes_: int) -> Padding | None:
    """bdrv_init_padding(): None when the request is aligned."""
    align = bs.limits.request_alignment
    head = offset % align
    tail = -(offset + bytes_) % align
    if not head and not tail:
        return None
    total = head + bytes_ + tail
    buf_len = 2 * align if total > align and head and tail else align
    buf = bs.world.ledger.alloc("BdrvRequestPadding.buf", buf_len)
    return Padding(head, tail, buf, buf_len, total == buf_len)


def _padded_qiov(pad: Padding, qiov: QEMUIOVector) -> QEMUIOVector:
    """qemu_iovec_init_extended(): head buffer, the caller's elements, tail buffer."""
    padded = QEMUIOVector(qiov.ledger)
    if pad.head:
        padded.add(pad.buf, 0, pad.head)
    padded.iov += qiov.iov
    if pad.tail:
        padded.add(pad.buf, pad.buf_len - pad.tail, pad.tail)
    return padded


async def bdrv_co_preadv(
    child: BdrvChild, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req
) -> int:
    """bdrv_co_preadv_part(): 0 or a negative errno."""
    bs = child.bs
    if not bs.inserted:
        return -number("ENOMEDIUM")
    ret = _check_request(offset, bytes_, BDRV_REQUEST_MAX_BYTES)
    if ret < 0:
        return ret
    if bytes_ == 0 and offset % bs.limits.request_alignment:
        return 0
    pad = bdrv_init_padding(bs, offset, bytes_)
    if pad:
        qiov = _padded_qiov(pad, qiov)
        offset -= pad.head
        bytes_ += pad.head + pad.tail
    ret = await _bdrv_aligned_preadv(bs, offset, bytes_, qiov, flags)
    if pad:
        bs.world.ledger.free(pad.buf)
    return ret


async def _bdrv_aligned_preadv(
    bs: BlockDriverState, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req
) -> int:
    """bdrv_aligned_preadv(): past the end reads zeroes, large requests are split."""
    align = bs.limits.request_alignment
    max_transfer = align_down(bs.limits.max_transfer or INT_MAX, align)
    max_bytes = align_up(max(0, bs.bdrv_getlength() - offset), align)
    if bytes_ <= max_bytes and bytes_ <= max_transfer:
        return min(0, await bs.co_preadv(offset, bytes_, qiov, flags))
    done = 0
    while done < bytes_:
        if max_bytes:
            num = min(bytes_ - done, max_bytes, max_transfer)
            part = qemu_iovec_init_slice(qiov, done, num)
            ret = await bs.co_preadv(offset + done, num, part, flags)
            if ret < 0:
                return ret
            max_bytes -= num
        else:
            num = bytes_ - done
            qemu_iovec_init_slice(qiov, done, num).from_bytes(bytes(num))
        done += num
    return 0


async def bdrv_co_pwritev(
    child: BdrvChild, offset: int, bytes_: int, qiov: QEMUIOVector | None, flags: Req
) -> int:
    """bdrv_co_pwritev_part(): 0 or a negative errno; ``qiov`` is None for write-zeroes."""
    bs = child.bs
    if not bs.inserted:
        return -number("ENOMEDIUM")
    limit = BDRV_MAX_LENGTH if flags & Req.ZERO_WRITE else BDRV_REQUEST_MAX_BYTES
    ret = _check_request(offset, bytes_, limit)
    if ret < 0:
        return ret
    align = bs.limits.request_alignment
    if flags & Req.NO_FALLBACK and (offset | bytes_) % align:
        return -number("ENOTSUP")
    if bytes_ == 0 and offset % align:
        return 0
    if flags & Req.ZERO_WRITE:
        return await _bdrv_co_do_zero_pwritev(child, offset, bytes_, flags)
    assert qiov is not None
    pad = bdrv_init_padding(bs, offset, bytes_)
    if pad:
        qiov = _padded_qiov(pad, qiov)
        offset -= pad.head
        bytes_ += pad.head + pad.tail
        await bdrv_padding_rmw_read(bs, offset, bytes_, pad, zero_middle=False)
    ret = await _bdrv_aligned_pwritev(child, offset, bytes_, qiov, flags)
    if pad:
        bs.world.ledger.free(pad.buf)
    return ret


async def bdrv_padding_rmw_read(
    bs: BlockDriverState, offset: int, bytes_: int, pad: Padding, zero_middle: bool
) -> None:
    """bdrv_padding_rmw_read(): fetch what the padding will overwrite.

    :raise Undefined: when it cannot be read.  No caller in 5.2, 7.2 or 10.0 looks at what this
        returns, so what malloc() gave for the padding is written.
    """
    align = bs.limits.request_alignment
    ledger = bs.world.ledger
    if pad.head or pad.merge_reads:
        length = pad.buf_len if pad.merge_reads else align
        local = qemu_iovec_init_buf(ledger, pad.buf, 0, length)
        if await _bdrv_aligned_preadv(bs, offset, length, local, Req.NONE) < 0:
            raise Undefined("memory that was never given a value is written", "pad->buf")
    if pad.tail and not pad.merge_reads:
        local = qemu_iovec_init_buf(ledger, pad.buf, pad.buf_len - align, align)
        end = offset + bytes_ - align
        if await _bdrv_aligned_preadv(bs, end, align, local, Req.NONE) < 0:
            raise Undefined("memory that was never given a value is written", "pad->buf")
    if zero_middle:
        middle = pad.buf_len - pad.head - pad.tail
        pad.buf.data[pad.head : pad.head + middle] = bytes(middle)


async def _bdrv_aligned_pwritev(
    child: BdrvChild, offset: int, bytes_: int, qiov: QEMUIOVector | None, flags: Req
) -> int:
    """bdrv_aligned_pwritev(): a write, and then the node has been written, failed or not."""
    ret = await _bdrv_do_pwritev(child, offset, bytes_, qiov, flags)
    child.bs.write_gen += 1
    for bitmap in child.bs.dirty_bitmaps:
        bitmap.after_write(offset, bytes_)
    return ret


async def _bdrv_do_pwritev(
    child: BdrvChild, offset: int, bytes_: int, qiov: QEMUIOVector | None, flags: Req
) -> int:
    """To the driver, as zeroes or data, in pieces it can take."""
    bs = child.bs
    if bs.read_only:
        return -number("EPERM")
    assert child.perm & Perm.WRITE or (
        flags & Req.WRITE_UNCHANGED and child.perm & Perm.WRITE_UNCHANGED
    )
    if (
        bs.detect_zeroes != "off"
        and not flags & Req.ZERO_WRITE
        and bs.has_pwrite_zeroes
        and qiov is not None
        and not any(qiov.to_bytes())
    ):
        flags |= Req.ZERO_WRITE
        if bs.detect_zeroes == "unmap":
            flags |= Req.MAY_UNMAP
    if flags & Req.ZERO_WRITE:
        return min(0, await _bdrv_co_do_pwrite_zeroes(bs, offset, bytes_, flags))
    assert qiov is not None
    max_transfer = align_down(bs.limits.max_transfer or INT_MAX, bs.limits.request_alignment)
    if bytes_ <= max_transfer:
        return min(0, await _bdrv_driver_pwritev(bs, offset, bytes_, qiov, flags))
    done = 0
    while done < bytes_:
        num = min(bytes_ - done, max_transfer)
        local = flags
        if done + num < bytes_ and flags & Req.FUA and not bs.supported_write_flags & Req.FUA:
            local &= ~Req.FUA
        part = qemu_iovec_init_slice(qiov, done, num)
        ret = await _bdrv_driver_pwritev(bs, offset + done, num, part, local)
        if ret < 0:
            return ret
        done += num
    return 0


async def _bdrv_driver_pwritev(
    bs: BlockDriverState, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req
) -> int:
    """bdrv_driver_pwritev(): flags the driver lacks are dropped; FUA becomes a flush after."""
    if bs.no_flush and NO_FLUSH_DROPS_FUA in bs.world.switches:
        flags &= ~Req.FUA
    emulate_fua = bool(flags & Req.FUA) and not bs.supported_write_flags & Req.FUA
    ret = await bs.co_pwritev(offset, bytes_, qiov, flags & bs.supported_write_flags)
    if ret == 0 and emulate_fua:
        ret = await bdrv_co_flush(bs)
    return ret


async def _bdrv_co_do_zero_pwritev(child: BdrvChild, offset: int, bytes_: int, flags: Req) -> int:
    """bdrv_co_do_zero_pwritev(): unaligned ends are read, zeroed and written back."""
    bs = child.bs
    align = bs.limits.request_alignment
    ledger = bs.world.ledger
    pad = bdrv_init_padding(bs, offset, bytes_)
    ret = 0
    if pad:
        start = align_down(offset, align)
        length = align_up(offset + bytes_, align) - start
        await bdrv_padding_rmw_read(bs, start, length, pad, zero_middle=True)
        if pad.head or pad.merge_reads:
            num = pad.buf_len if pad.merge_reads else align
            local = qemu_iovec_init_buf(ledger, pad.buf, 0, num)
            ret = await _bdrv_aligned_pwritev(child, start, num, local, flags & ~Req.ZERO_WRITE)
            if ret < 0 or pad.merge_reads:
                ledger.free(pad.buf)
                return ret
            offset += num - pad.head
            bytes_ -= num - pad.head
    # A request of no bytes goes to neither branch: nothing reaches the driver.
    if bytes_ >= align:
        num = align_down(bytes_, align)
        ret = await _bdrv_aligned_pwritev(child, offset, num, None, flags)
        if ret >= 0:
            offset += num
            bytes_ -= num
    if ret >= 0 and bytes_:
        assert pad is not None
        local = qemu_iovec_init_buf(ledger, pad.buf, pad.buf_len - align, align)
        ret = await _bdrv_aligned_pwritev(child, offset, align, local, flags & ~Req.ZERO_WRITE)
    if pad:
        ledger.free(pad.buf)
    return ret


async def _bdrv_co_do_pwrite_zeroes(
    bs: BlockDriverState, offset: int, bytes_: int, flags: Req
) -> int:
    """bdrv_co_do_pwrite_zeroes(): the efficient way if there is one, else plain writes."""
    if (flags & ~bs.supported_zero_flags) & Req.NO_FALLBACK:
        return -number("ENOTSUP")
    if UNMAP_AT_EVERY_NODE in bs.world.switches and not bs.unmap:
        flags &= ~Req.MAY_UNMAP
    bs.bsc_invalidate_range(offset, bytes_)
    align = bs.limits.request_alignment
    max_zeroes = align_down(bs.limits.max_pwrite_zeroes or INT64_MAX, align)
    max_transfer = min(bs.limits.max_transfer or MAX_BOUNCE_BUFFER, MAX_BOUNCE_BUFFER)
    need_flush = False
    ret = 0
    while bytes_ > 0 and ret == 0:
        num = min(bytes_, max_zeroes)
        ret = -number("ENOTSUP")
        if bs.has_pwrite_zeroes:
            ret = await bs.co_pwrite_zeroes(offset, num, flags & bs.supported_zero_flags)
            if (
                ret != -number("ENOTSUP")
                and flags & Req.FUA
                and not bs.supported_zero_flags & Req.FUA
            ):
                need_flush = True
        if ret == -number("ENOTSUP") and not flags & Req.NO_FALLBACK:
            write_flags = flags & ~Req.ZERO_WRITE
            if flags & Req.FUA and not bs.supported_write_flags & Req.FUA:
                write_flags &= ~Req.FUA
                need_flush = True
            num = min(num, max_transfer)
            buf = bs.world.ledger.alloc("write-zeroes bounce buffer", num)
            local = qemu_iovec_init_buf(bs.world.ledger, buf, 0, num)
            ret = await _bdrv_driver_pwritev(bs, offset, num, local, write_flags)
            bs.world.ledger.free(buf)
        offset += num
        bytes_ -= num
    if ret == 0 and need_flush:
        ret = await bdrv_co_flush(bs)
    return ret


async def bdrv_co_pwrite_zeroes(child: BdrvChild, offset: int, bytes_: int, flags: Req) -> int:
    """bdrv_co_pwrite_zeroes(): MAY_UNMAP only where the node was opened with discard=unmap."""
    if not child.bs.unmap:
        flags &= ~Req.MAY_UNMAP
    return await bdrv_co_pwritev(child, offset, bytes_, None, Req.ZERO_WRITE | flags)


async def bdrv_co_flush(bs: BlockDriverState) -> int:
    """bdrv_co_flush(): one at a time for each node; a read-only node is not flushed."""
    if not bs.inserted or bs.read_only:
        return 0
    current_gen = bs.write_gen
    while bs.active_flush_req:
        bs.flush_queue.append(qemu_coroutine_self())
        await qemu_coroutine_yield()
    bs.active_flush_req = True
    if bs.flushes_to_disk:
        ret = await _bdrv_co_flush_in_parts(bs, current_gen)
    else:
        ret = await bs.co_flush()
    if ret == 0:
        bs.flushed_gen = current_gen
    bs.active_flush_req = False
    if bs.flush_queue:
        aio_co_wake(bs.flush_queue.pop(0))
    return ret


async def _bdrv_co_flush_in_parts(bs: BlockDriverState, current_gen: int) -> int:
    """bdrv_co_flush() of a driver with .bdrv_co_flush_to_disk: that, unless nothing was written
    since the last time or the node has no-flush; then each child that can be written, the newest
    first.
    """
    if bs.flushed_gen != current_gen and not bs.no_flush:
        ret = await bs.co_flush()
        if ret < 0:
            return ret
    ret = 0
    for edge in list(bs.children):
        if edge.perm & (Perm.WRITE | Perm.WRITE_UNCHANGED):
            result = await bdrv_co_flush(edge.bs)
            ret = ret or result
    return ret


async def bdrv_co_block_status(
    bs: BlockDriverState, want_zero: bool, offset: int, bytes_: int
) -> tuple[int, Status, int]:
    """bdrv_co_block_status(): 0 or a negative errno, the status, its length in bytes."""
    total = bs.bdrv_getlength()
    if offset >= total:
        return 0, Status.EOF, 0
    if not bytes_:
        return 0, Status.NONE, 0
    bytes_ = min(bytes_, total - offset)
    if bs.raw_block_status:
        return await bdrv_co_block_status(bs.children[0].bs, want_zero, offset, bytes_)
    if not bs.has_block_status:
        end = Status.EOF if offset + bytes_ == total else Status.NONE
        return 0, Status.DATA | Status.ALLOCATED | end, bytes_
    align = bs.limits.request_alignment
    start = align_down(offset, align)
    length = align_up(offset + bytes_, align) - start
    ret, status, pnum = await bs.co_block_status(want_zero, start, length)
    if ret < 0:
        return ret, Status.NONE, 0
    assert pnum and pnum % align == 0 and align > offset - start
    pnum = min(pnum - (offset - start), bytes_)
    if status & (Status.DATA | Status.ZERO):
        status |= Status.ALLOCATED
    if offset + pnum == total:
        status |= Status.EOF
    return 0, status, pnum

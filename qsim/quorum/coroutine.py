# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests of the driver since 2.9: one coroutine per child and request.

Source: block/quorum.c in 5.2, 7.2 and 10.0, where these functions do the same, as far as 5.2 has
them (10.0 adds graph-lock annotations only).
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsim.block.coroutine import (
    Coroutine,
    qemu_coroutine_self,
    qemu_coroutine_yield,
)
from qsim.block.errno import number
from qsim.block.error import ProcessExit
from qsim.block.flags import Req, Status
from qsim.block.io import (
    bdrv_co_block_status,
    bdrv_co_flush,
    bdrv_co_preadv,
    bdrv_co_pwrite_zeroes,
    bdrv_co_pwritev,
)
from qsim.block.iovec import QEMUIOVector, qemu_iovec_clone, qemu_iovec_compare
from qsim.block.memory import Block
from qsim.quorum.report import quorum_report_bad, quorum_report_failure
from qsim.quorum.vote import (
    QuorumVotes,
    quorum_compute_hash,
    quorum_copy_qiov,
    quorum_count_vote,
    quorum_free_vote_list,
    quorum_get_vote_winner,
    quorum_iovec_compare,
)

if TYPE_CHECKING:
    from qsim.block.node import BlockDriverState
    from qsim.quorum.node import QuorumNode


@dataclass
class QuorumChildRequest:
    """What the driver keeps per child and request."""

    bs: BlockDriverState | None = None
    qiov: QEMUIOVector | None = None
    buf: Block | None = None
    ret: int = 0


@dataclass
class QuorumAIOCB:
    """One request from above; ``offset`` and ``bytes`` in bytes."""

    bs: QuorumNode
    co: Coroutine
    offset: int
    bytes: int
    flags: Req
    qiov: QEMUIOVector | None
    memory: Block
    qcrs_memory: Block
    qcrs: list[QuorumChildRequest]
    votes: QuorumVotes
    count: int = 0
    success_count: int = 0
    rewrite_count: int = 0
    is_read: bool = False
    vote_ret: int = 0
    children_read: int = 0


def quorum_aio_get(
    bs: QuorumNode, qiov: QEMUIOVector | None, offset: int, bytes_: int, flags: Req
) -> QuorumAIOCB:
    """quorum_aio_get(): the request's structures."""
    ledger = bs.world.ledger
    return QuorumAIOCB(
        bs=bs,
        co=qemu_coroutine_self(),
        offset=offset,
        bytes=bytes_,
        flags=flags,
        qiov=qiov,
        memory=ledger.alloc("QuorumAIOCB"),
        qcrs_memory=ledger.alloc("QuorumAIOCB.qcrs"),
        qcrs=[QuorumChildRequest() for _ in bs.quorum_children],
        votes=QuorumVotes(ledger),
    )


def quorum_aio_finalize(acb: QuorumAIOCB) -> None:
    """quorum_aio_finalize(): free the request's structures."""
    ledger = acb.bs.world.ledger
    ledger.free(acb.qcrs_memory)
    ledger.free(acb.memory)


def quorum_report_bad_acb(acb: QuorumAIOCB, sacb: QuorumChildRequest, ret: int) -> None:
    """quorum_report_bad_acb(): a child failed a request."""
    assert sacb.bs is not None
    op_type = "read" if acb.is_read else "write"
    quorum_report_bad(acb.bs.world, op_type, acb.offset, acb.bytes, sacb.bs.node_name, ret)


def quorum_has_too_much_io_failed(acb: QuorumAIOCB) -> bool:
    """quorum_has_too_much_io_failed(): fewer successes than the threshold; votes on errors."""
    if acb.success_count < acb.bs.threshold:
        acb.vote_ret = quorum_vote_error(acb)
        quorum_report_failure(acb.bs.world, acb.bs.reference, acb.offset, acb.bytes)
        return True
    return False


def quorum_vote_error(acb: QuorumAIOCB) -> int:
    """quorum_vote_error(): the error most children failed with; a tie goes to the last seen."""
    error_votes = QuorumVotes(acb.bs.world.ledger)
    ret = 0
    error = False
    for i, qcr in enumerate(acb.qcrs):
        ret = qcr.ret
        if ret:
            error = True
            quorum_count_vote(error_votes, ret, i)
    if error:
        value = quorum_get_vote_winner(error_votes).value
        assert isinstance(value, int)
        ret = value
    quorum_free_vote_list(error_votes)
    return ret


def quorum_compare(acb: QuorumAIOCB, a: QEMUIOVector, b: QEMUIOVector) -> bool:
    """quorum_compare(): in blkverify mode the first difference ends the process.

    :raise ProcessExit: status 1, with the place of the difference.
    """
    if acb.bs.is_blkverify:
        offset = qemu_iovec_compare(a, b)
        if offset != -1:
            raise ProcessExit(
                1,
                f"quorum: offset={acb.offset} bytes={acb.bytes} "
                f"contents mismatch at offset {acb.offset + offset}",
            )
        return True
    return quorum_iovec_compare(a, b)


def quorum_report_bad_versions(acb: QuorumAIOCB, value: object) -> None:
    """quorum_report_bad_versions(): one report per child that was outvoted."""
    assert isinstance(value, bytes)
    for index in acb.votes.losers(value):
        node = acb.bs.quorum_children[index].bs
        quorum_report_bad(acb.bs.world, "read", acb.offset, acb.bytes, node.node_name, 0)


async def quorum_rewrite_entry(acb: QuorumAIOCB, idx: int) -> None:
    """quorum_rewrite_entry(): write the winner over an outvoted child; its error is ignored."""
    assert acb.qiov is not None
    await bdrv_co_pwritev(
        acb.bs.quorum_children[idx],
        acb.offset,
        acb.bytes,
        acb.qiov,
        acb.flags & ~Req.WRITE_UNCHANGED,
    )
    acb.rewrite_count -= 1
    if not acb.rewrite_count:
        acb.co.enter_if_inactive()


def quorum_rewrite_bad_versions(acb: QuorumAIOCB, value: object) -> None:
    """quorum_rewrite_bad_versions(): count first, then fire all rewrites."""
    assert isinstance(value, bytes)
    losers = list(acb.votes.losers(value))
    acb.rewrite_count = len(losers)
    for index in losers:
        Coroutine(lambda index=index: quorum_rewrite_entry(acb, index)).enter()  # type: ignore[misc]


def quorum_vote(acb: QuorumAIOCB) -> None:
    """quorum_vote(): agreement, or else a vote by hash against the threshold."""
    if quorum_has_too_much_io_failed(acb):
        return
    good = [(i, qcr.qiov) for i, qcr in enumerate(acb.qcrs) if not qcr.ret and qcr.qiov]
    assert good and acb.qiov is not None
    first = good[0][1]
    if all(quorum_compare(acb, first, other) for _, other in good[1:]):
        quorum_copy_qiov(acb.qiov, first)
        return
    for i, qiov in good:
        quorum_count_vote(acb.votes, quorum_compute_hash(qiov), i)
    winner = quorum_get_vote_winner(acb.votes)
    if winner.vote_count < acb.bs.threshold:
        quorum_report_failure(acb.bs.world, acb.bs.reference, acb.offset, acb.bytes)
        acb.vote_ret = -number("EIO")
    else:
        winning = acb.qcrs[winner.index].qiov
        assert winning is not None
        quorum_copy_qiov(acb.qiov, winning)
        quorum_report_bad_versions(acb, winner.value)
        if acb.bs.rewrite_corrupted:
            quorum_rewrite_bad_versions(acb, winner.value)
    quorum_free_vote_list(acb.votes)


def _child_done(acb: QuorumAIOCB, sacb: QuorumChildRequest) -> None:
    """The end of read_quorum_children_entry() and write_quorum_entry(), which is the same."""
    if sacb.ret == 0:
        acb.success_count += 1
    else:
        quorum_report_bad_acb(acb, sacb, sacb.ret)
    acb.count += 1
    assert acb.count <= len(acb.bs.quorum_children)
    if acb.count == len(acb.bs.quorum_children):
        acb.co.enter_if_inactive()


async def read_quorum_children_entry(acb: QuorumAIOCB, i: int) -> None:
    """read_quorum_children_entry(): one child's read; the last to come back wakes the caller."""
    sacb = acb.qcrs[i]
    edge = acb.bs.quorum_children[i]
    sacb.bs = edge.bs
    assert sacb.qiov is not None
    sacb.ret = await bdrv_co_preadv(edge, acb.offset, acb.bytes, sacb.qiov, Req.NONE)
    _child_done(acb, sacb)


async def read_quorum_children(acb: QuorumAIOCB) -> int:
    """read_quorum_children(): ask every child, wait for all of them, vote, wait for rewrites."""
    assert acb.qiov is not None
    ledger = acb.bs.world.ledger
    acb.children_read = len(acb.qcrs)
    for i, qcr in enumerate(acb.qcrs):
        qcr.buf = ledger.alloc(f"qcrs[{i}].buf", acb.qiov.size, zeroed=False)
        qcr.qiov = qemu_iovec_clone(acb.qiov, qcr.buf)
    for i in range(len(acb.qcrs)):
        Coroutine(lambda i=i: read_quorum_children_entry(acb, i)).enter()  # type: ignore[misc]
    while acb.count < len(acb.bs.quorum_children):
        await qemu_coroutine_yield()
    quorum_vote(acb)
    for qcr in acb.qcrs:
        ledger.free(qcr.buf)
    while acb.rewrite_count:
        await qemu_coroutine_yield()
    return acb.vote_ret


async def read_fifo_child(acb: QuorumAIOCB) -> int:
    """read_fifo_child(): child after child until one answers; every failure is reported."""
    assert acb.qiov is not None
    while True:
        n = acb.children_read
        acb.children_read += 1
        edge = acb.bs.quorum_children[n]
        acb.qcrs[n].bs = edge.bs
        ret = await bdrv_co_preadv(edge, acb.offset, acb.bytes, acb.qiov, Req.NONE)
        if ret < 0:
            quorum_report_bad_acb(acb, acb.qcrs[n], ret)
        if not (ret < 0 and acb.children_read < len(acb.bs.quorum_children)):
            return ret


async def quorum_co_preadv(
    bs: QuorumNode, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req
) -> int:
    """quorum_co_preadv(): by vote or in FIFO order."""
    acb = quorum_aio_get(bs, qiov, offset, bytes_, flags)
    acb.is_read = True
    if bs.read_pattern == "quorum":
        ret = await read_quorum_children(acb)
    else:
        ret = await read_fifo_child(acb)
    quorum_aio_finalize(acb)
    return ret


async def write_quorum_entry(acb: QuorumAIOCB, i: int) -> None:
    """write_quorum_entry(): one child's write or write-zeroes."""
    sacb = acb.qcrs[i]
    edge = acb.bs.quorum_children[i]
    sacb.bs = edge.bs
    if acb.flags & Req.ZERO_WRITE:
        sacb.ret = await bdrv_co_pwrite_zeroes(edge, acb.offset, acb.bytes, acb.flags)
    else:
        sacb.ret = await bdrv_co_pwritev(edge, acb.offset, acb.bytes, acb.qiov, acb.flags)
    _child_done(acb, sacb)


async def quorum_co_pwritev(
    bs: QuorumNode, offset: int, bytes_: int, qiov: QEMUIOVector | None, flags: Req
) -> int:
    """quorum_co_pwritev(): every child writes; a success needs ``threshold`` of them."""
    acb = quorum_aio_get(bs, qiov, offset, bytes_, flags)
    for i in range(len(acb.qcrs)):
        Coroutine(lambda i=i: write_quorum_entry(acb, i)).enter()  # type: ignore[misc]
    while acb.count < len(bs.quorum_children):
        await qemu_coroutine_yield()
    quorum_has_too_much_io_failed(acb)
    ret = acb.vote_ret
    quorum_aio_finalize(acb)
    return ret


async def quorum_co_pwrite_zeroes(bs: QuorumNode, offset: int, bytes_: int, flags: Req) -> int:
    """quorum_co_pwrite_zeroes(): a write without data."""
    return await quorum_co_pwritev(bs, offset, bytes_, None, flags | Req.ZERO_WRITE)


async def quorum_co_flush(bs: QuorumNode) -> int:
    """quorum_co_flush(): one child after the other; QUORUM_FAILURE is never sent.

    :raise ProcessExit: when the node is still being opened, and not all of its children are there:
        the next is a null pointer.
    """
    error_votes = QuorumVotes(bs.world.ledger)
    success_count = 0
    for i, edge in enumerate(list(bs.quorum_children)):
        result = await bdrv_co_flush(edge.bs)
        if result:
            quorum_report_bad(bs.world, "flush", 0, 0, edge.bs.node_name, result)
            quorum_count_vote(error_votes, result, i)
        else:
            success_count += 1
    if bs.opening:
        raise ProcessExit(-signal.SIGSEGV, "")
    if success_count >= bs.threshold:
        ret = 0
    else:
        value = quorum_get_vote_winner(error_votes).value
        assert isinstance(value, int)
        ret = value
    quorum_free_vote_list(error_votes)
    return ret


async def quorum_co_block_status(
    bs: QuorumNode, want_zero: bool, offset: int, bytes_: int
) -> tuple[int, Status, int]:
    """quorum_co_block_status(): zero only where all children say so; an error means data."""
    pnum_zero = bytes_
    pnum_data = 0
    for edge in bs.quorum_children:
        ret, status, pnum = await bdrv_co_block_status(edge.bs, want_zero, offset, bytes_)
        if ret < 0:
            quorum_report_bad(bs.world, "read", offset, bytes_, edge.bs.node_name, ret)
            pnum_data = bytes_
            break
        if status & Status.ZERO:
            pnum_zero = min(pnum_zero, pnum)
        else:
            pnum_data = max(pnum_data, pnum)
    if pnum_data:
        return 0, Status.DATA, pnum_data
    return 0, Status.ZERO, pnum_zero

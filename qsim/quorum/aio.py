# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests of the driver when it had callbacks (block/quorum.c up to mid-2015).

One QuorumAIOCB for each request from above, in it an array with one QuorumChildRequest for each
child.  Source: a9db86b223; where another revision differs, the switch names its commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from qsim.block.aio import (
    AIOCBInfo,
    BlockDriverAIOCB,
    CompletionFunc,
    aiocb_memory,
    bdrv_aio_cancel,
    bdrv_aio_cancel_async,
    bdrv_co_aio_rw_vector,
    qemu_aio_get,
    qemu_aio_release,
)
from qsim.block.errno import number
from qsim.block.error import ProcessExit
from qsim.block.flags import BDRV_SECTOR_SIZE
from qsim.block.io_2014 import bdrv_co_flush
from qsim.block.iovec import (
    QEMUIOVector,
    qemu_iovec_clone,
    qemu_iovec_compare,
    qemu_iovec_destroy,
    qemu_iovec_init,
)
from qsim.block.memory import Array, Block, Field, Ledger, Struct, deref
from qsim.quorum.report import quorum_report_bad_2014, quorum_report_failure_2014
from qsim.quorum.switches import CANCEL_ASYNC, CANCEL_SKIPS_NULL, FINALIZE_FIFO
from qsim.quorum.vote import (
    QuorumVotes,
    VoteValue,
    quorum_compute_hash,
    quorum_copy_qiov,
    quorum_count_vote,
    quorum_free_vote_list,
    quorum_get_vote_winner,
    quorum_iovec_compare,
)

if TYPE_CHECKING:
    from qsim.quorum.node_2014 import Quorum2014Node


class QuorumChildRequest(Struct):
    """What the driver keeps for each child and request; ``qiov`` is part of the struct."""

    aiocb: Field[BlockDriverAIOCB | None] = Field(None)
    buf: Field[Block | None] = Field(None)
    ret: Field[int] = Field(0)
    parent: Field[QuorumAIOCB | None] = Field(None)

    def __init__(self, ledger: Ledger, home: Block, name: str) -> None:
        super().__init__(ledger, home, f"{name}.", zeroed=True)
        self.name = name
        self.qiov = QEMUIOVector(ledger, home=home, path=f"{name}.qiov")


class QuorumAIOCB(BlockDriverAIOCB):
    """One request from above, in sectors.  Its memory is not zeroed."""

    sector_num: Field[int] = Field(0)
    nb_sectors: Field[int] = Field(0)
    qiov: Field[QEMUIOVector] = Field()
    qcrs: Field[Array[QuorumChildRequest]] = Field()
    count: Field[int] = Field(0)
    success_count: Field[int] = Field(0)
    rewrite_count: Field[int] = Field(0)
    votes: Field[QuorumVotes] = Field()
    is_read: Field[bool] = Field(False)
    vote_ret: Field[int] = Field(0)
    child_iter: Field[int] = Field(0)

    @property
    def quorum(self) -> Quorum2014Node:
        """``acb->common.bs->opaque``: the state of the node the request is for."""
        return cast("Quorum2014Node", self.bs)


def quorum_aio_cancel(blockacb: BlockDriverAIOCB) -> None:
    """quorum_aio_cancel(): end the children's requests; until 7940e5056b also free this one."""
    assert isinstance(blockacb, QuorumAIOCB)
    acb = blockacb
    s = acb.quorum
    cancel = bdrv_aio_cancel_async if CANCEL_ASYNC in s.switches else bdrv_aio_cancel
    for i in range(s.num_children):
        aiocb = acb.qcrs[i].aiocb
        if aiocb is not None or CANCEL_SKIPS_NULL not in s.switches:
            cancel(aiocb)
    if CANCEL_ASYNC not in s.switches:
        acb.qcrs.free()
        qemu_aio_release(acb)


def quorum_aio_finalize(acb: QuorumAIOCB) -> None:
    """quorum_aio_finalize(): call back, then free the request and its buffers.

    FIFO counts child_iter up to the number of children when all of them fail, and this goes up
    to child_iter itself.
    """
    ret = acb.vote_ret
    s = acb.quorum
    deref(acb.cb, "acb->common.cb")(deref(acb.opaque, "acb->common.opaque"), ret)
    if acb.is_read:
        last = acb.child_iter if FINALIZE_FIFO in s.switches else s.num_children - 1
        for i in range(last + 1):
            s.ledger.free(acb.qcrs[i].buf)
            qemu_iovec_destroy(acb.qcrs[i].qiov)
    acb.qcrs.free()
    qemu_aio_release(acb)


def quorum_aio_get(
    s: Quorum2014Node,
    qiov: QEMUIOVector,
    sector_num: int,
    nb_sectors: int,
    cb: CompletionFunc,
    opaque: Struct,
) -> QuorumAIOCB:
    """quorum_aio_get(): the request's structures; child_iter is left as it is found."""
    ledger = s.ledger
    acb = QuorumAIOCB(ledger, aiocb_memory(ledger, "acb"), "acb->", zeroed=False)
    info = AIOCBInfo(cancel=quorum_aio_cancel)
    if CANCEL_ASYNC in s.switches:
        info = AIOCBInfo(cancel_async=quorum_aio_cancel)
    qemu_aio_get(acb, info, s, cb, opaque)
    acb.sector_num = sector_num
    acb.nb_sectors = nb_sectors
    acb.qiov = qiov
    acb.qcrs = Array(
        ledger,
        "acb->qcrs",
        s.num_children,
        lambda home, i: QuorumChildRequest(ledger, home, f"acb->qcrs[{i}]"),
    )
    acb.count = 0
    acb.success_count = 0
    acb.rewrite_count = 0
    acb.votes = QuorumVotes(ledger)
    acb.is_read = False
    acb.vote_ret = 0
    for i in range(s.num_children):
        acb.qcrs[i].buf = None
        acb.qcrs[i].ret = 0
        acb.qcrs[i].parent = acb
    return acb


def quorum_has_too_much_io_failed(acb: QuorumAIOCB) -> bool:
    """quorum_has_too_much_io_failed(): fewer successes than the threshold; votes on errors."""
    s = acb.quorum
    if acb.success_count < s.threshold:
        acb.vote_ret = quorum_vote_error(acb)
        quorum_report_failure_2014(s.world, s.reference, acb.sector_num, acb.nb_sectors)
        return True
    return False


def quorum_rewrite_aio_cb(opaque: Struct, ret: int) -> None:
    """quorum_rewrite_aio_cb(): the last rewrite ends the request; none of them can fail it."""
    assert isinstance(opaque, QuorumAIOCB)
    acb = opaque
    acb.rewrite_count -= 1
    if acb.rewrite_count:
        return
    quorum_aio_finalize(acb)


def quorum_aio_cb(opaque: Struct, ret: int) -> None:
    """quorum_aio_cb(): a child's request has ended.

    In FIFO order the next child is read, or the request ends.  Else the last child to come back
    leads to the vote, and without a rewrite to the end.
    """
    assert isinstance(opaque, QuorumChildRequest)
    sacb = opaque
    acb = deref(sacb.parent, "sacb->parent")
    s = acb.quorum
    rewrite = False
    if acb.is_read and s.read_pattern == "fifo":
        if ret < 0:
            acb.child_iter += 1
            if acb.child_iter < s.num_children:
                read_fifo_child(acb)
                return
        if ret == 0:
            quorum_copy_qiov(acb.qiov, acb.qcrs[acb.child_iter].qiov)
        acb.vote_ret = ret
        quorum_aio_finalize(acb)
        return
    sacb.ret = ret
    acb.count += 1
    if ret == 0:
        acb.success_count += 1
    else:
        aiocb = deref(sacb.aiocb, "sacb->aiocb")
        node = deref(aiocb.bs, "sacb->aiocb->bs")
        quorum_report_bad_2014(s.world, acb.sector_num, acb.nb_sectors, node.node_name, ret)
    assert acb.count <= s.num_children
    assert acb.success_count <= s.num_children
    if acb.count < s.num_children:
        return
    if acb.is_read:
        rewrite = quorum_vote(acb)
    else:
        quorum_has_too_much_io_failed(acb)
    if not rewrite:
        quorum_aio_finalize(acb)


def quorum_report_bad_versions(acb: QuorumAIOCB, value: VoteValue) -> None:
    """quorum_report_bad_versions(): one report per child that was outvoted."""
    s = acb.quorum
    for index in acb.votes.losers(value):
        node = s.quorum_children[index].bs
        quorum_report_bad_2014(s.world, acb.sector_num, acb.nb_sectors, node.node_name, 0)


def quorum_rewrite_bad_versions(acb: QuorumAIOCB, value: VoteValue) -> bool:
    """quorum_rewrite_bad_versions(): count the outvoted, then fire all rewrites."""
    s = acb.quorum
    losers = list(acb.votes.losers(value))
    acb.rewrite_count = len(losers)
    for index in losers:
        bdrv_co_aio_rw_vector(
            s.quorum_children[index].bs,
            acb.sector_num,
            acb.qiov,
            acb.nb_sectors,
            quorum_rewrite_aio_cb,
            acb,
            is_write=True,
        )
    return bool(losers)


def quorum_compare(acb: QuorumAIOCB, a: QEMUIOVector, b: QEMUIOVector) -> bool:
    """quorum_compare(): in blkverify mode the first difference ends the process (quorum_err()).

    :raise ProcessExit: status 1, with the sector of the difference.
    """
    if acb.quorum.is_blkverify:
        offset = qemu_iovec_compare(a, b)
        if offset != -1:
            raise ProcessExit(
                1,
                f"quorum: sector_num={acb.sector_num} nb_sectors={acb.nb_sectors} "
                f"contents mismatch in sector {acb.sector_num + offset // BDRV_SECTOR_SIZE}",
            )
        return True
    return quorum_iovec_compare(a, b)


def quorum_vote_error(acb: QuorumAIOCB) -> int:
    """quorum_vote_error(): the error most children failed with; 0 when none failed."""
    error_votes = QuorumVotes(acb.ledger)
    ret = 0
    error = False
    for i in range(acb.quorum.num_children):
        ret = acb.qcrs[i].ret
        if ret:
            error = True
            quorum_count_vote(error_votes, ret, i)
    if error:
        value = quorum_get_vote_winner(error_votes).value
        assert isinstance(value, int)
        ret = value
    quorum_free_vote_list(error_votes)
    return ret


def quorum_vote(acb: QuorumAIOCB) -> bool:
    """quorum_vote(): agreement, or else a vote by hash; whether children are rewritten now."""
    s = acb.quorum
    rewrite = False
    if quorum_has_too_much_io_failed(acb):
        return False
    good = [i for i in range(s.num_children) if not acb.qcrs[i].ret]
    assert good
    first = acb.qcrs[good[0]].qiov
    if all(quorum_compare(acb, first, acb.qcrs[j].qiov) for j in good[1:]):
        quorum_copy_qiov(acb.qiov, first)
        return False
    for i in good:
        quorum_count_vote(acb.votes, quorum_compute_hash(acb.qcrs[i].qiov), i)
    winner = quorum_get_vote_winner(acb.votes)
    if winner.vote_count < s.threshold:
        quorum_report_failure_2014(s.world, s.reference, acb.sector_num, acb.nb_sectors)
        acb.vote_ret = -number("EIO")
    else:
        quorum_copy_qiov(acb.qiov, acb.qcrs[winner.index].qiov)
        quorum_report_bad_versions(acb, winner.value)
        if s.rewrite_corrupted:
            rewrite = quorum_rewrite_bad_versions(acb, winner.value)
    quorum_free_vote_list(acb.votes)
    return rewrite


def _read_child(acb: QuorumAIOCB, i: int) -> None:
    """bdrv_aio_readv() of child ``i``; the AIOCB it returns is not kept."""
    qcr = acb.qcrs[i]
    bs = acb.quorum.quorum_children[i].bs
    bdrv_co_aio_rw_vector(
        bs, acb.sector_num, qcr.qiov, acb.nb_sectors, quorum_aio_cb, qcr, is_write=False
    )


def _make_child_buffer(acb: QuorumAIOCB, i: int) -> None:
    """qemu_blockalign(), qemu_iovec_init() and qemu_iovec_clone() for child ``i``."""
    qcr = acb.qcrs[i]
    qcr.buf = acb.ledger.alloc(f"{qcr.name}.buf", acb.qiov.size, zeroed=False)
    qemu_iovec_init(qcr.qiov)
    qcr.qiov.iov = qemu_iovec_clone(acb.qiov, qcr.buf).iov


def read_quorum_children(acb: QuorumAIOCB) -> None:
    """read_quorum_children(), read_all_children() in v1: ask every child."""
    for i in range(acb.quorum.num_children):
        _make_child_buffer(acb, i)
    for i in range(acb.quorum.num_children):
        _read_child(acb, i)


def read_fifo_child(acb: QuorumAIOCB) -> None:
    """read_fifo_child(): ask the child whose turn it is."""
    _make_child_buffer(acb, acb.child_iter)
    _read_child(acb, acb.child_iter)


def quorum_aio_readv(
    s: Quorum2014Node,
    sector_num: int,
    qiov: QEMUIOVector,
    nb_sectors: int,
    cb: CompletionFunc,
    opaque: Struct,
) -> QuorumAIOCB:
    """quorum_aio_readv(): by vote or in FIFO order."""
    acb = quorum_aio_get(s, qiov, sector_num, nb_sectors, cb, opaque)
    acb.is_read = True
    if s.read_pattern == "quorum":
        acb.child_iter = s.num_children - 1
        read_quorum_children(acb)
    else:
        acb.child_iter = 0
        read_fifo_child(acb)
    return acb


def quorum_aio_writev(
    s: Quorum2014Node,
    sector_num: int,
    qiov: QEMUIOVector,
    nb_sectors: int,
    cb: CompletionFunc,
    opaque: Struct,
) -> QuorumAIOCB:
    """quorum_aio_writev(): every child writes; their AIOCBs are kept, also when they are over."""
    acb = quorum_aio_get(s, qiov, sector_num, nb_sectors, cb, opaque)
    for i in range(s.num_children):
        qcr = acb.qcrs[i]
        qcr.aiocb = bdrv_co_aio_rw_vector(
            s.quorum_children[i].bs, sector_num, qiov, nb_sectors, quorum_aio_cb, qcr, is_write=True
        )
    return acb


async def quorum_co_flush(s: Quorum2014Node) -> int:
    """quorum_co_flush(): one child after the other; successes are votes like errors are."""
    error_votes = QuorumVotes(s.ledger)
    for i in range(s.num_children):
        result = await bdrv_co_flush(s.quorum_children[i].bs)
        quorum_count_vote(error_votes, result, i)
    value = quorum_get_vote_winner(error_votes).value
    assert isinstance(value, int)
    quorum_free_vote_list(error_votes)
    return value

# SPDX-License-Identifier: GPL-2.0-or-later
"""Defective versions of the driver's functions, as somebody could have written them."""

from __future__ import annotations

from functools import partial
from typing import Any

from qsim.block.coroutine import Coroutine
from qsim.block.flags import Req
from qsim.block.io import bdrv_co_flush, bdrv_co_preadv, bdrv_co_pwritev
from qsim.block.memory import Struct
from qsim.quorum import aio, coroutine
from qsim.quorum.coroutine import (
    QuorumAIOCB,
    QuorumChildRequest,
    quorum_aio_finalize,
    quorum_co_pwritev,
    quorum_report_bad_acb,
    quorum_rewrite_bad_versions,
    quorum_rewrite_entry,
    quorum_vote,
    read_fifo_child,
    read_quorum_children_entry,
)
from qsim.quorum.node import QuorumNode
from qsim.quorum.report import quorum_report_bad
from qsim.quorum.vote import (
    QuorumVotes,
    QuorumVoteVersion,
    quorum_copy_qiov,
    quorum_get_vote_winner,
)

#: The functions that are called by the defective ones, as they are.
child_done = coroutine._child_done
aio_finalize = aio.quorum_aio_finalize

# FIFO.


async def reads_on(acb: QuorumAIOCB) -> int:
    """read_fifo_child() that asks the next child as well."""
    ret = await read_fifo_child(acb)
    if acb.children_read < len(acb.bs.quorum_children):
        acb.qcrs[acb.children_read].bs = acb.bs.quorum_children[acb.children_read].bs
        await read_fifo_child(acb)
    return ret


async def _fifo(acb: QuorumAIOCB, tries: int = 9, further: int = 0, silent: bool = False) -> int:
    """read_fifo_child() with something wrong."""
    assert acb.qiov is not None
    ret = 0
    for n, edge in enumerate(acb.bs.quorum_children[:tries]):
        acb.qcrs[n].bs = edge.bs
        ret = await bdrv_co_preadv(edge, acb.offset + n * further, acb.bytes, acb.qiov, Req.NONE)
        if ret == 0:
            break
        if not silent:
            quorum_report_bad_acb(acb, acb.qcrs[n], ret)
    return ret


async def gives_up(acb: QuorumAIOCB) -> int:
    """read_fifo_child() that asks one child only."""
    return await _fifo(acb, tries=1)


async def goes_further(acb: QuorumAIOCB) -> int:
    """read_fifo_child() that does not begin anew for the next child."""
    return await _fifo(acb, further=512)


async def says_nothing(acb: QuorumAIOCB) -> int:
    """read_fifo_child() of 2014, which did not report."""
    return await _fifo(acb, silent=True)


async def never_fails(acb: QuorumAIOCB) -> int:
    """read_fifo_child() whose error gets lost."""
    await read_fifo_child(acb)
    return 0


# Votes.


def first_in_a_tie(votes: QuorumVotes) -> QuorumVoteVersion:
    """quorum_get_vote_winner() with >= for >."""
    winner = votes.vote_list[0]
    for candidate in votes.vote_list:
        if candidate.vote_count >= winner.vote_count:
            winner = candidate
    return winner


def one_vote_less(votes: QuorumVotes) -> QuorumVoteVersion:
    """A vote that is enough with one less than the threshold: the winner has one more."""
    winner = quorum_get_vote_winner(votes)
    winner.vote_count += 1
    return winner


def one_vote_more(votes: QuorumVotes) -> QuorumVoteVersion:
    """A vote with <= for < at the threshold: as many as are needed are too few."""
    winner = quorum_get_vote_winner(votes)
    winner.vote_count -= 1
    return winner


def takes_the_first(acb: QuorumAIOCB) -> None:
    """quorum_vote() that gives the guest what the first child has, whatever the vote."""
    quorum_vote(acb)
    source = acb.qcrs[0]
    if not (acb.vote_ret or source.ret):
        assert acb.qiov is not None and source.qiov is not None
        quorum_copy_qiov(acb.qiov, source.qiov)


def _done(acb: QuorumAIOCB, sacb: QuorumChildRequest, counts: int = 1) -> None:
    """The end of a child's request, in which a success counts for more than one."""
    if sacb.ret == 0:
        acb.success_count += counts
    else:
        quorum_report_bad_acb(acb, sacb, sacb.ret)
    acb.count += 1
    if acb.count == len(acb.bs.quorum_children):
        acb.co.enter_if_inactive()


def counts_twice(acb: QuorumAIOCB, sacb: QuorumChildRequest) -> None:
    """A success that is counted twice."""
    _done(acb, sacb, 2)


def counts_failures(acb: QuorumAIOCB, sacb: QuorumChildRequest) -> None:
    """A failure that counts as a success, too."""
    acb.success_count += sacb.ret != 0
    _done(acb, sacb)


# Who is asked, and what comes of it.


async def skips_the_last(bs: QuorumNode, offset: int, bytes_: int, qiov: Any, flags: Req) -> int:
    """quorum_co_pwritev() that counts from the wrong end."""
    last = bs.quorum_children.pop()
    try:
        return await quorum_co_pwritev(bs, offset, bytes_, qiov, flags)
    finally:
        bs.quorum_children.append(last)


async def always_succeeds(bs: QuorumNode, offset: int, bytes_: int, qiov: Any, flags: Req) -> int:
    """quorum_co_pwritev() that forgets to hand on what came of it."""
    await quorum_co_pwritev(bs, offset, bytes_, qiov, flags)
    return 0


async def flush_succeeds(bs: QuorumNode) -> int:
    """quorum_co_flush() that ignores errors, but for reporting them."""
    for edge in bs.quorum_children:
        result = await bdrv_co_flush(edge.bs)
        if result:
            quorum_report_bad(bs.world, "flush", 0, 0, edge.bs.node_name, result)
    return 0


async def flush_stops(bs: QuorumNode) -> int:
    """quorum_co_flush() that ends at the first error."""
    for edge in bs.quorum_children:
        result = await bdrv_co_flush(edge.bs)
        if result:
            quorum_report_bad(bs.world, "flush", 0, 0, edge.bs.node_name, result)
            return result
    return 0


# Rewrites.


async def writes_the_loser(acb: QuorumAIOCB, idx: int) -> None:
    """quorum_rewrite_entry() that writes what the child has."""
    edge, qiov = acb.bs.quorum_children[idx], acb.qcrs[idx].qiov
    assert qiov is not None
    await bdrv_co_pwritev(edge, acb.offset, acb.bytes, qiov, acb.flags)
    acb.rewrite_count -= 1
    if not acb.rewrite_count:
        acb.co.enter_if_inactive()


def does_not_wait(acb: QuorumAIOCB, value: object) -> None:
    """quorum_rewrite_bad_versions() that does not count."""
    quorum_rewrite_bad_versions(acb, value)
    acb.rewrite_count = 0


def rewrites_everyone(acb: QuorumAIOCB, value: object) -> None:
    """quorum_rewrite_bad_versions() that takes each child for a loser."""
    everyone = range(len(acb.qcrs))
    acb.rewrite_count = len(everyone)
    for index in everyone:
        Coroutine(partial(quorum_rewrite_entry, acb, index)).enter()


# Events.


def names_its_neighbour(acb: QuorumAIOCB, sacb: QuorumChildRequest, ret: int) -> None:
    """quorum_report_bad_acb() that is one off."""
    place = [one is sacb for one in acb.qcrs].index(True)
    other = acb.bs.quorum_children[place - 1].bs
    quorum_report_bad_acb(acb, QuorumChildRequest(bs=other), ret)


def reports_successes(acb: QuorumAIOCB, sacb: QuorumChildRequest) -> None:
    """The end of a child's request, which is reported whatever came of it."""
    if not sacb.ret:
        quorum_report_bad_acb(acb, sacb, sacb.ret)
    child_done(acb, sacb)


def says_read(acb: QuorumAIOCB, sacb: QuorumChildRequest, ret: int) -> None:
    """quorum_report_bad_acb() that does not ask what failed."""
    was, acb.is_read = acb.is_read, True
    quorum_report_bad_acb(acb, sacb, ret)
    acb.is_read = was


async def reports_too_early(acb: QuorumAIOCB, i: int) -> None:
    """read_quorum_children_entry() that takes a child for failed that has not answered."""
    acb.qcrs[i].bs = acb.bs.quorum_children[i].bs
    quorum_report_bad_acb(acb, acb.qcrs[i], -5)
    await read_quorum_children_entry(acb, i)


def forgets(*_: object) -> None:
    """Whatever it should do, it does not."""


# Memory.


def frees_twice(acb: QuorumAIOCB) -> None:
    """quorum_aio_finalize() that frees a block twice."""
    acb.bs.world.ledger.free(acb.qcrs_memory)
    quorum_aio_finalize(acb)


def loses_buffers(acb: QuorumAIOCB) -> None:
    """quorum_vote() after which nobody knows the children's buffers."""
    quorum_vote(acb)
    for qcr in acb.qcrs:
        qcr.buf = None


# With callbacks.


def calls_back_twice(acb: aio.QuorumAIOCB) -> None:
    """quorum_aio_finalize() that calls back once more."""
    assert acb.cb is not None and acb.opaque is not None
    acb.cb(acb.opaque, acb.vote_ret)
    aio_finalize(acb)


def asks_all_but_one(acb: aio.QuorumAIOCB) -> None:
    """read_quorum_children() with a loop that ends too early."""
    for i in range(acb.quorum.num_children):
        aio._make_child_buffer(acb, i)
    for i in range(acb.quorum.num_children - 1):
        aio._read_child(acb, i)


def nothing_has_failed(acb: aio.QuorumAIOCB) -> bool:
    """quorum_has_too_much_io_failed() that does not look."""
    return False


def counts_a_rewrite_only(opaque: Struct, ret: int) -> None:
    """quorum_rewrite_aio_cb() that ends the request with the first rewrite."""
    assert isinstance(opaque, aio.QuorumAIOCB)
    aio.quorum_aio_finalize(opaque)

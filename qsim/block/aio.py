# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests with callbacks, as the block layer had them in 2014 (block.c and async.c, a9db86b223).

An AIOCB stands for a request in flight; its callback is called once, from a bottom half of the
event loop.  Below a driver that has only callbacks, and above one, requests are coroutines:
:func:`bdrv_aio_readv` starts one for a child, :func:`bdrv_co_io_em` waits for a callback in one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qsim.block.coroutine import Coroutine, qemu_coroutine_self, qemu_coroutine_yield
from qsim.block.flags import BDRV_SECTOR_SIZE
from qsim.block.io_2014 import bdrv_co_do_preadv, bdrv_co_do_pwritev
from qsim.block.iovec import QEMUIOVector
from qsim.block.memory import Block, Field, Ledger, Struct, Undefined, deref
from qsim.block.switches import AIOCB_REFCOUNT

if TYPE_CHECKING:
    from qsim.block.node import BlockDriverState

#: BlockDriverCompletionFunc: called with its opaque, and 0 or a negative errno.
CompletionFunc = Callable[[Struct, int], None]


class Hang(Exception):
    """Something waits in the event loop and nothing is left that could end the wait."""


@dataclass(eq=False)
class Bh:
    """QEMUBH: runs once, the next time the event loop goes round."""

    run: Callable[[], None]


@dataclass
class AioContext:
    """The event loop: bottom halves, newest first, and what else can happen (``turn``).

    ``turn`` lets one child answer and says whether there was one to answer.
    """

    turn: Callable[[], bool] = lambda: False
    bhs: list[Bh] = field(default_factory=list)
    #: Requests of callers above the driver, oldest first; they can be cancelled.
    callers: list[CoroutineIOCompletion] = field(default_factory=list)
    #: What timers run, when nothing else can happen.
    timers: list[Callable[[], None]] = field(default_factory=list)

    def bh_schedule(self, run: Callable[[], None]) -> None:
        """aio_bh_new() and qemu_bh_schedule(): new ones go to the head of the list."""
        self.bhs.insert(0, Bh(run))

    def bh_poll(self) -> bool:
        """aio_bh_poll(): run those there are now; whether there was any."""
        due = list(self.bhs)
        for bh in due:
            # One that was run by an event loop nested in this one is gone.
            if bh in self.bhs:
                self.bhs.remove(bh)
                bh.run()
        return bool(due)

    def run_timers(self) -> bool:
        """timerlist_run_timers(), when nothing else can happen; whether there was any."""
        due, self.timers = self.timers, []
        for run in due:
            run()
        return bool(due)

    def poll(self) -> None:
        """aio_poll() that may block.

        :raise Hang: when nothing will ever happen.
        """
        if not self.bh_poll() and not self.turn():
            raise Hang


@dataclass(frozen=True)
class AIOCBInfo:
    """AIOCBInfo: how requests of one kind are cancelled.

    :param cancel: ends the request before it returns; its callback need not be called.
    :param cancel_async: asks for an early end; its callback will be called in any case.
    """

    cancel: Callable[[BlockDriverAIOCB], None] | None = None
    cancel_async: Callable[[BlockDriverAIOCB], None] | None = None


class BlockDriverAIOCB(Struct):
    """A request in flight."""

    aiocb_info: Field[AIOCBInfo] = Field(AIOCBInfo())
    bs: Field[BlockDriverState | None] = Field(None)
    cb: Field[CompletionFunc | None] = Field(None)
    opaque: Field[Struct | None] = Field(None)
    refcnt: Field[int] = Field(0)


def qemu_aio_get(
    acb: BlockDriverAIOCB, info: AIOCBInfo, bs: BlockDriverState, cb: CompletionFunc, opaque: Struct
) -> None:
    """qemu_aio_get(): fill in ``acb``, of memory that is not zeroed."""
    acb.aiocb_info = info
    acb.bs = bs
    acb.cb = cb
    acb.opaque = opaque
    acb.refcnt = 1


def aiocb_memory(ledger: Ledger, what: str) -> Block:
    """g_slice_alloc() of an AIOCB: memory as it is found."""
    return ledger.alloc(what, zeroed=False)


def qemu_aio_release(acb: BlockDriverAIOCB) -> None:
    """qemu_aio_release(), qemu_aio_unref() since 8007429a99: free when nobody holds it."""
    acb.refcnt -= 1
    if acb.refcnt == 0:
        acb.ledger.free(acb.home)


def bdrv_aio_cancel(acb: BlockDriverAIOCB | None) -> None:
    """bdrv_aio_cancel(): does not return before the request is over."""
    acb = deref(acb, "acb->aiocb_info")
    cancel = acb.aiocb_info.cancel
    if cancel is not None:
        cancel(acb)
        return
    acb.refcnt += 1
    bdrv_aio_cancel_async(acb)
    while acb.refcnt > 1:
        deref(acb.bs, "acb->bs").world.aio.poll()
    qemu_aio_release(acb)


def bdrv_aio_cancel_async(acb: BlockDriverAIOCB | None) -> None:
    """bdrv_aio_cancel_async(): nothing for a request that cannot be cancelled."""
    acb = deref(acb, "acb->aiocb_info")
    cancel_async = acb.aiocb_info.cancel_async
    if cancel_async is not None:
        cancel_async(acb)


class BlockDriverAIOCBCoroutine(BlockDriverAIOCB):
    """A child's request: a coroutine, and a bottom half that calls back."""

    error: Field[int] = Field(0)
    done: Field[list[bool] | None] = Field(None)


def bdrv_aio_co_cancel_em(acb: BlockDriverAIOCB) -> None:
    """bdrv_aio_co_cancel_em(), until 3acabd685e: wait for the request to end."""
    assert isinstance(acb, BlockDriverAIOCBCoroutine)
    aio = deref(acb.bs, "blockacb->bs").world.aio
    done: list[bool] = []
    acb.done = done
    while not done:
        aio.poll()


_WAITS = AIOCBInfo(cancel=bdrv_aio_co_cancel_em)
_GOES_ON = AIOCBInfo()


def bdrv_co_em_bh(acb: BlockDriverAIOCBCoroutine) -> None:
    """bdrv_co_em_bh(): call back, then let the request go."""
    deref(acb.cb, "acb->common.cb")(deref(acb.opaque, "acb->common.opaque"), acb.error)
    if acb.done is not None:
        acb.done.append(True)
    qemu_aio_release(acb)


def bdrv_co_aio_rw_vector(
    bs: BlockDriverState,
    sector_num: int,
    qiov: QEMUIOVector,
    nb_sectors: int,
    cb: CompletionFunc,
    opaque: Struct,
    is_write: bool,
) -> BlockDriverAIOCB:
    """bdrv_co_aio_rw_vector(): start a coroutine for a child's request."""
    ledger = bs.world.ledger
    acb = BlockDriverAIOCBCoroutine(
        ledger, aiocb_memory(ledger, f"AIOCB of {bs.node_name}"), "acb->", zeroed=False
    )
    info = _GOES_ON if AIOCB_REFCOUNT in bs.world.switches else _WAITS
    qemu_aio_get(acb, info, bs, cb, opaque)
    acb.done = None

    async def bdrv_co_do_rw() -> None:
        offset, bytes_ = sector_num * BDRV_SECTOR_SIZE, nb_sectors * BDRV_SECTOR_SIZE
        if is_write:
            acb.error = await bdrv_co_do_pwritev(bs, offset, bytes_, qiov)
        else:
            acb.error = await bdrv_co_do_preadv(bs, offset, bytes_, qiov)
        bs.world.aio.bh_schedule(lambda: bdrv_co_em_bh(acb))

    Coroutine(bdrv_co_do_rw).enter()
    return acb


class CoroutineIOCompletion(Struct):
    """A caller above the driver, waiting in a coroutine; on its stack.

    ``over`` says how the wait ended: "" while it lasts, "called back" or "cancelled".
    """

    coroutine: Field[Coroutine | None] = Field(None)
    ret: Field[int] = Field(0)
    acb: BlockDriverAIOCB
    over: str = ""


def bdrv_co_io_em_complete(opaque: Struct, ret: int) -> None:
    """bdrv_co_io_em_complete(): the callback; the caller goes on at once, inside it.

    :raise Undefined: when the caller has been called back before, or has gone.
    """
    assert isinstance(opaque, CoroutineIOCompletion)
    if opaque.over:
        twice = opaque.over == "called back"
        kind = "called back twice" if twice else "called back after it was cancelled"
        raise Undefined(kind, "acb->common.cb")
    opaque.over = "called back"
    opaque.ret = ret
    deref(opaque.coroutine, "co->coroutine").enter()


#: A driver's .bdrv_aio_readv or .bdrv_aio_writev, its node and request filled in already.
StartRequest = Callable[[CompletionFunc, Struct], BlockDriverAIOCB]


async def bdrv_co_io_em(bs: BlockDriverState, start: StartRequest) -> int:
    """bdrv_co_io_em(): a driver's request with a callback, waited for in a coroutine."""
    ledger, aio = bs.world.ledger, bs.world.aio
    co = CoroutineIOCompletion(ledger, ledger.alloc("co", zeroed=False), "co->", zeroed=False)
    co.coroutine = qemu_coroutine_self()
    co.acb = start(bdrv_co_io_em_complete, co)
    aio.callers.append(co)
    try:
        await qemu_coroutine_yield()
        return co.ret
    finally:
        aio.callers.remove(co)
        ledger.free(co.home)


def cancel(co: CoroutineIOCompletion) -> None:
    """What one who holds a driver's AIOCB does to be rid of it: bdrv_aio_cancel().

    In the tree of the time nobody does: bdrv_co_io_em() holds it, and waits.  A request that ends
    in its .cancel need not call back, and the caller is gone then; one with .cancel_async must.

    :raise Undefined: when the request is over and did not call back though it had to.
    """
    acb = co.acb
    gone_afterwards = acb.aiocb_info.cancel is not None
    bdrv_aio_cancel(acb)
    if co.over:
        return
    if not gone_afterwards:
        raise Undefined("never called back", "acb->common.cb")
    co.over = "cancelled"
    deref(co.coroutine, "co->coroutine").close()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests with callbacks: called back once, from a bottom half, and what cancelling promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from qsim.block.aio import (
    AIOCBInfo,
    AioContext,
    BlockDriverAIOCB,
    CompletionFunc,
    Hang,
    aiocb_memory,
    bdrv_aio_cancel,
    bdrv_aio_cancel_async,
    bdrv_co_aio_rw_vector,
    bdrv_co_io_em,
    cancel,
    qemu_aio_get,
    qemu_aio_release,
)
from qsim.block.child import Fault, ScriptedChild
from qsim.block.coroutine import Coroutine
from qsim.block.iovec import QEMUIOVector, qemu_iovec_init_buf
from qsim.block.memory import Struct, Undefined
from qsim.block.nbd_2014 import Nbd2014Node
from qsim.block.node import BlockDriverState, World
from qsim.block.sparse import Sparse
from qsim.block.stage import Stage
from qsim.block.switches import AIOCB_REFCOUNT

EIO, EACCES = -5, -13


def undefined(run: Callable[[], object]) -> str:
    """What ends ``run``, without the function it is in."""
    with pytest.raises(Undefined) as caught:
        run()
    return f"{caught.value.kind}: {caught.value.field}"


# The event loop.


def test_bottom_halves_run_newest_first_and_once() -> None:
    aio, story = AioContext(), list[str]()
    for name in "abc":
        aio.bh_schedule(lambda name=name: story.append(name))  # type: ignore[misc]
    assert aio.bh_poll()
    assert story == ["c", "b", "a"]
    assert not aio.bh_poll()
    assert story == ["c", "b", "a"]


def test_one_scheduled_by_another_waits_for_the_next_round() -> None:
    aio, story = AioContext(), list[str]()

    def first() -> None:
        story.append("first")
        aio.bh_schedule(lambda: story.append("second"))

    aio.bh_schedule(first)
    aio.bh_poll()
    assert story == ["first"]
    aio.bh_poll()
    assert story == ["first", "second"]


def test_one_that_ran_in_a_loop_within_the_loop_does_not_run_again() -> None:
    aio, story = AioContext(), list[str]()
    aio.bh_schedule(lambda: story.append("old"))

    def nested() -> None:
        story.append("in")
        aio.bh_poll()
        story.append("out")

    aio.bh_schedule(nested)
    aio.bh_poll()
    assert story == ["in", "old", "out"]
    assert aio.bhs == []


def test_loop_lets_a_child_answer_only_when_no_bottom_half_is_due() -> None:
    story: list[str] = []

    def turn() -> bool:
        story.append("turn")
        return True

    aio = AioContext(turn)
    aio.bh_schedule(lambda: story.append("bottom half"))
    aio.poll()
    assert story == ["bottom half"]
    aio.poll()
    assert story == ["bottom half", "turn"]


def test_loop_in_which_nothing_will_ever_happen_hangs() -> None:
    with pytest.raises(Hang):
        AioContext().poll()


# Requests to a child.


@dataclass
class Child:
    """A node over one child of 4096 bytes, and who was called back with what."""

    refcount: bool = True
    faults: list[Fault] = field(default_factory=list)
    read_only: bool = False

    def __post_init__(self) -> None:
        child = ScriptedChild("c0", Sparse(4096, ord("A")), faults=self.faults)
        child.read_only = self.read_only
        self.stage: Stage[Any] = Stage({"c0": child})
        self.world = World(frozenset({AIOCB_REFCOUNT}) if self.refcount else frozenset())
        self.world.aio.turn = self.answer
        self.bs = Nbd2014Node(self.world, "c0", child, self.stage)
        self.bs.connected()
        self.bs.refresh_total_sectors()
        self.calls: list[tuple[Struct, int]] = []
        ledger = self.world.ledger
        self.opaque = Struct(ledger, ledger.alloc("opaque"), "opaque->", zeroed=True)
        self.buf = ledger.alloc("buf", 512, zeroed=False)

    @property
    def qiov(self) -> QEMUIOVector:
        """The request's buffer."""
        return qemu_iovec_init_buf(self.world.ledger, self.buf, 0, 512)

    def start(self, sector: int = 0, is_write: bool = False) -> BlockDriverAIOCB:
        """bdrv_aio_readv() or bdrv_aio_writev() of one sector."""
        return bdrv_co_aio_rw_vector(
            self.bs, sector, self.qiov, 1, self.called_back, self.opaque, is_write
        )

    def called_back(self, opaque: Struct, ret: int) -> None:
        """The callback."""
        self.calls.append((opaque, ret))

    def answer(self) -> bool:
        """The child completes what it holds first."""
        self.stage.settle()
        gone = self.stage.complete_next()
        for held, reply in gone:
            held.cookie.deliver(reply)
        return bool(gone)

    def memory(self) -> list[str]:
        """What is allocated beside the opaque and the buffer."""
        blocks = self.world.ledger.blocks.values()
        return [block.what for block in blocks if block.what not in ("opaque", "buf")]


def test_request_is_called_back_once_from_a_bottom_half_and_freed_after_it() -> None:
    child = Child()
    child.start()
    assert child.memory() == ["AIOCB of c0"]
    assert child.answer()
    # The data is there; the callback waits for the event loop to go round.
    assert child.qiov.to_bytes() == b"A" * 512
    assert child.calls == []
    assert child.world.aio.bh_poll()
    assert child.calls == [(child.opaque, 0)]
    assert child.memory() == []
    assert not child.world.aio.bh_poll()
    assert not child.answer()
    assert len(child.calls) == 1


def test_request_is_still_there_while_it_is_called_back() -> None:
    child = Child()
    seen: list[int] = []

    def callback(opaque: Struct, ret: int) -> None:
        seen.append(acb.refcnt)

    acb = bdrv_co_aio_rw_vector(child.bs, 0, child.qiov, 1, callback, child.opaque, is_write=False)
    child.answer()
    child.world.aio.bh_poll()
    assert seen == [1]
    assert undefined(lambda: acb.refcnt) == "use after free: acb->refcnt"


def test_error_of_the_child_is_what_the_callback_gets() -> None:
    child = Child(faults=[Fault("read", 5)])
    child.start()
    child.answer()
    child.world.aio.bh_poll()
    assert child.calls == [(child.opaque, EIO)]


@pytest.mark.parametrize("is_write", [False, True])
def test_request_nobody_is_asked_for_calls_back_from_a_bottom_half_too(is_write: bool) -> None:
    child = Child()
    child.buf.unset = None
    child.start(8, is_write)
    assert (child.answer(), child.calls) == (False, [])
    child.world.aio.bh_poll()
    assert child.calls == [(child.opaque, EIO)]


def test_write_to_a_read_only_node_fails_in_the_callback_only() -> None:
    child = Child(read_only=True)
    child.buf.unset = None
    child.start(is_write=True)
    assert child.calls == []
    child.world.aio.bh_poll()
    assert child.calls == [(child.opaque, EACCES)]


def test_write_of_bytes_never_set_is_undefined() -> None:
    assert undefined(lambda: Child().start(is_write=True)) == (
        "use of what was never initialised: buf"
    )


def test_requests_that_end_in_one_round_are_called_back_the_last_first() -> None:
    child = Child()
    order: list[int] = []
    for i in range(3):
        bdrv_co_aio_rw_vector(
            child.bs,
            i,
            child.qiov,
            1,
            lambda opaque, ret, i=i: order.append(i),  # type: ignore[misc]
            child.opaque,
            is_write=False,
        )
    while child.answer():
        pass
    child.world.aio.bh_poll()
    assert order == [2, 1, 0]


@pytest.mark.parametrize("refcount", [False, True])
def test_cancelling_a_child_s_request_waits_until_it_has_called_back(refcount: bool) -> None:
    child = Child(refcount)
    acb = child.start()
    bdrv_aio_cancel(acb)
    assert child.calls == [(child.opaque, 0)]
    assert child.memory() == []
    assert child.world.aio.bhs == []


@pytest.mark.parametrize("refcount", [False, True])
def test_cancelling_a_child_s_request_that_is_over_is_undefined(refcount: bool) -> None:
    child = Child(refcount)
    acb = child.start()
    child.answer()
    child.world.aio.bh_poll()
    for run in (bdrv_aio_cancel, bdrv_aio_cancel_async):
        assert undefined(partial(run, acb)) == "use after free: acb->aiocb_info"


def test_asking_a_child_s_request_to_end_early_changes_nothing() -> None:
    child = Child()
    acb = child.start()
    bdrv_aio_cancel_async(acb)
    assert child.calls == []
    child.answer()
    child.world.aio.bh_poll()
    assert child.calls == [(child.opaque, 0)]


def test_cancelling_no_request_follows_null() -> None:
    for run in (bdrv_aio_cancel, bdrv_aio_cancel_async):
        with pytest.raises(Undefined) as caught:
            run(None)
        assert str(caught.value) == f"null dereference in {run.__name__}(): acb->aiocb_info"


# Requests to a driver, whose caller waits in a coroutine.


class Driver:
    """A driver with one request, which ends when the test says so; its caller waits."""

    def __init__(self, info: AIOCBInfo) -> None:
        self.info = info
        self.bs = BlockDriverState(World(), "q")
        self.ledger = self.bs.world.ledger
        self.aio = self.bs.world.aio
        self.answers: list[int] = []
        self.given_up = False
        self.acb: BlockDriverAIOCB
        self.caller = Coroutine(self._call)
        self.caller.enter()

    async def _call(self) -> None:
        try:
            self.answers.append(await bdrv_co_io_em(self.bs, self._start))
        except GeneratorExit:
            self.given_up = True
            raise

    def _start(self, cb: CompletionFunc, opaque: Struct) -> BlockDriverAIOCB:
        memory = aiocb_memory(self.ledger, "acb")
        self.acb = BlockDriverAIOCB(self.ledger, memory, "acb->", zeroed=False)
        qemu_aio_get(self.acb, self.info, self.bs, cb, opaque)
        return self.acb

    def call_back(self, ret: int = 0) -> None:
        """The request is over, and still there."""
        assert self.acb.cb is not None and self.acb.opaque is not None
        self.acb.cb(self.acb.opaque, ret)

    def end(self, ret: int = 0) -> None:
        """The request is over and gone."""
        self.call_back(ret)
        qemu_aio_release(self.acb)

    def cancel(self) -> None:
        """Whoever holds the request cancels it."""
        (co,) = self.aio.callers
        cancel(co)


def lets_go(acb: BlockDriverAIOCB) -> None:
    """A .cancel, or a .cancel_async against its contract, that frees the request unanswered."""
    qemu_aio_release(acb)


def answers(acb: BlockDriverAIOCB) -> None:
    """One that ends the request at once, its callback called."""
    assert acb.cb is not None and acb.opaque is not None
    acb.cb(acb.opaque, EIO)
    qemu_aio_release(acb)


@pytest.mark.parametrize("ret", [0, EIO])
def test_caller_gets_what_the_callback_brings_and_only_then(ret: int) -> None:
    driver = Driver(AIOCBInfo())
    assert (driver.answers, driver.caller.done) == ([], False)
    driver.end(ret)
    assert (driver.answers, driver.caller.done) == ([ret], True)
    assert driver.ledger.leaks() == []
    assert driver.aio.callers == []


def test_callers_are_known_while_they_wait_oldest_first() -> None:
    bs = BlockDriverState(World(), "q")
    started: list[BlockDriverAIOCB] = []

    def start(cb: CompletionFunc, opaque: Struct) -> BlockDriverAIOCB:
        memory = aiocb_memory(bs.world.ledger, "acb")
        acb = BlockDriverAIOCB(bs.world.ledger, memory, "acb->", zeroed=False)
        qemu_aio_get(acb, AIOCBInfo(), bs, cb, opaque)
        started.append(acb)
        return acb

    async def call() -> None:
        await bdrv_co_io_em(bs, start)

    for _ in range(3):
        Coroutine(call).enter()
    assert [co.acb for co in bs.world.aio.callers] == started
    middle = started[1]
    assert middle.cb is not None and middle.opaque is not None
    middle.cb(middle.opaque, 0)
    assert [co.acb for co in bs.world.aio.callers] == [started[0], started[2]]


def test_second_callback_is_undefined() -> None:
    driver = Driver(AIOCBInfo())
    driver.call_back()
    assert undefined(driver.call_back) == "called back twice: acb->common.cb"
    assert driver.answers == [0]


def test_cancel_need_not_call_back_and_then_the_caller_is_gone() -> None:
    driver = Driver(AIOCBInfo(cancel=lets_go))
    driver.cancel()
    assert (driver.answers, driver.given_up, driver.caller.done) == ([], True, True)
    assert driver.aio.callers == []
    assert driver.ledger.leaks() == []


def test_cancel_may_call_back_and_then_the_caller_is_answered() -> None:
    driver = Driver(AIOCBInfo(cancel=answers))
    driver.cancel()
    assert (driver.answers, driver.given_up) == ([EIO], False)
    assert driver.ledger.leaks() == []


def test_callback_after_a_cancel_that_did_not_call_back_is_undefined() -> None:
    driver = Driver(AIOCBInfo(cancel=lambda acb: None))
    driver.cancel()
    assert undefined(driver.call_back) == "called back after it was cancelled: acb->common.cb"
    assert driver.answers == []


def test_cancel_async_must_call_back() -> None:
    driver = Driver(AIOCBInfo(cancel_async=lets_go))
    assert undefined(driver.cancel) == "never called back: acb->common.cb"


def test_cancel_async_that_calls_back_is_as_it_should_be() -> None:
    driver = Driver(AIOCBInfo(cancel_async=answers))
    driver.cancel()
    assert (driver.answers, driver.given_up) == ([EIO], False)
    assert driver.ledger.leaks() == []


@pytest.mark.parametrize("cancel_async", [None, lambda acb: None])
def test_cancelling_waits_for_the_callback_where_the_driver_does_not_hurry(
    cancel_async: Callable[[BlockDriverAIOCB], None] | None,
) -> None:
    driver = Driver(AIOCBInfo(cancel_async=cancel_async))
    turns: list[int] = []

    def turn() -> bool:
        turns.append(driver.acb.refcnt)
        if len(turns) == 3:
            driver.end(EIO)
        return True

    driver.aio.turn = turn
    driver.cancel()
    # Counted once for the driver and once for whoever cancels, until the driver lets go.
    assert turns == [2, 2, 2]
    assert driver.answers == [EIO]
    assert driver.ledger.leaks() == []


def test_cancelling_asks_once_and_waits_until_nobody_else_holds_the_request() -> None:
    asked: list[BlockDriverAIOCB] = []
    driver = Driver(AIOCBInfo(cancel_async=asked.append))
    # Called back, but held by one more for a while.
    driver.acb.refcnt += 1
    steps = [driver.end, lambda: qemu_aio_release(driver.acb)]

    def turn() -> bool:
        steps.pop(0)()
        return True

    driver.aio.turn = turn
    driver.cancel()
    assert (asked, steps, driver.answers) == ([driver.acb], [], [0])
    assert driver.ledger.leaks() == []


def test_cancelling_what_never_ends_hangs() -> None:
    driver = Driver(AIOCBInfo())
    with pytest.raises(Hang):
        driver.cancel()


def test_cancel_of_the_driver_is_not_waited_for() -> None:
    driver = Driver(AIOCBInfo(cancel=lets_go))

    def turn() -> bool:
        raise AssertionError("the event loop went round")

    driver.aio.turn = turn
    driver.cancel()


def test_request_freed_while_somebody_waits_in_cancel_is_undefined() -> None:
    driver = Driver(AIOCBInfo(cancel_async=lambda acb: acb.ledger.free(acb.home)))
    assert undefined(driver.cancel) == "use after free: acb->refcnt"


def test_memory_of_a_request_is_as_it_is_found() -> None:
    ledger = World().ledger
    acb = BlockDriverAIOCB(ledger, aiocb_memory(ledger, "acb"), "acb->", zeroed=False)
    for name in ("aiocb_info", "bs", "cb", "opaque", "refcnt"):
        run = lambda name=name: getattr(acb, name)  # noqa: E731
        assert undefined(run) == f"use of what was never initialised: acb->{name}"
    qemu_aio_get(acb, AIOCBInfo(), BlockDriverState(World(), "q"), lambda opaque, ret: None, acb)
    assert acb.refcnt == 1


def test_request_counted_down_to_nobody_is_freed_once() -> None:
    driver = Driver(AIOCBInfo())
    driver.acb.refcnt += 1
    qemu_aio_release(driver.acb)
    assert driver.acb.refcnt == 1
    qemu_aio_release(driver.acb)
    assert undefined(lambda: qemu_aio_release(driver.acb)) == "use after free: acb->refcnt"

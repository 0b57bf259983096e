# SPDX-License-Identifier: GPL-2.0-or-later
"""What a mirror has on its way, and who waits for whom (block/mirror.c MirrorOp, 7.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qsim.block.coroutine import (
    Coroutine,
    aio_co_wake,
    qemu_coroutine_self,
    qemu_coroutine_yield,
)
from qsim.block.memory import Ledger

if TYPE_CHECKING:
    from qsim.block.mirror import MirrorBlockJob


@dataclass(eq=False)
class MirrorOp:
    """MirrorOp: a part that is being copied, or written by the guest (``is_active_write``)."""

    offset: int
    bytes: int
    is_pseudo_op: bool = False
    is_active_write: bool = False
    is_in_flight: bool = False
    waiting_for_op: MirrorOp | None = None
    waiting_requests: list[Coroutine] = field(default_factory=list)

    async def wait(self) -> None:
        """qemu_co_queue_wait(): until it is over."""
        self.waiting_requests.append(qemu_coroutine_self())
        await qemu_coroutine_yield()

    def over(self) -> None:
        """qemu_co_queue_restart_all()."""
        waiting, self.waiting_requests = self.waiting_requests, []
        for coroutine in waiting:
            aio_co_wake(coroutine)


class InFlightBitmap:
    """in_flight_bitmap: the chunks that are on their way, in memory of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._block = ledger.alloc("s->in_flight_bitmap")
        self._chunks: set[int] = set()

    @property
    def chunks(self) -> set[int]:
        """The chunks, to be read or changed.

        :raise Undefined: when the job has freed it.
        """
        self._ledger.use(self._block)
        return self._chunks

    def free(self) -> None:
        """g_free()."""
        self._ledger.free(self._block)


async def mirror_wait_on_conflicts(
    me: MirrorOp | None, s: MirrorBlockJob, offset: int, bytes_: int
) -> None:
    """mirror_wait_on_conflicts(): until nothing is in flight where ``me`` will be."""
    mine = set(s.chunks(offset, bytes_))
    while mine & s.in_flight_bitmap.chunks and s.ret >= 0:
        for op in s.ops_in_flight:
            if op is me or mine.isdisjoint(s.chunks(op.offset, op.bytes)):
                continue
            if me is not None:
                if op.waiting_for_op is not None:
                    continue
                me.waiting_for_op = op
            await op.wait()
            if me is not None:
                me.waiting_for_op = None
            break


async def active_write_prepare(s: MirrorBlockJob, offset: int, bytes_: int) -> MirrorOp:
    """active_write_prepare(): a guest's write waits for what is being copied where it goes."""
    op = MirrorOp(offset, bytes_, is_active_write=True, is_in_flight=True)
    s.ops_in_flight.append(op)
    await mirror_wait_on_conflicts(op, s, offset, bytes_)
    s.in_flight_bitmap.chunks.update(s.chunks(offset, bytes_))
    return op


def active_write_settle(s: MirrorBlockJob, op: MirrorOp) -> None:
    """active_write_settle()."""
    s.in_flight_bitmap.chunks.difference_update(s.chunks(op.offset, op.bytes))
    s.ops_in_flight.remove(op)
    op.over()

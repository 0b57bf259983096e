# SPDX-License-Identifier: GPL-2.0-or-later
"""How QEMU's NBD client hands replies to the requests in flight on one connection.

There is no reader of its own: of the requests that wait, one holds ``receive_mutex`` and reads,
for itself or for others.  With several in flight this shows: a request that has read its own
reply needs the mutex once more to end, and waits while the next reader, who was handed it, waits
for a reply to come (block/nbd.c nbd_receive_replies(), nbd_recv_coroutines_wake(); 7.2 and 10.0).
5.2 had a reader, which waits for the request it wakes (nbd_connection_entry()).  In 11.1, whose
source was not at hand, whoever comes when nobody reads is the reader, and none waits to end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from qsim.block.child import Reply
from qsim.block.coroutine import (
    CoMutex,
    Coroutine,
    aio_co_wake,
    qemu_coroutine_self,
    qemu_coroutine_yield,
)
from qsim.block.switches import NBD_READER, NBD_REPLY_AT_ONCE, Switch

MAX_NBD_REQUESTS = 16
DEAD = Reply(dead=True)


@dataclass(eq=False)
class Pending:
    """A request on its way (NBDClientRequest); ``deliver`` is its reply arriving."""

    connection: NbdConnection
    coroutine: Coroutine
    receiving: bool = False

    def deliver(self, reply: Reply) -> None:
        """The reply is on the socket: whoever reads there goes on."""
        self.connection.arrived(self, reply)


class NbdConnection:
    """One connection and its requests in flight."""

    def __init__(self) -> None:
        self._requests: list[Pending | None] = [None] * MAX_NBD_REQUESTS
        self._mutex = CoMutex()
        self._current: tuple[Pending, Reply] | None = None
        self._inbox: list[tuple[Pending, Reply]] = []
        self._end = False
        self._reader: Coroutine | None = None
        #: Those that wait for a place (free_sema).
        self._queue: list[Coroutine] = []

    @property
    def in_flight(self) -> int:
        """How many requests have no reply yet."""
        return MAX_NBD_REQUESTS - self._requests.count(None)

    async def send(self, gone: Callable[[], bool], waits: bool) -> Pending | None:
        """nbd_co_send_request(): the first free place is taken.

        :param gone: whether the connection is; then there is no request.
        :param waits: whether it is known only when nothing is in flight any more, as connecting
            again is tried first.
        """
        while self.in_flight == MAX_NBD_REQUESTS or (waits and gone() and self.in_flight):
            self._queue.append(qemu_coroutine_self())
            await qemu_coroutine_yield()
        if gone():
            self._next()
            return None
        pending = Pending(self, qemu_coroutine_self())
        self._requests[self._requests.index(None)] = pending
        return pending

    def _ended(self, pending: Pending) -> None:
        """A request has its reply: its place is free."""
        self._requests[self._requests.index(pending)] = None
        self._next()

    def _next(self) -> None:
        if self._queue:
            aio_co_wake(self._queue.pop(0))

    def arrived(self, pending: Pending, reply: Reply) -> None:
        """A reply, or the end of the connection, can be read."""
        if reply.dead:
            self._end = True
        else:
            self._inbox.append((pending, reply))
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.enter()

    async def receive(self, pending: Pending) -> Reply:
        """nbd_co_receive_one_chunk(): the reply to ``pending``, dead at the connection's end."""
        reply = await self._receive_replies(pending)
        self._current = None
        await self._mutex.lock()
        for request in self._requests:
            if request is not None and self._wake_one(request):
                break
        self._mutex.unlock()
        self._ended(pending)
        return reply

    async def _receive_replies(self, pending: Pending) -> Reply:
        """nbd_receive_replies()."""
        await self._mutex.lock()
        while True:
            if self._current is not None:
                if self._current[0] is pending:
                    self._mutex.unlock()
                    return self._current[1]
                pending.receiving = True
                self._mutex.unlock()
                await qemu_coroutine_yield()
                await self._mutex.lock()
                continue
            while not self._inbox and not self._end:
                self._reader = qemu_coroutine_self()
                await qemu_coroutine_yield()
            if not self._inbox:
                self._mutex.unlock()
                return DEAD
            self._current = self._inbox.pop(0)
            if self._current[0] is not pending:
                self._wake_one(self._current[0])

    @staticmethod
    def _wake_one(request: Pending) -> bool:
        """nbd_recv_coroutine_wake_one()."""
        if not request.receiving:
            return False
        request.receiving = False
        aio_co_wake(request.coroutine)
        return True


class FreeConnection(NbdConnection):
    """The same in 11.1, by what 11.1.3 does: who reads holds nothing that others wait for.

    Whoever ends, or goes on with its next request, wakes the one with the first place of those
    that wait, which runs later: by then another may be the reader.
    """

    def __init__(self) -> None:
        super().__init__()
        self._read = False

    async def receive(self, pending: Pending) -> Reply:
        """The reply to ``pending``, dead at the connection's end."""
        while self._current is None or self._current[0] is not pending:
            if self._current is not None or self._read:
                pending.receiving = True
                await qemu_coroutine_yield()
                continue
            self._read = True
            while not self._inbox and not self._end:
                self._reader = qemu_coroutine_self()
                await qemu_coroutine_yield()
            self._read = False
            self._current = self._inbox.pop(0) if self._inbox else (pending, DEAD)
            if self._current[0] is not pending:
                self._wake_one(self._current[0])
        reply, self._current = self._current[1], None
        any(self._wake_one(request) for request in self._requests if request is not None)
        self._ended(pending)
        return reply


class DirectConnection(NbdConnection):
    """The same up to 5.2: one coroutine reads, and a reply read is passed on at once."""

    def __init__(self) -> None:
        super().__init__()
        self._replies: dict[int, Reply] = {}

    def arrived(self, pending: Pending, reply: Reply) -> None:
        """A reply, or the end of the connection, can be read."""
        # The end of the connection is the end of all, by their places.
        over = [one for one in self._requests if one is not None] if reply.dead else [pending]
        for one in over:
            self._replies[id(one)] = reply
            one.coroutine.enter()

    async def receive(self, pending: Pending) -> Reply:
        """The reply to ``pending``, dead at the connection's end."""
        await qemu_coroutine_yield()
        self._ended(pending)
        return self._replies.pop(id(pending))


def connection_of(switches: Collection[Switch]) -> NbdConnection:
    """The connection of a release."""
    if NBD_READER in switches:
        return DirectConnection()
    return FreeConnection() if NBD_REPLY_AT_ONCE in switches else NbdConnection()

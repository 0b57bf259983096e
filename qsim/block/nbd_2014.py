# SPDX-License-Identifier: GPL-2.0-or-later
"""A node over a scripted child: QEMU's NBD client of 2014 (block/nbd-client.c at a9db86b223).

Reads, writes and flushes are all it has.  The wire is read when a reply is there, by the request
it is for: no request waits for another's.
"""

from __future__ import annotations

from qsim.block.child import Reply, Request, ScriptedChild
from qsim.block.coroutine import Coroutine, qemu_coroutine_self, qemu_coroutine_yield
from qsim.block.errno import nbd_errno_to_system_errno, number
from qsim.block.flags import Req
from qsim.block.iovec import QEMUIOVector, qemu_iovec_init_slice
from qsim.block.node import BlockDriverState, World
from qsim.block.stage import Stage
from qsim.block.switches import NBD_FEW_ERRNOS, NBD_GONE_IS_EBADF

#: The longest request, in bytes (NBD_MAX_SECTORS, in sectors).
NBD_MAX_BYTES = 2040 * 512


class Waiting:
    """A request on the wire; ``deliver`` is its reply arriving (nbd_reply_ready())."""

    def __init__(self) -> None:
        self._coroutine: Coroutine = qemu_coroutine_self()
        self.reply: Reply | None = None

    def deliver(self, reply: Reply) -> None:
        """The reply is on the socket: its coroutine goes on."""
        self.reply = reply
        self._coroutine.enter()


def nbd_co_send_request(
    stage: Stage[Waiting], child: ScriptedChild, request: Request
) -> Waiting | None:
    """nbd_co_send_request(): None when the connection is gone."""
    if child.dead:
        return None
    waiting = Waiting()
    stage.arrive(request, waiting)
    return waiting


async def nbd_co_receive_reply(
    waiting: Waiting, qiov: QEMUIOVector | None, offset: int = 0, length: int = 0
) -> int:
    """nbd_co_receive_reply(): wait, then read the data straight into its part of ``qiov``."""
    await qemu_coroutine_yield()
    reply = waiting.reply
    assert reply is not None
    if reply.dead:
        return -number("EIO")
    if qiov is not None and not reply.errno:
        qiov.use()
        qemu_iovec_init_slice(qiov, offset, length).from_bytes(reply.data)
    return -reply.errno


class Nbd2014Node(BlockDriverState):
    """The leaf of the graph in 2014."""

    driver = "nbd"

    def __init__(
        self, world: World, node_name: str, child: ScriptedChild, stage: Stage[Waiting]
    ) -> None:
        super().__init__(world, node_name)
        self.child = child
        self.stage = stage

    def connected(self) -> None:
        """The flags of the export: who may not write there only hears of it from requests."""
        self.read_only = self.read_only or self.child.read_only

    async def _request(
        self, request: Request, qiov: QEMUIOVector | None = None, done: int = 0
    ) -> int:
        """nbd_co_readv_1() and its like: 0 or a negative errno."""
        waiting = nbd_co_send_request(self.stage, self.child, request)
        if waiting is None:
            gone = "EBADF" if NBD_GONE_IS_EBADF in self.world.switches else "EPERM"
            return -number(gone)
        ret = await nbd_co_receive_reply(waiting, qiov, done, request.bytes)
        if NBD_FEW_ERRNOS in self.world.switches:
            return -nbd_errno_to_system_errno(-ret)
        return ret

    async def co_preadv(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """nbd_client_session_co_readv(): in pieces of 2040 sectors."""
        done = 0
        while True:
            num = min(bytes_ - done, NBD_MAX_BYTES)
            request = Request(self.child.name, "read", offset + done, num)
            ret = await self._request(request, qiov, done)
            done += num
            if ret < 0 or done == bytes_:
                return ret

    async def co_pwritev(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """nbd_client_session_co_writev(): in pieces of 2040 sectors."""
        done = 0
        while True:
            num = min(bytes_ - done, NBD_MAX_BYTES)
            data = qemu_iovec_init_slice(qiov, done, num).to_bytes()
            ret = await self._request(
                Request(self.child.name, "write", offset + done, num, (), data)
            )
            done += num
            if ret < 0 or done == bytes_:
                return ret

    async def co_flush(self) -> int:
        """nbd_client_session_co_flush(): the flush itself carries FUA where the server has it."""
        if "flush" not in self.child.features:
            return 0
        wire = ("fua",) if "fua" in self.child.features else ()
        return await self._request(Request(self.child.name, "flush", flags=wire))

    def full_open_options(self) -> dict[str, object]:
        """nbd_refresh_filename(): the socket, which is the harness's own."""
        return {"driver": "nbd"}

    def getlength(self) -> int:
        """nbd_getlength(): what the server said at the handshake."""
        return self.child.size

    def gather_child_options(self, target: dict[str, object]) -> None:
        """A leaf has no children."""

# SPDX-License-Identifier: GPL-2.0-or-later
"""A node over a scripted child: QEMU's NBD client, without the wire (block/nbd.c, 7.2)."""

from __future__ import annotations

from qsim.block.child import Reply, Request, ScriptedChild
from qsim.block.errno import number
from qsim.block.error import QmpError
from qsim.block.flags import Perm, Req, Status
from qsim.block.io import align_down
from qsim.block.iovec import QEMUIOVector
from qsim.block.nbd_connection import Pending, connection_of
from qsim.block.node import BlockDriverState, Limits, World, with_errno
from qsim.block.stage import Stage
from qsim.block.switches import NBD_GONE_WAITS, READ_ONLY_UNTOLD

#: The largest request NBD carries (include/block/nbd.h NBD_MAX_BUFFER_SIZE), in bytes.
NBD_MAX_BUFFER_SIZE = 32 * 1024 * 1024
INT_MAX = 0x7FFFFFFF


class NbdNode(BlockDriverState):
    """The leaf of the graph.  Several nodes can lead to one scripted child."""

    driver = "nbd"
    has_pwrite_zeroes = True
    strong_runtime_opts = ("path", "host", "port", "export", "tls-creds", "tls-hostname", "server")

    def __init__(
        self, world: World, node_name: str, child: ScriptedChild, stage: Stage[Pending]
    ) -> None:
        super().__init__(world, node_name)
        self.child = child
        self.stage = stage
        self.connection = connection_of(world.switches)
        self._data_cache: tuple[int, int] | None = None
        features = child.features
        if "fua" in features:
            self.supported_write_flags = Req.FUA
            self.supported_zero_flags |= Req.FUA
        if "write-zeroes" in features:
            self.supported_zero_flags |= Req.MAY_UNMAP
            if "fast-zero" in features:
                self.supported_zero_flags |= Req.NO_FALLBACK
        self.limits = Limits(
            request_alignment=child.block_size,
            max_transfer=NBD_MAX_BUFFER_SIZE,
            max_pwrite_zeroes=NBD_MAX_BUFFER_SIZE,
        )

    def connected(self) -> None:
        """nbd_handle_updated_info(): a read-only export, and bdrv_apply_auto_read_only().

        :raise QmpError: when the node was to be written.
        """
        if not self.child.read_only or self.read_only:
            return
        if not self.auto_read_only:
            untold = READ_ONLY_UNTOLD in self.world.switches
            text = with_errno("Could not open image", number("EACCES"))
            raise QmpError(text if untold else "NBD export is read-only", -number("EACCES"))
        self.read_only = True

    async def _request(
        self,
        op: str,
        offset: int = 0,
        bytes_: int = 0,
        flags: tuple[str, ...] = (),
        data: bytes | None = None,
    ) -> Reply:
        """nbd_co_request(): send, wait for the reply; a dead connection is EIO."""
        waits = NBD_GONE_WAITS in self.world.switches
        pending = await self.connection.send(lambda: self.child.dead, waits)
        if pending is None:
            return Reply(errno=number("EIO"))
        self.stage.arrive(Request(self.child.name, op, offset, bytes_, flags, data), pending)
        reply = await self.connection.receive(pending)
        return Reply(errno=number("EIO")) if reply.dead else reply

    async def co_preadv(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """nbd_client_co_preadv()."""
        if not bytes_:
            return 0
        reply = await self._request("read", offset, bytes_)
        if reply.errno:
            return -reply.errno
        qiov.from_bytes(reply.data)
        return 0

    async def co_pwritev(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """nbd_client_co_pwritev()."""
        if not bytes_:
            return 0
        wire = ("fua",) if flags & Req.FUA else ()
        reply = await self._request("write", offset, bytes_, wire, qiov.to_bytes())
        return -reply.errno

    async def co_pwrite_zeroes(self, offset: int, bytes_: int, flags: Req) -> int:
        """nbd_client_co_pwrite_zeroes(): MAY_UNMAP is the absence of NO_HOLE on the wire."""
        if "write-zeroes" not in self.child.features:
            return -number("ENOTSUP")
        wire = []
        if flags & Req.FUA:
            wire.append("fua")
        if not flags & Req.MAY_UNMAP:
            wire.append("no-hole")
        if flags & Req.NO_FALLBACK:
            wire.append("fast-zero")
        if not bytes_:
            return 0
        reply = await self._request("write-zeroes", offset, bytes_, tuple(wire))
        return -reply.errno

    async def co_flush(self) -> int:
        """nbd_client_co_flush()."""
        if "flush" not in self.child.features:
            return 0
        return -(await self._request("flush")).errno

    async def co_block_status(
        self, want_zero: bool, offset: int, bytes_: int
    ) -> tuple[int, Status, int]:
        """nbd_client_co_block_status(), behind the block layer's cache of one data region."""
        if self._data_cache and self._data_cache[0] <= offset < self._data_cache[1]:
            return 0, Status.DATA, self._data_cache[1] - offset
        if "block-status" not in self.child.features:
            status, pnum = Status.DATA, bytes_
        else:
            length = min(align_down(INT_MAX, self.limits.request_alignment), bytes_)
            reply = await self._request("block-status", offset, length)
            if reply.errno:
                return -reply.errno, Status.NONE, 0
            assert reply.extent is not None
            status = Status.NONE if reply.extent.hole else Status.DATA
            if reply.extent.zero:
                status |= Status.ZERO
            pnum = reply.extent.bytes
        if want_zero and status == Status.DATA:
            self._data_cache = (offset, offset + pnum)
        return 0, status, pnum

    def bsc_invalidate_range(self, offset: int, bytes_: int) -> None:
        """bdrv_bsc_invalidate_range(): zeroes were written over the cached region."""
        cache = self._data_cache
        if cache and cache[0] < offset + bytes_ and offset < cache[1]:
            self._data_cache = None

    def getlength(self) -> int:
        """nbd_getlength(): what the server said at the handshake."""
        return self.child.size

    def child_perm(self, perm: Perm, shared: Perm) -> tuple[Perm, Perm]:
        """A leaf has no children."""
        raise AssertionError("nbd nodes have no children")

    def gather_child_options(self, target: dict[str, object]) -> None:
        """A leaf has no children."""

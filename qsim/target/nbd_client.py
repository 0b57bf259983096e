# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest: an NBD client to a node that QEMU exports.

The whole negotiation is sent before the greeting has been read, so that a connection costs one
round trip.  Section names are those of the NBD protocol document (``doc/proto.md``).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial

from qsim.block.child import Extent
from qsim.target import nbd_proto as nbd
from qsim.target.nbd_proto import Chunk, Cmd, CmdFlag, Handshake, Info, Opt, Rep, Transmission
from qsim.target.nbd_wire import Parser, Wire

# More than any reply this client asks for; a longer one is rubbish, not worth buffering.
_MAX_REPLY = nbd.MAX_PAYLOAD + 4096
# The heads of replies without their magic, which says which of the two it is.
_SIMPLE_REST = struct.Struct(">IQ")
_CHUNK_REST = struct.Struct(">HHQI")
# How many turns of the event loop ping() takes before it sleeps; about a millisecond.
_SPINS = 100
_HOLE_SIZE = nbd.HOLE_PAYLOAD.size


class NbdConnectionLost(nbd.NbdError):
    """The connection ended while something was still expected of it."""


class NbdRefused(nbd.NbdError):
    """The server has refused the export; the text is its own."""


class NbdTimeoutError(nbd.NbdError, TimeoutError):
    """The server kept silent for too long; the text says what was waited for."""


@dataclass(frozen=True)
class GuestReply:
    """What came back for a request.  ``errno`` 0 is success.

    ``data`` is what a successful read returned, ``extents`` what block status told.
    """

    errno: int
    data: bytes = b""
    extents: tuple[Extent, ...] = ()


@dataclass(eq=False, slots=True)
class _Pending:
    """A request in flight and what has arrived of its reply."""

    cmd: int
    offset: int
    length: int
    future: asyncio.Future[GuestReply]
    errno: int = 0
    data: bytes | None = None
    extents: tuple[Extent, ...] = field(default=())


class GuestConnection(Wire):
    """A connection to one export; made by :meth:`connect`."""

    def __init__(self, export: str) -> None:
        super().__init__()
        self.export = export
        #: The export's size in bytes.
        self.size = 0
        #: Transmission flags (:class:`~qsim.target.nbd_proto.Transmission`).
        self.flags = 0
        #: Minimum, preferred and maximum block size in bytes, if the server has stated them.
        self.block_sizes: tuple[int, int, int] | None = None
        #: Whether block status can be asked for.
        self.has_status = False
        self._structured = False
        self._context = 0
        self._waits_for = "the greeting"
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending: dict[int, _Pending] = {}
        self._cookie = 0
        self._failure: nbd.NbdError | None = None

    @classmethod
    async def connect(cls, path: str, export: str, timeout_s: float) -> GuestConnection:
        """Connect to ``export`` on the UNIX socket at ``path``.

        :raise OSError: if there is nobody at ``path``.
        :raise NbdRefused: if the server has no such export, or does not want to serve it.
        :raise NbdProtocolError: if what answers does not speak fixed newstyle NBD.
        :raise NbdConnectionLost: if the server hangs up.
        :raise NbdTimeout: after ``timeout_s`` seconds.
        """
        loop = asyncio.get_running_loop()
        waits_for = "a connection"
        self: GuestConnection | None = None
        try:
            async with asyncio.timeout(timeout_s):
                _, self = await loop.create_unix_connection(partial(cls, export), path)
                await self._ready
        except BaseException as error:
            if self is not None:
                waits_for = self._waits_for
                self.abort()
            if isinstance(error, TimeoutError):
                text = f"waited {timeout_s} s for {waits_for} (export {export!r} at {path})"
                raise NbdTimeoutError(text) from None
            raise
        return self

    def submit(
        self,
        op: str,
        offset: int = 0,
        bytes_: int = 0,
        data: bytes | None = None,
        flags: tuple[str, ...] = (),
    ) -> asyncio.Future[GuestReply]:
        """Send a request now; the future has its reply.

        Reads carry DF, so that QEMU passes them on as they are instead of asking block status
        first; block status carries REQ_ONE.  On a connection that is gone, or goes before the
        reply is there, the future raises :class:`NbdConnectionLost`, and
        :class:`NbdProtocolError` if that was for rubbish the server has sent.

        :param op: one of :data:`qsim.block.child.OPS`.
        :param offset: in bytes.
        :param bytes_: the length in bytes.
        :param data: what to write, ``bytes_`` long; only for writes.
        :param flags: some of :data:`qsim.block.child.FLAGS`.
        :raise ValueError: for an unknown operation or flag, data that does not fit the request,
            a read or write over 32 MiB, or block status that was not negotiated.
        """
        if op not in nbd.CMD_OF_OP or not set(flags) <= nbd.CMD_FLAG_OF_NAME.keys():
            raise ValueError(f"unknown operation or flag: {op} {' '.join(flags)}")
        cmd = nbd.CMD_OF_OP[op]
        if (len(data) if data is not None else None) != (bytes_ if op == "write" else None):
            raise ValueError(f"{op} of {bytes_} bytes with data that does not fit it")
        if op in ("read", "write") and bytes_ > nbd.MAX_PAYLOAD:
            raise ValueError(f"{op} of {bytes_} bytes, NBD takes {nbd.MAX_PAYLOAD}")
        if op == "block-status" and not self.has_status:
            raise ValueError("block status was not negotiated")
        bits: int = sum(nbd.CMD_FLAG_OF_NAME[name] for name in set(flags))
        if cmd == Cmd.READ and self.flags & Transmission.SEND_DF:
            bits |= CmdFlag.DF
        elif cmd == Cmd.BLOCK_STATUS:
            bits |= CmdFlag.REQ_ONE
        future: asyncio.Future[GuestReply] = asyncio.get_running_loop().create_future()
        if self.deaf:
            future.set_exception(self._failure or NbdConnectionLost(f"{self}: is closed"))
            return future
        self._cookie += 1
        self._pending[self._cookie] = _Pending(cmd, offset, bytes_, future)
        head = nbd.REQUEST.pack(nbd.REQUEST_MAGIC, bits, cmd, self._cookie, offset, bytes_)
        self.transport.write(head + data if data else head)
        return future

    def close(self) -> None:
        """Say goodbye (NBD_CMD_DISC) and close; replies not there yet are lost."""
        if not self.deaf:
            self.transport.write(nbd.REQUEST.pack(nbd.REQUEST_MAGIC, 0, Cmd.DISC, 0, 0, 0))
        self.deaf = True
        self.transport.close()

    def abort(self) -> None:
        """Close without a goodbye, as a guest that crashes."""
        self.deaf = True
        self.transport.abort()

    def __str__(self) -> str:
        return f"guest of {self.export!r}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send all that has to be said before the export can be used (asyncio)."""
        super().connection_made(transport)
        flags = Handshake.FIXED_NEWSTYLE | Handshake.NO_ZEROES
        contexts = nbd.pack_contexts(self.export, [nbd.BASE_ALLOCATION])
        go = nbd.pack_go(self.export, [Info.BLOCK_SIZE])
        self.transport.write(
            nbd.U32.pack(flags)
            + nbd.option(Opt.STRUCTURED_REPLY)
            + nbd.option(Opt.SET_META_CONTEXT, contexts)
            + nbd.option(Opt.GO, go)
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is still expected (asyncio)."""
        super().connection_lost(exc)
        why = f" ({exc})" if exc else ""
        if not self._ready.done():
            text = f"{self}: connection lost, waiting for {self._waits_for}{why}"
            self._ready.set_exception(self._failure or NbdConnectionLost(text))
        pending, self._pending = self._pending, {}
        for cookie, request in pending.items():
            if not request.future.done():
                text = (
                    f"{self}: connection lost with {len(pending)} in flight, among them "
                    f"request {cookie}: {Cmd(request.cmd).name} "
                    f"{request.offset} {request.length}{why}"
                )
                request.future.set_exception(self._failure or NbdConnectionLost(text))

    def rubbish(self, error: nbd.NbdProtocolError) -> None:
        """Keep what was wrong, for whoever waits and whoever asks later."""
        self._failure = nbd.NbdProtocolError(f"{self}: {error}")

    def parser(self) -> Parser:
        """A whole connection: greeting, replies to the options, replies to requests."""
        magic, option_magic, flags = nbd.GREETING.unpack((yield nbd.GREETING.size))
        if (magic, option_magic) != (nbd.MAGIC, nbd.OPTION_MAGIC):
            raise nbd.NbdProtocolError("the greeting is not that of newstyle NBD")
        if not flags & Handshake.FIXED_NEWSTYLE:
            raise nbd.NbdProtocolError("the server does not speak fixed newstyle")
        for opt in (Opt.STRUCTURED_REPLY, Opt.SET_META_CONTEXT, Opt.GO):
            self._waits_for = f"the reply to NBD_OPT_{opt.name}"
            refusal = yield from self._option_replies(opt)
            if opt == Opt.STRUCTURED_REPLY:
                self._structured = refusal is None
            elif opt == Opt.GO and refusal is not None:
                self._failure = NbdRefused(refusal)
                # QEMU complains on its stderr about those who leave without it.
                self.transport.write(nbd.option(Opt.ABORT))
                return
        if not self._ready.done():
            self._ready.set_result(None)
        while True:
            (magic,) = nbd.U32.unpack((yield nbd.U32.size))
            if magic == nbd.SIMPLE_REPLY_MAGIC:
                yield from self._simple_reply()
            elif magic == nbd.CHUNK_MAGIC and self._structured:
                yield from self._chunk()
            else:
                raise nbd.NbdProtocolError(f"bad reply magic {magic:#010x}")

    def _option_replies(self, expected: Opt) -> Generator[int, bytes, str | None]:
        """All replies to one option; the refusal's text if it was refused."""
        while True:
            magic, opt, kind, length = nbd.OPTION_REPLY.unpack((yield nbd.OPTION_REPLY.size))
            if magic != nbd.OPTION_REPLY_MAGIC or opt != expected:
                raise nbd.NbdProtocolError(f"no reply to NBD_OPT_{expected.name}")
            if length > nbd.MAX_OPTION:
                raise nbd.NbdProtocolError(f"an option reply of {length} bytes")
            data = yield length
            if kind == Rep.ACK:
                return None
            if kind & nbd.REP_ERROR:
                text = data.decode(errors="replace")
                return text or f"NBD error {kind & ~nbd.REP_ERROR} to {expected.name}"
            if kind == Rep.META_CONTEXT and data[4:] == nbd.BASE_ALLOCATION.encode():
                self.has_status = True
                (self._context,) = nbd.U32.unpack_from(data)
            elif kind == Rep.INFO:
                self._info(data)

    def _info(self, data: bytes) -> None:
        kind = int.from_bytes(data[:2])
        if kind == Info.EXPORT and len(data) == nbd.INFO_EXPORT.size:
            _, self.size, self.flags = nbd.INFO_EXPORT.unpack(data)
        elif kind == Info.BLOCK_SIZE and len(data) == nbd.INFO_BLOCK_SIZE.size:
            _, least, preferred, most = nbd.INFO_BLOCK_SIZE.unpack(data)
            self.block_sizes = (least, preferred, most)
        elif kind in (Info.EXPORT, Info.BLOCK_SIZE):
            raise nbd.NbdProtocolError(f"information {kind} has {len(data)} bytes")

    def _find(self, cookie: int) -> _Pending:
        request = self._pending.get(cookie)
        if request is None:
            raise nbd.NbdProtocolError(f"a reply to request {cookie}, which is not in flight")
        return request

    def _finish(self, cookie: int) -> None:
        request = self._pending.pop(cookie)
        # A caller that gave up waiting has cancelled the future.
        if request.future.done():
            return
        if request.errno:
            reply = GuestReply(request.errno)
        else:
            reply = GuestReply(0, request.data or b"", request.extents)
        request.future.set_result(reply)

    def _simple_reply(self) -> Parser:
        """The rest of a simple reply ("Simple reply message")."""
        error, cookie = _SIMPLE_REST.unpack((yield _SIMPLE_REST.size))
        request = self._find(cookie)
        request.errno = self.errno_of(error)
        if not error:
            if request.cmd == Cmd.BLOCK_STATUS or (request.cmd == Cmd.READ and self._structured):
                raise nbd.NbdProtocolError(f"a simple reply to {Cmd(request.cmd).name}")
            if request.cmd == Cmd.READ:
                request.data = yield request.length
        self._finish(cookie)

    def errno_of(self, error: int) -> int:
        """The errno for an error on the wire."""
        return nbd.from_wire(error)

    def _chunk(self) -> Parser:
        """The rest of a structured reply chunk ("Structured reply chunk message")."""
        flags, kind, cookie, length = _CHUNK_REST.unpack((yield _CHUNK_REST.size))
        request = self._find(cookie)
        if length > _MAX_REPLY:
            raise nbd.NbdProtocolError(f"a reply chunk of {length} bytes")
        payload = yield length
        if kind & nbd.CHUNK_ERROR:
            self._error_chunk(request, payload)
        elif kind == Chunk.OFFSET_DATA and request.cmd == Cmd.READ and length >= nbd.U64.size:
            (offset,) = nbd.U64.unpack_from(payload)
            self._content(request, offset, payload[nbd.U64.size :])
        elif kind == Chunk.OFFSET_HOLE and request.cmd == Cmd.READ and length == _HOLE_SIZE:
            offset, hole = nbd.HOLE_PAYLOAD.unpack(payload)
            self._content(request, offset, bytes(min(hole, _MAX_REPLY)))
        elif kind == Chunk.BLOCK_STATUS and request.cmd == Cmd.BLOCK_STATUS:
            self._status(request, payload)
        elif kind != Chunk.NONE or length or not flags & nbd.CHUNK_DONE:
            name = Cmd(request.cmd).name
            raise nbd.NbdProtocolError(f"chunk type {kind} of {length} bytes for {name}")
        if flags & nbd.CHUNK_DONE:
            asked = request.length > 0 and request.cmd in (Cmd.READ, Cmd.BLOCK_STATUS)
            if asked and not (request.errno or request.data or request.extents):
                raise nbd.NbdProtocolError(f"nothing came for {Cmd(request.cmd).name}")
            self._finish(cookie)

    def _error_chunk(self, request: _Pending, payload: bytes) -> None:
        if len(payload) < nbd.ERROR_PAYLOAD.size:
            raise nbd.NbdProtocolError("an error chunk without an error")
        error, _ = nbd.ERROR_PAYLOAD.unpack_from(payload)
        if not error:
            raise nbd.NbdProtocolError("an error chunk that says success")
        request.errno = request.errno or nbd.from_wire(error)

    def _content(self, request: _Pending, offset: int, data: bytes) -> None:
        # After DF there is one chunk of content, and it is all of it.
        if request.data is not None or (offset, len(data)) != (request.offset, request.length):
            raise nbd.NbdProtocolError(
                f"{len(data)} bytes at {offset} for a read of {request.length} at {request.offset}"
            )
        request.data = data

    def _status(self, request: _Pending, payload: bytes) -> None:
        size = nbd.EXTENT.size
        if len(payload) < nbd.U32.size + size or (len(payload) - nbd.U32.size) % size:
            raise nbd.NbdProtocolError(f"block status in {len(payload)} bytes")
        if nbd.U32.unpack_from(payload) != (self._context,) or request.extents:
            raise nbd.NbdProtocolError("block status for a context that was not asked for")
        pairs = nbd.EXTENT.iter_unpack(payload[nbd.U32.size :])
        request.extents = tuple(
            Extent(length, hole=bool(state & nbd.STATE_HOLE), zero=bool(state & nbd.STATE_ZERO))
            for length, state in pairs
        )


async def ping(connection: GuestConnection) -> None:
    """One round trip through QEMU's main loop: all that QEMU had to do before is done.

    It is a flush; to cost nothing the export is one of a null-co node.  It spins first: waking
    a process that sleeps takes ten times as long as QEMU takes to answer.

    :raise NbdConnectionLost: if the connection is or goes down.
    :raise OSError: if the flush fails.
    """
    future = connection.submit("flush")
    for _ in range(_SPINS):
        if future.done():
            break
        await asyncio.sleep(0)
    reply = await future
    if reply.errno:
        raise OSError(reply.errno, "ping failed")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripted children for a real QEMU: an NBD server whose every answer is somebody else's choice.

The server negotiates, parses and passes each request on; it answers none itself, except those
no correct client sends.  Whoever receives an :class:`Arrival` answers it when the schedule says
so.  Section names are those of the NBD protocol document (``doc/proto.md``).
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from qsim.block.child import FEATURES, Reply, Request, ScriptedChild
from qsim.target import nbd_proto as nbd
from qsim.target.nbd_proto import Cmd, CmdFlag, Handshake, Info, Opt, Rep, Transmission
from qsim.target.nbd_wire import Parser, Wire

# sun_path holds 108 bytes, one of them the terminating zero.
_MAX_PATH = 107
# As long as the magic of a reply, and none.
_GARBAGE = bytes(4)
# Ids of metadata contexts are the server's choice.
_CONTEXT_ID = 1
# More than this many protocol errors tell nothing new.
_MAX_ERRORS = 1000
# How long a peer may leave our end of file unnoticed before its connection is cut, in seconds.
_LINGER_S = 1.0

_FLAG_NAMES = {
    bits: tuple(name for name, bit in nbd.CMD_FLAG_OF_NAME.items() if bits & bit)
    for bits in range(1 << 5)
}
_OP_OF_CMD = {int(cmd): op for op, cmd in nbd.CMD_OF_OP.items()}
_WRITING = (Cmd.WRITE, Cmd.WRITE_ZEROES, Cmd.TRIM)
# By feature of a child: what it adds to the transmission flags, and the command it allows.
_OFFERS: dict[str, tuple[Transmission, Cmd | None]] = {
    "flush": (Transmission.SEND_FLUSH, Cmd.FLUSH),
    "fua": (Transmission.SEND_FUA, None),
    "write-zeroes": (Transmission.SEND_WRITE_ZEROES, Cmd.WRITE_ZEROES),
    "fast-zero": (Transmission.SEND_FAST_ZERO, None),
    "trim": (Transmission.SEND_TRIM, Cmd.TRIM),
}


@dataclass(eq=False)
class Export:
    """What is registered under one export name."""

    name: str
    child: ScriptedChild
    on_request: Callable[[Arrival], None]
    on_disconnect: Callable[[str], None] | None
    connections: set[Connection] = field(default_factory=set)


@dataclass(eq=False, slots=True)
class Arrival:
    """A request that arrived and waits for its answer."""

    request: Request
    connection: Connection
    cookie: int
    answered: bool = False

    def answer(self, reply: Reply) -> None:
        """Send ``reply`` at once; nothing happens if the connection is gone.

        ``reply.dead`` ends the connection instead: the peer sees the end of file now, and when
        :func:`drained` returns it has noticed.  Everything else held on the connection is lost.
        """
        assert not self.answered, f"{self.request} answered twice"
        self.answered = True
        self.connection.send(self, reply)


class ChildServer:
    """Serves scripted children by export name on one UNIX socket.

    :param path: where to listen; at most 107 bytes.
    :raise ValueError: if ``path`` is longer.
    """

    def __init__(self, path: str) -> None:
        length = len(os.fsencode(path))
        if length > _MAX_PATH:
            raise ValueError(
                f"socket path has {length} bytes, a UNIX socket takes {_MAX_PATH}: {path}"
            )
        self.path = path
        #: What clients did against the protocol, in order, each naming the export if known.
        self.errors: list[str] = []
        #: Whether a connection that dies ends with a reply nobody can read: a client that would
        #: connect again after a mere end of file gives up after that.
        self.garbles = False
        self._exports: dict[str, Export] = {}
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.  A stale socket at the path is replaced.

        :raise OSError: if the socket cannot be bound.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: Connection(self), self.path)

    async def close(self) -> None:
        """Cut every connection, stop listening and remove the socket.  May be called twice."""
        for connection in list(self._connections):
            connection.cut()
        self._exports.clear()
        if self._server is not None:
            self._server.close()
            # An abort takes effect in the next turn of the event loop.
            await asyncio.sleep(0)
            await self._server.wait_closed()
            self._server = None
            with suppress(FileNotFoundError):
                Path(self.path).unlink()

    def add(
        self,
        export: str,
        child: ScriptedChild,
        on_request: Callable[[Arrival], None],
        on_disconnect: Callable[[str], None] | None = None,
    ) -> None:
        """Serve ``child`` as ``export``.

        :param on_request: called with every request, in the turn of the event loop that received
            it; it may answer right away.
        :param on_disconnect: called with ``export`` whenever a connection ends without a
            goodbye (NBD_CMD_DISC) and not by :meth:`remove` or :meth:`close`.
        :raise ValueError: if the name is taken or longer than 4096 bytes, a feature is unknown,
            or the block size is one NBD has no way to state or the size is no multiple of it.
        """
        if export in self._exports:
            raise ValueError(f"export {export!r} is served already")
        nbd.pack_string(export)
        if unknown := child.features - set(FEATURES):
            raise ValueError(f"child {child.name}: unknown features {sorted(unknown)}")
        if "fast-zero" in child.features and "write-zeroes" not in child.features:
            raise ValueError(f"child {child.name}: fast-zero needs write-zeroes")
        block = child.block_size
        if not 1 <= block <= 65536 or block & (block - 1):
            raise ValueError(
                f"child {child.name}: block size {block} is no power of two up to 65536"
            )
        if child.size % block:
            raise ValueError(f"child {child.name}: size {child.size} is no multiple of {block}")
        self._exports[export] = Export(export, child, on_request, on_disconnect)

    def lend(
        self, export: str, child: ScriptedChild, on_request: Callable[[Arrival], None]
    ) -> None:
        """From now on ``child`` stands behind a connected export; what it offers is the same.

        :raise KeyError: if it is not served.
        """
        entry = self._exports[export]
        assert (child.size, child.block_size, child.features, child.read_only) == (
            entry.child.size, entry.child.block_size, entry.child.features, entry.child.read_only
        ), f"{export}: {child.name} offers something else than {entry.child.name}"  # fmt: skip
        entry.child, entry.on_request = child, on_request

    def remove(self, export: str) -> None:
        """Cut the connections to ``export`` and refuse further ones.

        :raise KeyError: if it is not served.
        """
        for connection in list(self._exports.pop(export).connections):
            connection.cut()

    def entry(self, export: str) -> Export:
        """What is served as ``export``.

        :raise KeyError: if nothing is.
        """
        return self._exports[export]

    def connected(self, connection: Connection) -> None:
        """A client has connected."""
        self._connections.add(connection)

    def connections(self, export: str) -> int:
        """How many connections ``export`` has; 0 if it is not served."""
        entry = self._exports.get(export)
        return len(entry.connections) if entry else 0

    def unfinished(self, exports: Iterable[str]) -> tuple[bool, int]:
        """Whether a request to one of ``exports`` has arrived in part, and how many parts came.

        A peer whose request is larger than the socket takes sends the rest as we read it, and
        goes on when it has sent the last part: then, and not when it was asked to.
        """
        found = [self._exports[export].connections for export in exports if export in self._exports]
        connections = [connection for some in found for connection in some]
        return (
            any(connection.partial for connection in connections),
            sum(connection.pieces for connection in connections),
        )

    def record(self, text: str) -> None:
        """Note a protocol error of a client."""
        if len(self.errors) < _MAX_ERRORS:
            self.errors.append(text)


class Connection(Wire):
    """One connection of a client; negotiates, then turns requests into arrivals."""

    def __init__(self, server: ChildServer) -> None:
        super().__init__()
        self._server = server
        self._export: Export | None = None
        self._structured = False
        self._zeroes = True
        # The export base:allocation was negotiated for.
        self._status_of: str | None = None
        # By command: the flags it may carry.
        self._allowed: dict[int, int] = {}
        self._dying: asyncio.TimerHandle | None = None
        self._silent = False

    def __str__(self) -> str:
        return f"export {self._export.name!r}" if self._export else "negotiation"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet (asyncio)."""
        self._server.connected(self)
        super().connection_made(transport)
        flags = Handshake.FIXED_NEWSTYLE | Handshake.NO_ZEROES
        self.transport.write(nbd.GREETING.pack(nbd.MAGIC, nbd.OPTION_MAGIC, flags))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever wants to know (asyncio)."""
        super().connection_lost(exc)
        self._server._connections.discard(self)
        if self._dying is not None:
            self._dying.cancel()
        if self._export is not None:
            self._export.connections.discard(self)
            if self._export.on_disconnect is not None and not self._silent:
                self._export.on_disconnect(self._export.name)

    def cut(self) -> None:
        """End the connection now, without on_disconnect."""
        self._silent = self.deaf = True
        self.transport.abort()

    def rubbish(self, error: nbd.NbdProtocolError) -> None:
        """Record what was received."""
        self._server.record(f"{self}: {error}")

    def unsent(self) -> int:
        """As :meth:`Wire.unsent`; while a connection dies it is 1 until the peer has closed."""
        return 1 if self._dying is not None and not self.gone else super().unsent()

    def send(self, arrival: Arrival, reply: Reply) -> None:
        """Put ``reply`` on the wire ("Simple reply message", "Structured reply chunk message")."""
        if self.deaf:
            return
        if reply.dead:
            self._die()
            return
        request, cookie = arrival.request, arrival.cookie
        if reply.errno:
            self._send_error(cookie, reply.errno)
        elif request.op == "read":
            assert len(reply.data) == request.bytes, f"{request}: {len(reply.data)} bytes of data"
            if self._structured:
                offset = nbd.U64.pack(request.offset)
                self._send_chunk(cookie, nbd.Chunk.OFFSET_DATA, offset + reply.data)
            else:
                self._send_simple(cookie, 0, reply.data)
        elif request.op == "block-status":
            extent = reply.extent
            assert extent is not None, f"{request}: no extent"
            assert 0 < extent.bytes <= request.bytes, f"{request}: {extent}"
            state = nbd.STATE_HOLE * extent.hole | nbd.STATE_ZERO * extent.zero
            payload = nbd.U32.pack(_CONTEXT_ID) + nbd.EXTENT.pack(extent.bytes, state)
            self._send_chunk(cookie, nbd.Chunk.BLOCK_STATUS, payload)
        else:
            self._send_simple(cookie, 0)

    def _die(self) -> None:
        # Only half of the connection is closed, so that the peer closing the other half shows
        # that it has noticed; a close would leave no trace of that.
        self.deaf = True
        loop = asyncio.get_running_loop()
        self._dying = loop.call_later(_LINGER_S, self.transport.abort)
        if self._server.garbles:
            self.transport.write(_GARBAGE)
        self.transport.write_eof()

    def _send_simple(self, cookie: int, error: int, data: bytes = b"") -> None:
        head = nbd.SIMPLE_REPLY.pack(nbd.SIMPLE_REPLY_MAGIC, error, cookie)
        self.transport.write(head + data)

    def _send_chunk(self, cookie: int, kind: int, payload: bytes) -> None:
        head = nbd.CHUNK.pack(nbd.CHUNK_MAGIC, nbd.CHUNK_DONE, kind, cookie, len(payload))
        self.transport.write(head + payload)

    def _send_error(self, cookie: int, err: int) -> None:
        error = nbd.to_wire(err)
        if self._structured:
            self._send_chunk(cookie, nbd.Chunk.ERROR, nbd.ERROR_PAYLOAD.pack(error, 0))
        else:
            self._send_simple(cookie, error)

    def parser(self) -> Parser:
        """A whole connection: client flags, options, requests."""
        (flags,) = nbd.U32.unpack((yield nbd.U32.size))
        if flags & ~int(Handshake.FIXED_NEWSTYLE | Handshake.NO_ZEROES):
            raise nbd.NbdProtocolError(f"unknown client flags {flags:#x}")
        self._zeroes = not flags & Handshake.NO_ZEROES
        export = yield from self._haggle()
        if export is None:
            return
        yield from self.serve(export)

    def serve(self, export: Export) -> Parser:
        """The transmission phase: requests of one export."""
        self._export = export
        export.connections.add(self)
        self._allowed = self._allow(export.child)
        yield from self._serve(export)

    def _haggle(self) -> Generator[int, bytes, Export | None]:
        """The option phase ("Option haggling"); the export to serve, or None at its end."""
        while True:
            magic, opt, length = nbd.OPTION.unpack((yield nbd.OPTION.size))
            if magic != nbd.OPTION_MAGIC:
                raise nbd.NbdProtocolError(f"bad option magic {magic:#018x}")
            if length > nbd.MAX_OPTION:
                raise nbd.NbdProtocolError(f"option {opt} has {length} bytes")
            data = yield length
            if opt == Opt.EXPORT_NAME:
                return self._old_go(data)
            if opt == Opt.ABORT:
                self._reply(opt, Rep.ACK)
                return None
            try:
                export = self._option(opt, data)
            except nbd.NbdProtocolError as error:
                # A malformed option is refused; the client may go on with another.
                self.rubbish(error)
                self._reply(opt, Rep.ERR_INVALID, str(error).encode())
                continue
            if export is not None:
                return export

    def _option(self, opt: int, data: bytes) -> Export | None:
        """Answer one option; the export if transmission begins ("Option types")."""
        match opt:
            case Opt.GO | Opt.INFO:
                return self._go(opt, data)
            case Opt.SET_META_CONTEXT | Opt.LIST_META_CONTEXT:
                self._contexts(opt, data)
            case Opt.LIST | Opt.STRUCTURED_REPLY if data:
                raise nbd.NbdProtocolError(f"option {opt} has data")
            case Opt.STRUCTURED_REPLY:
                self._structured = True
                self._reply(opt, Rep.ACK)
            case Opt.LIST:
                for name in self._server._exports:
                    self._reply(opt, Rep.SERVER, nbd.pack_string(name))
                self._reply(opt, Rep.ACK)
            case _:
                self._reply(opt, Rep.ERR_UNSUP)
        return None

    def _go(self, opt: int, data: bytes) -> Export | None:
        name, _wanted = nbd.unpack_go(data)
        export = self._find(opt, name)
        if export is None:
            return None
        # The block size is stated even if not asked for: with GO it binds the client.
        child, size, most = export.child, export.child.block_size, nbd.MAX_PAYLOAD
        info = nbd.INFO_EXPORT.pack(Info.EXPORT, child.size, self._transmission(child))
        self._reply(opt, Rep.INFO, info)
        self._reply(opt, Rep.INFO, nbd.INFO_BLOCK_SIZE.pack(Info.BLOCK_SIZE, size, size, most))
        self._reply(opt, Rep.ACK)
        return export if opt == Opt.GO else None

    def _old_go(self, data: bytes) -> Export | None:
        """NBD_OPT_EXPORT_NAME, all that QEMU knew until 2.10; it has no way to refuse."""
        export = self._server._exports.get(data.decode(errors="replace"))
        if export is None or export.child.dead:
            return None
        child = export.child
        reply = nbd.U64.pack(child.size) + nbd.U16.pack(self._transmission(child))
        self.transport.write(reply + bytes(124 if self._zeroes else 0))
        return export

    def _contexts(self, opt: int, data: bytes) -> None:
        name, queries = nbd.unpack_contexts(data)
        listing = opt == Opt.LIST_META_CONTEXT
        if not listing:
            self._status_of = None
            if not self._structured:
                raise nbd.NbdProtocolError("meta contexts need structured replies")
        export = self._find(opt, name)
        if export is None:
            return
        known = {nbd.BASE_ALLOCATION, "base:"} if listing else {nbd.BASE_ALLOCATION}
        matched = known.intersection(queries) or (listing and not queries)
        if matched and "block-status" in export.child.features:
            ident = nbd.U32.pack(0 if listing else _CONTEXT_ID)
            self._reply(opt, Rep.META_CONTEXT, ident + nbd.BASE_ALLOCATION.encode())
            if not listing:
                self._status_of = name
        self._reply(opt, Rep.ACK)

    def _find(self, opt: int, name: str) -> Export | None:
        """The export called ``name``, or None after a refusal: it is unknown, or dead."""
        export = self._server._exports.get(name)
        if export is None:
            self._reply(opt, Rep.ERR_UNKNOWN, f"no export {name!r} here".encode())
        elif export.child.dead:
            self._reply(opt, Rep.ERR_SHUTDOWN, f"export {name!r} is dead".encode())
            export = None
        return export

    def _reply(self, opt: int, kind: int, data: bytes = b"") -> None:
        self.transport.write(nbd.option_reply(opt, kind, data))

    def _transmission(self, child: ScriptedChild) -> int:
        flags = Transmission.HAS_FLAGS
        if child.read_only:
            flags |= Transmission.READ_ONLY
        if self._structured:
            # Every read is answered in one chunk anyway.
            flags |= Transmission.SEND_DF
        for feature, (flag, _) in _OFFERS.items():
            if feature in child.features:
                flags |= flag
        return flags

    def _allow(self, child: ScriptedChild) -> dict[int, int]:
        """By command, the flags the client may set after what was negotiated."""
        fua = CmdFlag.FUA * ("fua" in child.features)
        allowed = {int(Cmd.READ): fua, int(Cmd.WRITE): fua}
        if self._structured:
            allowed[Cmd.READ] |= CmdFlag.DF
        for feature, (_, cmd) in _OFFERS.items():
            if cmd is not None and feature in child.features:
                allowed[cmd] = fua
        if Cmd.WRITE_ZEROES in allowed:
            fast = CmdFlag.FAST_ZERO * ("fast-zero" in child.features)
            allowed[Cmd.WRITE_ZEROES] |= CmdFlag.NO_HOLE | fast
        if self._export is not None and self._status_of == self._export.name:
            allowed[Cmd.BLOCK_STATUS] = fua | CmdFlag.REQ_ONE
        return allowed

    def _serve(self, export: Export) -> Parser:
        """The transmission phase ("Transmission"); returns at NBD_CMD_DISC."""
        unpack, size = nbd.REQUEST.unpack, nbd.REQUEST.size
        while True:
            magic, flags, cmd, cookie, offset, length = unpack((yield size))
            child = export.child
            if magic != nbd.REQUEST_MAGIC:
                raise nbd.NbdProtocolError(f"bad request magic {magic:#010x}")
            if cmd == Cmd.DISC:
                self._silent = True
                return
            data = None
            if cmd == Cmd.WRITE:
                if length > nbd.MAX_PAYLOAD:
                    raise nbd.NbdProtocolError(f"a write of {length} bytes")
                data = yield length
            if wrong := self._wrong(child, cmd, flags, offset, length):
                self._server.record(f"{self}: {wrong}")
                denied = child.read_only and cmd in _WRITING
                self._send_error(cookie, errno.EPERM if denied else errno.EINVAL)
                continue
            names = _FLAG_NAMES[flags]
            request = Request(child.name, _OP_OF_CMD[cmd], offset, length, names, data)
            export.on_request(Arrival(request, self, cookie))

    def _wrong(
        self, child: ScriptedChild, cmd: int, flags: int, offset: int, length: int
    ) -> str | None:
        """What is wrong with a request, if anything ("Request types")."""
        what = f"command {cmd} flags {flags:#x} offset {offset} length {length}"
        if cmd not in self._allowed:
            return f"{what}: command unknown or not offered"
        if flags & ~self._allowed[cmd]:
            return f"{what}: flags unknown or not offered"
        if child.read_only and cmd in _WRITING:
            return f"{what}: the export is read-only"
        if cmd == Cmd.FLUSH:
            return f"{what}: a flush has no range" if offset or length else None
        if not length or offset + length > child.size:
            return f"{what}: empty, or past the end at {child.size}"
        if (offset | length) & (child.block_size - 1):
            return f"{what}: not aligned to {child.block_size}"
        if cmd == Cmd.READ and length > nbd.MAX_PAYLOAD:
            return f"{what}: longer than {nbd.MAX_PAYLOAD}"
        return None

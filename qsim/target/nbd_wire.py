# SPDX-License-Identifier: GPL-2.0-or-later
"""One end of an NBD connection on the event loop: a parser fed as bytes arrive, and how much of
what was sent the peer has not read yet.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import termios
from collections.abc import Generator
from typing import cast

from qsim.target.nbd_proto import NbdProtocolError

# drained() first only yields, for about as long as a loaded QEMU needs to wake up and read; after
# that it sleeps, and the event loop's timer rounds every sleep up to a millisecond.
_SPINS = 400
_NAP_S = 0.0005

#: Straight-line parsing of a stream: yields how many bytes it wants next, is sent exactly those.
#: It returns when the connection is to be closed, or raises :class:`NbdProtocolError`.
Parser = Generator[int, bytes, None]


class Wire(asyncio.BufferedProtocol):
    """One end of a connection: gives what arrives to a :data:`Parser` as soon as it is complete.

    Nothing is awaited on the way: a request is acted on in the same turn of the event loop that
    received its last byte.
    """

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.gone = False
        #: Set when nothing that still arrives is of interest.
        self.deaf = False
        #: How often what came ended in the middle of a message.
        self.pieces = 0
        self._space = bytearray(64 * 1024)
        self._view = memoryview(self._space)
        self._end = 0
        self._want = 0
        self._parser: Parser

    def parser(self) -> Parser:
        """The parser of this end; called once, when the connection is made."""
        raise NotImplementedError

    def rubbish(self, error: NbdProtocolError) -> None:
        """The parser gave up with ``error``; the connection is being aborted."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start parsing (asyncio)."""
        self.transport = cast("asyncio.Transport", transport)
        self._parser = self.parser()
        self._want = next(self._parser)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone (asyncio)."""
        self.gone = self.deaf = True

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to receive to (asyncio)."""
        return self._view[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what can be parsed (asyncio)."""
        self._end += nbytes
        start = 0
        try:
            while not self.deaf and self._end - start >= self._want:
                piece = bytes(self._view[start : start + self._want])
                start += len(piece)
                self._want = self._parser.send(piece)
        except StopIteration:
            self.deaf = True
            self.transport.close()
        except NbdProtocolError as error:
            self.deaf = True
            self.rubbish(error)
            self.transport.abort()
        self._keep(0 if self.deaf else start)

    def _keep(self, start: int) -> None:
        """Move what is left to the front and make room for what is wanted."""
        if self.deaf:
            self._end = 0
            return
        rest = bytes(self._view[start : self._end])
        if self._want > len(self._space):
            self._space = bytearray(self._want)
            self._view = memoryview(self._space)
        self._view[: len(rest)] = rest
        self._end = len(rest)
        self.pieces += bool(rest)

    @property
    def partial(self) -> bool:
        """Whether a message has arrived in part."""
        return self._end > 0 and not self.deaf

    def unsent(self) -> int:
        """Bytes the peer has not read yet; 0 when the connection is gone."""
        if self.gone:
            return 0
        if waiting := self.transport.get_write_buffer_size():
            return waiting
        sock: socket.socket = self.transport.get_extra_info("socket")
        try:
            # TIOCOUTQ is SIOCOUTQ; for a UNIX socket it counts what the peer has not read.
            raw = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        except (OSError, ValueError):
            return 0
        return int.from_bytes(raw, "little")


async def drained(connection: Wire, timeout_s: float) -> None:
    """Return when the peer has read all that was sent on ``connection``, or it is gone.

    QEMU acts on a reply in the same turn of its loop that reads it, so replies on different
    connections with this between them complete in the order they were sent.

    :raise TimeoutError: if that takes longer than ``timeout_s`` seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    spins = 0
    while connection.unsent():
        if loop.time() > deadline:
            raise TimeoutError(f"{connection}: still unread after {timeout_s} s")
        spins += 1
        await asyncio.sleep(0 if spins <= _SPINS else _NAP_S)

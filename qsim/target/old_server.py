# SPDX-License-Identifier: GPL-2.0-or-later
"""A scripted child served as NBD was before it had export names: one socket, one child.

QEMU's client needs it up to 2.5: of a named export it read 16 bits of flags as if they were 32
(nbd.c nbd_receive_negotiate(), a9db86b223), so it knew of no flush, and a child behind one was
never flushed.
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from pathlib import Path

from qsim.target import nbd_proto as nbd
from qsim.target.nbd_server import ChildServer, Connection, Export
from qsim.target.nbd_wire import Parser, Wire

#: "Oldstyle negotiation": both magics, the size, the flags, and nothing for 124 bytes.
_GREETING = struct.Struct(">QQQI124x")
_CLIENT_MAGIC = 0x00420281861253


class OldConnection(Connection):
    """One connection: the server says everything at once, the client nothing."""

    def __init__(self, server: ChildServer, export: Export) -> None:
        super().__init__(server)
        self._only = export

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet (asyncio)."""
        self._server.connected(self)
        Wire.connection_made(self, transport)
        child = self._only.child
        flags = self._transmission(child)
        self.transport.write(_GREETING.pack(nbd.MAGIC, _CLIENT_MAGIC, child.size, flags))

    def parser(self) -> Parser:
        """A whole connection: requests."""
        yield from self.serve(self._only)


class OldSocket:
    """The socket of one child."""

    def __init__(self, server: asyncio.Server, path: str) -> None:
        self._server = server
        self.path = path

    @classmethod
    async def of(cls, children: ChildServer, export: str) -> OldSocket:
        """Listen for the child that ``children`` serves as ``export``.

        :raise OSError: if the socket cannot be bound.
        """
        path = str(Path(children.path).with_name(f"{export}.sock"))
        entry = children.entry(export)
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: OldConnection(children, entry), path)
        return cls(server, path)

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._server.close()
        with suppress(FileNotFoundError):
            Path(self.path).unlink()

# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's connection to a QEMU of 2014: newstyle NBD that is not "fixed" yet.

One option there is, NBD_OPT_EXPORT_NAME, which has no reply of its own and cannot be refused but
by hanging up.  Errors come as the server's own errno numbers.
"""

from __future__ import annotations

import asyncio

from qsim.target import nbd_proto as nbd
from qsim.target.nbd_client import GuestConnection
from qsim.target.nbd_proto import Opt
from qsim.target.nbd_wire import Parser, Wire

#: What follows the size and the flags of the export, in bytes.
PADDING = 124


class OldGuestConnection(GuestConnection):
    """A connection to one export of a QEMU up to 2.7."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing can be said before the server has greeted (asyncio)."""
        Wire.connection_made(self, transport)

    def parser(self) -> Parser:
        """A whole connection: greeting, export, replies to requests."""
        magic, option_magic, _ = nbd.GREETING.unpack((yield nbd.GREETING.size))
        if (magic, option_magic) != (nbd.MAGIC, nbd.OPTION_MAGIC):
            raise nbd.NbdProtocolError("the greeting is not that of newstyle NBD")
        self._waits_for = "the export"
        name = self.export.encode()
        self.transport.write(nbd.U32.pack(0) + nbd.option(Opt.EXPORT_NAME, name))
        head = yield nbd.U64.size + 2 + PADDING
        (self.size,) = nbd.U64.unpack_from(head)
        self.flags = int.from_bytes(head[nbd.U64.size : nbd.U64.size + 2])
        if not self._ready.done():
            self._ready.set_result(None)
        while True:
            (magic,) = nbd.U32.unpack((yield nbd.U32.size))
            if magic != nbd.SIMPLE_REPLY_MAGIC:
                raise nbd.NbdProtocolError(f"bad reply magic {magic:#010x}")
            yield from self._simple_reply()

    def errno_of(self, error: int) -> int:
        """The server's errno is the guest's."""
        return error

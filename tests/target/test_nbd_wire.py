# SPDX-License-Identifier: GPL-2.0-or-later
"""Either end against bytes written by hand: what they say, and how they take rubbish."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from qsim.block.child import Reply, ScriptedChild
from qsim.block.sparse import Sparse
from qsim.target import nbd_proto as nbd
from qsim.target.nbd_client import GuestConnection, GuestReply, NbdConnectionLost, NbdRefused
from qsim.target.nbd_proto import Chunk, Cmd, CmdFlag, Info, Opt, Rep, Transmission
from qsim.target.nbd_server import Arrival, ChildServer

BOUND_S = 10.0
FLAGS = nbd.U32.pack(3)
GREETING = nbd.GREETING.pack(nbd.MAGIC, nbd.OPTION_MAGIC, 3)
GO = nbd.option(Opt.GO, nbd.pack_go("e0", []))
STATUS = nbd.option(Opt.SET_META_CONTEXT, nbd.pack_contexts("e0", [nbd.BASE_ALLOCATION]))


def request(cmd: int, offset: int = 0, length: int = 0, flags: int = 0, cookie: int = 7) -> bytes:
    return nbd.REQUEST.pack(nbd.REQUEST_MAGIC, flags, cmd, cookie, offset, length)


DISC = request(Cmd.DISC)


def talk(
    path: Path, said: bytes, features: tuple[str, ...] = ("flush",)
) -> tuple[bytes, list[str]]:
    """Say ``said`` to a server of export ``e0`` (8 bytes) and hang up.

    :return: all that it says after its greeting, and the errors it recorded.
    """

    async def run() -> tuple[bytes, list[str]]:
        server = ChildServer(str(path / "s"))
        served = ScriptedChild("c0", Sparse.of(b"abcdefgh"), features=frozenset(features))

        def arrived(arrival: Arrival) -> None:
            arrival.answer(served.complete(arrival.request))

        server.add("e0", served, arrived)
        await server.start()
        async with asyncio.timeout(BOUND_S):
            reader, writer = await asyncio.open_unix_connection(server.path)
            writer.write(said)
            writer.write_eof()
            heard = await reader.read()
            writer.close()
        await server.close()
        return heard, server.errors

    heard, errors = asyncio.run(run())
    assert heard[: len(GREETING)] == GREETING
    return heard[len(GREETING) :], errors


def option_replies(heard: bytes) -> tuple[list[tuple[int, int, bytes]], bytes]:
    """(option, type, data) of each option reply in ``heard``, and what follows them."""
    replies = []
    size = nbd.OPTION_REPLY.size
    while len(heard) >= size:
        magic, opt, kind, length = nbd.OPTION_REPLY.unpack_from(heard)
        if magic != nbd.OPTION_REPLY_MAGIC:
            break
        replies.append((opt, kind, heard[size : size + length]))
        heard = heard[size + length :]
    return replies, heard


def test_options(tmp_path: Path) -> None:
    said = [
        FLAGS,
        nbd.option(Opt.LIST),
        nbd.option(5),  # STARTTLS
        nbd.option(11),  # EXTENDED_HEADERS, which QEMU asks for since 8.2
        nbd.option(Opt.INFO, nbd.pack_go("e1", [])),
        nbd.option(Opt.INFO, nbd.pack_go("e0", [Info.BLOCK_SIZE])),
        STATUS,
        nbd.option(Opt.STRUCTURED_REPLY),
        nbd.option(Opt.LIST_META_CONTEXT, nbd.pack_contexts("e0", [])),
        nbd.option(Opt.LIST_META_CONTEXT, nbd.pack_contexts("e0", ["qemu:"])),
        nbd.option(Opt.SET_META_CONTEXT, nbd.pack_contexts("e1", ["base:allocation"])),
        nbd.option(Opt.SET_META_CONTEXT, nbd.pack_contexts("e0", ["x", "base:allocation"])),
        nbd.option(Opt.ABORT),
    ]
    heard, errors = talk(tmp_path, b"".join(said), ("block-status",))
    replies, rest = option_replies(heard)
    context = nbd.BASE_ALLOCATION.encode()
    export = nbd.INFO_EXPORT.pack(Info.EXPORT, 8, Transmission.HAS_FLAGS)
    blocks = nbd.INFO_BLOCK_SIZE.pack(Info.BLOCK_SIZE, 1, 1, nbd.MAX_PAYLOAD)
    assert replies == [
        (Opt.LIST, Rep.SERVER, nbd.pack_string("e0")),
        (Opt.LIST, Rep.ACK, b""),
        (5, Rep.ERR_UNSUP, b""),
        (11, Rep.ERR_UNSUP, b""),
        (Opt.INFO, Rep.ERR_UNKNOWN, b"no export 'e1' here"),
        (Opt.INFO, Rep.INFO, export),
        (Opt.INFO, Rep.INFO, blocks),
        (Opt.INFO, Rep.ACK, b""),
        (Opt.SET_META_CONTEXT, Rep.ERR_INVALID, b"meta contexts need structured replies"),
        (Opt.STRUCTURED_REPLY, Rep.ACK, b""),
        (Opt.LIST_META_CONTEXT, Rep.META_CONTEXT, nbd.U32.pack(0) + context),
        (Opt.LIST_META_CONTEXT, Rep.ACK, b""),
        (Opt.LIST_META_CONTEXT, Rep.ACK, b""),
        (Opt.SET_META_CONTEXT, Rep.ERR_UNKNOWN, b"no export 'e1' here"),
        (Opt.SET_META_CONTEXT, Rep.META_CONTEXT, nbd.U32.pack(1) + context),
        (Opt.SET_META_CONTEXT, Rep.ACK, b""),
        (Opt.ABORT, Rep.ACK, b""),
    ]
    assert rest == b""
    assert errors == ["negotiation: meta contexts need structured replies"]


def test_simple_replies_when_structured_ones_were_not_negotiated(tmp_path: Path) -> None:
    said = FLAGS + GO + request(Cmd.READ, 2, 3) + request(Cmd.READ, 9, 1) + request(Cmd.FLUSH)
    heard, errors = talk(tmp_path, said + request(Cmd.BLOCK_STATUS, 0, 8) + DISC)
    simple = nbd.SIMPLE_REPLY.pack
    _, rest = option_replies(heard)
    assert rest == (
        simple(nbd.SIMPLE_REPLY_MAGIC, 0, 7)
        + b"cde"
        + simple(nbd.SIMPLE_REPLY_MAGIC, errno.EINVAL, 7)
        + simple(nbd.SIMPLE_REPLY_MAGIC, 0, 7)
        + simple(nbd.SIMPLE_REPLY_MAGIC, errno.EINVAL, 7)
    )
    assert len(errors) == 2


def test_structured_replies(tmp_path: Path) -> None:
    said = FLAGS + nbd.option(Opt.STRUCTURED_REPLY) + STATUS + GO
    said += request(Cmd.READ, 2, 3, CmdFlag.DF) + request(Cmd.READ, 9, 1)
    said += request(Cmd.BLOCK_STATUS, 4, 4, CmdFlag.REQ_ONE) + request(Cmd.WRITE, 0, 1) + b"x"
    heard, errors = talk(tmp_path, said + DISC, ("block-status",))
    _, rest = option_replies(heard)

    def chunk(kind: int, payload: bytes) -> bytes:
        return nbd.CHUNK.pack(nbd.CHUNK_MAGIC, 1, kind, 7, len(payload)) + payload

    assert rest == (
        chunk(Chunk.OFFSET_DATA, nbd.U64.pack(2) + b"cde")
        + chunk(Chunk.ERROR, nbd.ERROR_PAYLOAD.pack(errno.EINVAL, 0))
        + chunk(Chunk.BLOCK_STATUS, nbd.U32.pack(1) + nbd.EXTENT.pack(4, 0))
        + nbd.SIMPLE_REPLY.pack(nbd.SIMPLE_REPLY_MAGIC, 0, 7)
    )
    assert len(errors) == 1


def test_contexts_of_another_export_do_not_count(tmp_path: Path) -> None:
    said = FLAGS + nbd.option(Opt.STRUCTURED_REPLY) + STATUS
    again = nbd.option(Opt.SET_META_CONTEXT, nbd.pack_contexts("e1", [nbd.BASE_ALLOCATION]))
    said += again + GO + request(Cmd.BLOCK_STATUS, 0, 8) + DISC
    _, errors = talk(tmp_path, said, ("block-status",))
    assert len(errors) == 1
    assert "not offered" in errors[0]


@pytest.mark.parametrize(("flags", "zeroes"), [(0, 124), (3, 0)])
def test_export_name(tmp_path: Path, flags: int, zeroes: int) -> None:
    """The only option QEMU's client of 2014 has."""
    said = nbd.U32.pack(flags) + nbd.option(Opt.EXPORT_NAME, b"e0") + request(Cmd.READ, 0, 2) + DISC
    heard, errors = talk(tmp_path, said)
    export = nbd.U64.pack(8) + nbd.U16.pack(Transmission.HAS_FLAGS | Transmission.SEND_FLUSH)
    reply = nbd.SIMPLE_REPLY.pack(nbd.SIMPLE_REPLY_MAGIC, 0, 7) + b"ab"
    assert heard == export + bytes(zeroes) + reply
    assert errors == []


def test_export_name_unknown(tmp_path: Path) -> None:
    assert talk(tmp_path, FLAGS + nbd.option(Opt.EXPORT_NAME, b"e1")) == (b"", [])


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (nbd.U32.pack(4), "negotiation: unknown client flags 0x4"),
        (FLAGS + bytes(16), "negotiation: bad option magic 0x0000000000000000"),
        (
            FLAGS + nbd.OPTION.pack(nbd.OPTION_MAGIC, Opt.GO, 1 << 30),
            "negotiation: option 7 has 1073741824 bytes",
        ),
        (FLAGS + GO + bytes(28), "export 'e0': bad request magic 0x00000000"),
        (FLAGS + GO + request(Cmd.WRITE, 0, 1 << 26), "export 'e0': a write of 67108864 bytes"),
    ],
)
def test_rubbish_closes_the_connection(tmp_path: Path, said: bytes, error: str) -> None:
    assert talk(tmp_path, said + b"more")[1] == [error]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\5e0",
        nbd.pack_string("e0"),
        nbd.pack_string("e0") + b"\0\1",
        nbd.pack_go("e0", []) + b"x",
        b"\0\0\0\1\xff\0\0",
    ],
)
def test_malformed_options_are_refused(tmp_path: Path, data: bytes) -> None:
    said = FLAGS + nbd.option(Opt.INFO, data) + nbd.option(Opt.LIST, b"x") + GO + DISC
    heard, errors = talk(tmp_path, said)
    kinds = [kind for _, kind, _ in option_replies(heard)[0]]
    assert kinds == [Rep.ERR_INVALID, Rep.ERR_INVALID, Rep.INFO, Rep.INFO, Rep.ACK]
    assert len(errors) == 2


@pytest.mark.parametrize(
    "data",
    [
        nbd.pack_string("e0"),
        nbd.pack_string("e0") + b"\xff\xff\xff\xff",
        nbd.pack_contexts("e0", ["a"]) + b"x",
    ],
)
def test_malformed_queries_are_refused(data: bytes) -> None:
    with pytest.raises(nbd.NbdProtocolError):
        nbd.unpack_contexts(data)


def test_bytes_one_at_a_time(tmp_path: Path) -> None:
    """The parser does not care where one receive ends and the next begins."""

    async def run() -> list[str]:
        seen: list[str] = []

        def arrived(arrival: Arrival) -> None:
            seen.append(str(arrival.request))
            arrival.answer(Reply())

        server = ChildServer(str(tmp_path / "s"))
        server.add("e0", ScriptedChild("c0", Sparse(8)), arrived)
        await server.start()
        async with asyncio.timeout(BOUND_S):
            reader, writer = await asyncio.open_unix_connection(server.path)
            for byte in FLAGS + GO + request(Cmd.WRITE, 4, 3) + b"xyz" + DISC:
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
            await reader.read()
            writer.close()
        await server.close()
        return seen

    assert asyncio.run(run()) == ["c0 write 4 3"]


class Script(asyncio.Protocol):
    """A server that says ``start`` at once, ``reply`` after the first request, and hangs up."""

    def __init__(self, start: bytes, reply: bytes, done: asyncio.Event) -> None:
        self._start = start
        self._reply = reply
        self._done = done
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._start)
        if not self._reply:
            transport.write_eof()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if nbd.U32.pack(nbd.REQUEST_MAGIC) in self._heard and self._reply:
            self.transport.write(self._reply)
            self.transport.write_eof()
            self._reply = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._done.set()


def ask(path: Path, start: bytes, reply: bytes = b"", op: str = "read") -> GuestReply:
    """What a guest makes of ``start``, then of ``reply`` to one request of 4 bytes at 2."""

    async def run() -> GuestReply:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: Script(start, reply, done), path / "s")
        try:
            async with asyncio.timeout(BOUND_S):
                guest = await GuestConnection.connect(str(path / "s"), "e0", BOUND_S)
                answer = await guest.submit(op, 2, 4)
                guest.close()
            return answer
        finally:
            server.close()
            async with asyncio.timeout(BOUND_S):
                await done.wait()

    return asyncio.run(run())


REFUSED_TWICE = (
    GREETING
    + nbd.option_reply(Opt.STRUCTURED_REPLY, Rep.ERR_UNSUP)
    + nbd.option_reply(Opt.SET_META_CONTEXT, Rep.ERR_INVALID)
)
EXPORT = nbd.INFO_EXPORT.pack(Info.EXPORT, 8, Transmission.HAS_FLAGS)


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        (bytes(18), nbd.NbdProtocolError, "not that of newstyle"),
        (
            nbd.GREETING.pack(nbd.MAGIC, nbd.OPTION_MAGIC, 0),
            nbd.NbdProtocolError,
            "fixed newstyle",
        ),
        (GREETING + bytes(20), nbd.NbdProtocolError, "no reply to NBD_OPT_STRUCTURED_REPLY"),
        (b"", NbdConnectionLost, "waiting for the greeting"),
        (GREETING, NbdConnectionLost, "waiting for the reply to NBD_OPT_STRUCTURED_REPLY"),
        (
            REFUSED_TWICE + nbd.option_reply(Opt.GO, Rep.INFO, EXPORT + b"x"),
            nbd.NbdProtocolError,
            "information 0 has 13 bytes",
        ),
        (
            REFUSED_TWICE + nbd.option_reply(Opt.GO, Rep.ERR_UNKNOWN, b"never heard"),
            NbdRefused,
            "^never heard$",
        ),
        (
            REFUSED_TWICE + nbd.option_reply(Opt.GO, Rep.ERR_UNKNOWN),
            NbdRefused,
            "NBD error 6 to GO",
        ),
    ],
)
def test_guest_and_a_bad_start(
    tmp_path: Path, said: bytes, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        ask(tmp_path, said)


def started(structured: bool) -> bytes:
    """What a server says until transmission begins."""
    start = REFUSED_TWICE
    if structured:
        context = nbd.U32.pack(5) + nbd.BASE_ALLOCATION.encode()
        start = (
            GREETING
            + nbd.option_reply(Opt.STRUCTURED_REPLY, Rep.ACK)
            + nbd.option_reply(Opt.SET_META_CONTEXT, Rep.META_CONTEXT, context)
            + nbd.option_reply(Opt.SET_META_CONTEXT, Rep.ACK)
        )
    return (
        start
        + nbd.option_reply(Opt.GO, Rep.INFO, nbd.U16.pack(99) + b"?")
        + nbd.option_reply(Opt.GO, Rep.INFO, EXPORT)
        + nbd.option_reply(Opt.GO, Rep.ACK)
    )


def chunk(kind: int, payload: bytes = b"", flags: int = 1, cookie: int = 1) -> bytes:
    return nbd.CHUNK.pack(nbd.CHUNK_MAGIC, flags, kind, cookie, len(payload)) + payload


def simple(error: int = 0, cookie: int = 1, data: bytes = b"") -> bytes:
    return nbd.SIMPLE_REPLY.pack(nbd.SIMPLE_REPLY_MAGIC, error, cookie) + data


WHOLE = nbd.U64.pack(2) + b"wxyz"


@pytest.mark.parametrize(
    ("structured", "op", "reply", "want"),
    [
        (False, "read", simple(data=b"wxyz"), (0, b"wxyz")),
        (False, "read", simple(999), (errno.EINVAL, b"")),
        (True, "read", chunk(Chunk.OFFSET_DATA, WHOLE), (0, b"wxyz")),
        (True, "read", chunk(Chunk.OFFSET_DATA, WHOLE, 0) + chunk(Chunk.NONE), (0, b"wxyz")),
        (True, "read", chunk(Chunk.OFFSET_HOLE, nbd.HOLE_PAYLOAD.pack(2, 4)), (0, bytes(4))),
        (
            True,
            "read",
            chunk(Chunk.OFFSET_DATA, WHOLE, 0)
            + chunk(Chunk.ERROR_OFFSET, nbd.ERROR_PAYLOAD.pack(5, 2) + b"no" + bytes(8)),
            (errno.EIO, b""),
        ),
        (True, "discard", simple(errno.ENOSPC), (errno.ENOSPC, b"")),
        (True, "discard", chunk(Chunk.NONE), (0, b"")),
    ],
)
def test_guest_reads_replies(
    tmp_path: Path, structured: bool, op: str, reply: bytes, want: tuple[int, bytes]
) -> None:
    got = ask(tmp_path, started(structured), reply, op)
    assert (got.errno, got.data) == want


@pytest.mark.parametrize(
    ("op", "reply", "text"),
    [
        ("read", bytes(4), "bad reply magic 0x00000000"),
        ("read", simple(data=b"wxyz"), "a simple reply to READ"),
        ("read", simple(5, cookie=2), "request 2, which is not in flight"),
        ("read", chunk(Chunk.OFFSET_DATA, b"x"), "chunk type 1 of 1 bytes for READ"),
        ("read", chunk(Chunk.OFFSET_DATA, WHOLE[:-1]), "3 bytes at 2 for a read of 4 at 2"),
        ("read", chunk(Chunk.OFFSET_HOLE, nbd.HOLE_PAYLOAD.pack(2, 1 << 31)), "for a read of 4"),
        ("read", chunk(Chunk.OFFSET_DATA, WHOLE, 0) * 2, "for a read of 4"),
        ("read", chunk(Chunk.NONE), "nothing came for READ"),
        ("read", chunk(Chunk.NONE, flags=0), "chunk type 0"),
        ("read", chunk(Chunk.ERROR, b"\0\0\0\0\0\0"), "says success"),
        ("read", chunk(Chunk.ERROR, b"\0"), "without an error"),
        ("read", chunk(7), "chunk type 7"),
        (
            "read",
            nbd.CHUNK.pack(nbd.CHUNK_MAGIC, 1, 1, 1, 1 << 31),
            "a reply chunk of 2147483648 bytes",
        ),
        ("block-status", chunk(Chunk.BLOCK_STATUS, nbd.U32.pack(5)), "block status in 4 bytes"),
        ("block-status", chunk(Chunk.BLOCK_STATUS, bytes(12)), "not asked for"),
        ("block-status", chunk(Chunk.NONE), "nothing came for BLOCK_STATUS"),
    ],
)
def test_guest_and_rubbish(tmp_path: Path, op: str, reply: bytes, text: str) -> None:
    with pytest.raises(nbd.NbdProtocolError, match=text):
        ask(tmp_path, started(True), reply, op)


def test_errors_both_ways() -> None:
    for err in (0, errno.EPERM, errno.EIO, errno.ENOTSUP, errno.ESHUTDOWN):
        assert nbd.to_wire(err) == nbd.from_wire(err) == err
    assert nbd.to_wire(errno.EROFS) == nbd.from_wire(4711) == errno.EINVAL

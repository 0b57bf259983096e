# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest against scripted children over a real socket, without a QEMU between them."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from qsim.block.child import Extent, Fault, Reply, ScriptedChild
from qsim.block.sparse import Sparse
from qsim.target import nbd_proto as nbd
from qsim.target.nbd_client import (
    GuestConnection,
    GuestReply,
    NbdConnectionLost,
    NbdRefused,
    NbdTimeoutError,
    ping,
)
from qsim.target.nbd_proto import Transmission
from qsim.target.nbd_server import Arrival, ChildServer
from qsim.target.nbd_wire import drained

BOUND_S = 10.0


def child(size: int = 4096, **more: object) -> ScriptedChild:
    """A child whose every byte is its offset modulo 251."""
    contents = Sparse.of(bytes(offset % 251 for offset in range(size)))
    return ScriptedChild("c0", contents, **more)  # type: ignore[arg-type]


class House:
    """A server with one export, ``e0``; requests are completed at once or kept in ``held``."""

    def __init__(self, server: ChildServer, served: ScriptedChild, hold: bool) -> None:
        self.server = server
        self.child = served
        self.hold = hold
        self.seen: list[str] = []
        self.held: list[Arrival] = []
        self.lost: list[str] = []
        self.guests: list[GuestConnection] = []
        self._more = asyncio.Event()
        server.add("e0", served, self.arrived, self.lost.append)

    def arrived(self, arrival: Arrival) -> None:
        self.seen.append(str(arrival.request))
        if self.hold:
            self.held.append(arrival)
            self._more.set()
        else:
            arrival.answer(self.child.complete(arrival.request))

    async def wait_held(self, count: int) -> None:
        async with asyncio.timeout(BOUND_S):
            while len(self.held) < count:
                self._more.clear()
                await self._more.wait()

    async def connect(self) -> GuestConnection:
        guest = await GuestConnection.connect(self.server.path, "e0", BOUND_S)
        self.guests.append(guest)
        return guest


@asynccontextmanager
async def house(
    path: Path, served: ScriptedChild | None = None, hold: bool = False
) -> AsyncIterator[House]:
    server = ChildServer(str(path / "s"))
    await server.start()
    home = House(server, served or child(), hold)
    try:
        yield home
    finally:
        for guest in home.guests:
            guest.abort()
        await server.close()
    assert not (path / "s").exists()


async def settle(condition: Callable[[], bool]) -> None:
    """Let the event loop turn until ``condition`` holds."""
    async with asyncio.timeout(BOUND_S):
        while not condition():
            await asyncio.sleep(0)


def test_every_operation(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            guest = await h.connect()
            assert guest.size == 4096
            assert guest.block_sizes == (1, 1, nbd.MAX_PAYLOAD)
            assert await guest.submit("read", 10, 3) == GuestReply(0, bytes([10, 11, 12]))
            assert await guest.submit("write", 10, 2, b"ab", ("fua",)) == GuestReply(0)
            assert await guest.submit("write-zeroes", 512, 512) == GuestReply(0)
            assert await guest.submit(
                "write-zeroes", 1024, 512, flags=("fast-zero", "no-hole", "fua")
            ) == GuestReply(0)
            assert await guest.submit("discard", 2048, 100) == GuestReply(0)
            status = await guest.submit("block-status", 512, 4096 - 512)
            assert status.extents == (Extent(512, hole=True, zero=True),)
            status = await guest.submit("block-status", 0, 100)
            assert status.extents == (Extent(100, hole=False, zero=False),)
            await ping(guest)
            guest.close()
            await settle(lambda: not h.server.connections("e0"))
            assert h.child.contents.read(9, 13) == bytes([9, *b"ab", 12])
            assert not any(h.child.contents.read(512, 1536))
            assert h.seen == [
                "c0 read 10 3",
                "c0 write 10 2 fua",
                "c0 write-zeroes 512 512",
                "c0 write-zeroes 1024 512 fua no-hole fast-zero",
                "c0 discard 2048 100",
                "c0 block-status 512 3584",
                "c0 block-status 0 100",
                "c0 flush",
            ]
            assert (h.lost, h.server.errors) == ([], [])

    asyncio.run(run())


@pytest.mark.parametrize("op", ["read", "write", "write-zeroes", "flush", "block-status"])
@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (errno.EPERM, errno.EPERM),
        (errno.EIO, errno.EIO),
        (errno.ENOMEM, errno.ENOMEM),
        (errno.EINVAL, errno.EINVAL),
        (errno.ENOSPC, errno.ENOSPC),
        (errno.EOVERFLOW, errno.EOVERFLOW),
        (errno.ENOTSUP, errno.ENOTSUP),
        (errno.ESHUTDOWN, errno.ESHUTDOWN),
        (errno.EBADF, errno.EINVAL),
    ],
)
def test_every_error(tmp_path: Path, op: str, said: int, heard: int) -> None:
    async def run() -> None:
        async with house(tmp_path, child(faults=[Fault(op, said, count=1)])) as h:
            guest = await h.connect()
            length = 0 if op == "flush" else 2
            data = b"ab" if op == "write" else None
            assert await guest.submit(op, 0, length, data) == GuestReply(heard)
            assert (await guest.submit(op, 0, length, data)).errno == 0
            guest.close()

    asyncio.run(run())


def test_large_transfers_and_many_in_flight(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, child(1 << 20)) as h:
            guest = await h.connect()
            blob = bytes(range(256)) * 4096
            replies = await asyncio.gather(
                guest.submit("write", 0, len(blob), blob),
                *(guest.submit("read", at * 8192, 8192) for at in range(128)),
                guest.submit("read", 0, len(blob)),
            )
            assert replies[-1].data == blob
            assert b"".join(reply.data for reply in replies[1:-1]) == blob
            guest.close()

    asyncio.run(run())


def test_replies_go_out_in_the_order_of_the_schedule(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, hold=True) as h:
            guest = await h.connect()
            done: list[int] = []
            futures = [guest.submit("read", at, 1) for at in range(3)]
            for at, future in enumerate(futures):
                future.add_done_callback(lambda _, at=at: done.append(at))  # type: ignore[misc]
            await h.wait_held(3)
            for at in (2, 0, 1):
                h.held[at].answer(h.child.complete(h.held[at].request))
                await drained(h.held[at].connection, BOUND_S)
            await settle(lambda: len(done) == 3)
            assert done == [2, 0, 1]

    asyncio.run(run())


def test_drained_waits_until_the_peer_has_read(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, child(4 << 20), hold=True) as h:
            guest = await h.connect()
            future = guest.submit("read", 0, 4 << 20)
            await h.wait_held(1)
            guest.transport.pause_reading()
            held = h.held[0]
            held.answer(h.child.complete(held.request))
            with pytest.raises(TimeoutError, match="still unread"):
                await drained(held.connection, 0.0)
            guest.transport.resume_reading()
            await drained(held.connection, BOUND_S)
            assert held.connection.unsent() == 0
            assert len((await future).data) == 4 << 20
            guest.abort()
            await settle(lambda: held.connection.gone)
            await drained(held.connection, 0.0)

    asyncio.run(run())


def test_dead_connection(tmp_path: Path) -> None:
    async def run() -> None:
        served = child(faults=[Fault("write", 0, dead=True)])
        async with house(tmp_path, served, hold=True) as h:
            guest = await h.connect()
            futures = [guest.submit("read", 0, 1), guest.submit("write", 0, 1, b"x")]
            await h.wait_held(2)
            h.held[1].answer(served.complete(h.held[1].request))
            await drained(h.held[1].connection, BOUND_S)
            assert h.lost == ["e0"]
            h.held[0].answer(Reply(data=b"x"))  # goes nowhere
            for future in futures:
                with pytest.raises(NbdConnectionLost, match="2 in flight"):
                    await future
            with pytest.raises(NbdConnectionLost, match="is closed"):
                await guest.submit("flush")
            with pytest.raises(NbdRefused, match="'e0' is dead"):
                await h.connect()
            assert h.server.errors == []

    asyncio.run(run())


def test_a_connection_can_end_with_what_nobody_can_read(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, hold=True) as h:
            h.server.garbles = True
            guest = await h.connect()
            future = guest.submit("flush")
            await h.wait_held(1)
            h.held[0].answer(Reply(dead=True))
            with pytest.raises(nbd.NbdProtocolError, match="magic"):
                await future
            await settle(lambda: not h.server.connections("e0"))

    asyncio.run(run())


def test_two_connections_to_one_export(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, hold=True) as h:
            one, two = await h.connect(), await h.connect()
            first, second = one.submit("flush"), two.submit("read", 7, 1)
            await h.wait_held(2)
            assert h.server.connections("e0") == 2
            assert len({id(held.connection) for held in h.held}) == 2
            by_op = {held.request.op: held for held in h.held}
            by_op["flush"].answer(Reply(dead=True))
            with pytest.raises(NbdConnectionLost):
                await first
            by_op["read"].answer(Reply(data=b"z"))
            assert (await second).data == b"z"
            assert h.lost == ["e0"]
            two.close()

    asyncio.run(run())


def test_remove_cuts_and_refuses(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, hold=True) as h:
            guest = await h.connect()
            future = guest.submit("flush")
            await h.wait_held(1)
            h.server.remove("e0")
            with pytest.raises(NbdConnectionLost):
                await future
            assert h.lost == []
            with pytest.raises(NbdRefused, match="no export 'e0' here"):
                await h.connect()
            with pytest.raises(KeyError):
                h.server.remove("e0")

    asyncio.run(run())


def test_guest_that_leaves_without_a_goodbye(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:
            guest = await h.connect()
            guest.abort()
            await settle(lambda: bool(h.lost))
            assert (h.lost, h.server.errors) == (["e0"], [])

    asyncio.run(run())


@pytest.mark.parametrize(
    ("features", "flags"),
    [
        ((), 0),
        (("flush",), Transmission.SEND_FLUSH),
        (("fua",), Transmission.SEND_FUA),
        (("trim",), Transmission.SEND_TRIM),
        (("write-zeroes",), Transmission.SEND_WRITE_ZEROES),
        (
            ("write-zeroes", "fast-zero"),
            Transmission.SEND_WRITE_ZEROES | Transmission.SEND_FAST_ZERO,
        ),
        (("block-status",), 0),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_features(tmp_path: Path, features: tuple[str, ...], flags: int, read_only: bool) -> None:
    async def run() -> None:
        served = child(features=frozenset(features), read_only=read_only, block_size=512)
        async with house(tmp_path, served) as h:
            guest = await h.connect()
            always = Transmission.HAS_FLAGS | Transmission.SEND_DF
            assert guest.flags == flags | always | (Transmission.READ_ONLY if read_only else 0)
            assert guest.has_status == ("block-status" in features)
            assert guest.block_sizes == (512, 512, nbd.MAX_PAYLOAD)
            guest.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("op", "offset", "length", "flags", "err", "text"),
    [
        ("read", 4096, 512, (), errno.EINVAL, "past the end at 4096"),
        ("read", 0, 0, (), errno.EINVAL, "empty"),
        ("read", 2**63, 512, (), errno.EINVAL, "past the end"),
        ("read", 1, 512, (), errno.EINVAL, "not aligned to 512"),
        ("read", 0, 512, ("no-hole",), errno.EINVAL, "flags unknown or not offered"),
        ("flush", 0, 512, (), errno.EINVAL, "a flush has no range"),
        ("discard", 0, 512, (), errno.EINVAL, "command unknown or not offered"),
        ("write", 0, 512, ("fua",), errno.EINVAL, "flags unknown or not offered"),
    ],
)
def test_malformed_requests_are_recorded(
    tmp_path: Path,
    op: str,
    offset: int,
    length: int,
    flags: tuple[str, ...],
    err: int,
    text: str,
) -> None:
    async def run() -> None:
        served = child(block_size=512, features=frozenset({"flush"}))
        async with house(tmp_path, served) as h:
            guest = await h.connect()
            data = bytes(length) if op == "write" else None
            assert await guest.submit(op, offset, length, data, flags) == GuestReply(err)
            assert h.seen == []
            assert len(h.server.errors) == 1
            assert h.server.errors[0].startswith("export 'e0': command")
            assert text in h.server.errors[0]
            await ping(guest)  # the connection is as good as before

    asyncio.run(run())


def test_read_only_refuses_writes(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, child(read_only=True)) as h:
            guest = await h.connect()
            assert await guest.submit("write", 0, 1, b"x") == GuestReply(errno.EPERM)
            assert await guest.submit("discard", 0, 1) == GuestReply(errno.EPERM)
            assert ["read-only" in text for text in h.server.errors] == [True, True]

    asyncio.run(run())


def test_submit_checks_its_arguments(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, child(features=frozenset())) as h:
            guest = await h.connect()
            with pytest.raises(ValueError, match="unknown operation or flag: truncate"):
                guest.submit("truncate")
            with pytest.raises(ValueError, match="unknown operation or flag"):
                guest.submit("flush", flags=("df",))
            with pytest.raises(ValueError, match="does not fit"):
                guest.submit("write", 0, 2, b"x")
            with pytest.raises(ValueError, match="does not fit"):
                guest.submit("read", 0, 1, b"x")
            with pytest.raises(ValueError, match="NBD takes"):
                guest.submit("read", 0, nbd.MAX_PAYLOAD + 1)
            with pytest.raises(ValueError, match="not negotiated"):
                guest.submit("block-status", 0, 1)
            assert h.seen == []

    asyncio.run(run())


def test_add_checks_its_arguments(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path) as h:

            def add(name: str, served: ScriptedChild) -> None:
                h.server.add(name, served, h.arrived)

            with pytest.raises(ValueError, match="served already"):
                add("e0", child())
            with pytest.raises(ValueError, match="longer than"):
                add("e" * 5000, child())
            with pytest.raises(ValueError, match="unknown features"):
                add("e1", child(features=frozenset({"cache"})))
            with pytest.raises(ValueError, match="fast-zero needs write-zeroes"):
                add("e1", child(features=frozenset({"fast-zero"})))
            with pytest.raises(ValueError, match="no power of two"):
                add("e1", child(block_size=48))
            with pytest.raises(ValueError, match="no multiple of 512"):
                add("e1", child(1000, block_size=512))

    asyncio.run(run())


def test_path_too_long(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="socket path has 108 bytes, a UNIX socket takes 107"):
        ChildServer("/" + "x" * 107)
    ChildServer("/" + "x" * 106)


def test_stale_socket_is_replaced_and_close_is_harmless(tmp_path: Path) -> None:
    async def run() -> None:
        server = ChildServer(str(tmp_path / "s"))
        await server.close()
        await server.start()
        again = ChildServer(str(tmp_path / "s"))
        await again.start()
        again.add("e0", child(), lambda arrival: arrival.answer(Reply()))
        guest = await GuestConnection.connect(again.path, "e0", BOUND_S)
        await ping(guest)
        future = guest.submit("flush")
        await again.close()
        with pytest.raises(NbdConnectionLost):
            await future
        await again.close()
        await server.close()

    asyncio.run(run())


def test_nobody_there_and_nobody_answering(tmp_path: Path) -> None:
    async def run() -> None:
        path = str(tmp_path / "mute")
        with pytest.raises(OSError, match=r"No such file|Connection refused"):
            await GuestConnection.connect(path, "e0", BOUND_S)
        loop = asyncio.get_running_loop()
        mute = await loop.create_unix_server(asyncio.Protocol, path)
        with pytest.raises(NbdTimeoutError, match=r"waited 0.01 s for the greeting \(export 'e0'"):
            await GuestConnection.connect(path, "e0", 0.01)
        mute.close()
        await asyncio.sleep(0)

    asyncio.run(run())


def test_a_request_nobody_waits_for_any_more(tmp_path: Path) -> None:
    async def run() -> None:
        async with house(tmp_path, hold=True) as h:
            guest = await h.connect()
            given_up, other = guest.submit("read", 0, 1), guest.submit("read", 1, 1)
            await h.wait_held(2)
            given_up.cancel()
            for held in h.held:
                held.answer(h.child.complete(held.request))
            assert (await other).data == b"\1"

    asyncio.run(run())

# SPDX-License-Identifier: GPL-2.0-or-later
"""How a binary of the series' time is spoken to, and what is made of its ends, without one."""

from __future__ import annotations

import asyncio
import errno
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qsim.block.child import ScriptedChild
from qsim.block.events import limiter_key_2014
from qsim.block.sparse import Sparse
from qsim.outcome import Outcome, StepOutcome, against_fixture, between, events_match
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.scenario.notation import parse_event
from qsim.target import nbd_proto as nbd
from qsim.target.model import run_model
from qsim.target.nbd_client import NbdConnectionLost
from qsim.target.nbd_server import Arrival, ChildServer
from qsim.target.old import OldNames, is_old, reconnects, unsupported
from qsim.target.old_guest import OldGuestConnection
from qsim.target.old_server import OldSocket

Load = Callable[[str], list[Case]]
BOUND_S = 10.0

CRASH = """
- name: null pointer
  children: 2
  quorum: {vote-threshold: 1}
  steps:
  - read: [0, 512]
    faults: {c0: EIO}
    expect:
      requests: all
      undefined: "null dereference in quorum_aio_cb() from bdrv_co_em_bh(): sacb->aiocb"
- name: beyond
  children: 2
  quorum: {vote-threshold: 1, read-pattern: fifo}
  steps:
  - read: [0, 512]
    faults: {c0: EIO, c1: EIO}
    expect:
      ret: EIO
      requests: [c0 read 0 512, c1 read 0 512]
      undefined: "out of bounds in quorum_aio_finalize() from quorum_aio_cb(): acb->qcrs[2]"
- name: cancelled
  steps:
  - read: [0, 512]
    complete: [c0, cancel]
    expect: {ret: 0, data: A, requests: all}
"""


@pytest.mark.parametrize(
    ("version", "old"),
    [("2.1.50", True), ("2.3.50", True), ("2.8.1", True), ("2.9.0", False), ("7.2.22", False)],
)
def test_binaries_up_to_2_8_are_old(version: str, old: bool) -> None:
    assert is_old(version) == old


@pytest.mark.parametrize(
    ("version", "does"), [("2.1.50", False), ("5.2.0", True), ("7.2.22", False), ("10.0.2", False)]
)
def test_binaries_up_to_7_1_connect_dead_children_again(version: str, does: bool) -> None:
    assert reconnects(version) == does


def test_cancelling_is_all_an_old_binary_cannot_do(load: Load) -> None:
    null, beyond, cancelled = load(CRASH)
    assert (unsupported(null), unsupported(beyond)) == ("", "")
    assert "cancels" in unsupported(cancelled)


def test_node_and_device_lead_back_to_the_one_name() -> None:
    names = OldNames(["c0", "q"], 17)
    assert (names.real("q"), names.device("q")) == ("q__17", "q__17d")
    text = "disk image q__17d: node c0__17, but c0__18 and q__17de"
    assert names.back(text) == "disk image q: node c0, but c0__18 and q__17de"
    assert names.mine("") and names.mine("disk7")


def binary(case: Case, change: Callable[[StepOutcome], StepOutcome]) -> Outcome:
    """What a binary shows that does as the model of v4, but for its last step."""
    shown = run_model(case, revision("v4"))
    last = replace(shown.steps[-1], undefined=None)
    shown.steps[-1] = change(last)
    return replace(shown, witness="QEMU 2.1.50", sees_memory=False, leaks=None)


@pytest.mark.parametrize("status", [-11, 139])
def test_null_pointer_is_a_segmentation_fault(load: Load, status: int) -> None:
    case = load(CRASH)[0]
    outcome = binary(case, lambda step: replace(step, exit=(status, "")))
    assert against_fixture(case, outcome) == []
    assert between(run_model(case, revision("v4")), outcome) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda step: replace(step, exit=(-6, "assertion")),
        lambda step: replace(step, exit=(1, "")),
        lambda step: replace(step, ret="0", data=b"A" * 512),
        lambda step: replace(step, exit=(-11, ""), beats=[]),
        lambda step: replace(
            step, exit=(-11, ""), events=[parse_event("QUORUM_REPORT_BAD c0 0 1 EIO")]
        ),
    ],
)
def test_null_pointer_that_does_not_end_the_process_there_is_a_difference(
    load: Load, change: Callable[[StepOutcome], StepOutcome]
) -> None:
    case = load(CRASH)[0]
    assert against_fixture(case, binary(case, change)) != []


@pytest.mark.parametrize(
    "change",
    [
        lambda step: step,
        lambda step: replace(step, exit=(-6, "corrupted")),
        lambda step: replace(step, exit=(-11, ""), ret=None),
    ],
)
def test_after_other_undefined_behaviour_anything_goes(
    load: Load, change: Callable[[StepOutcome], StepOutcome]
) -> None:
    case = load(CRASH)[1]
    assert against_fixture(case, binary(case, change)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda step: replace(step, ret="0"),
        lambda step: replace(step, beats=step.beats[:2]),
        lambda step: replace(step, events=[parse_event("QUORUM_FAILURE q 0 1")]),
    ],
)
def test_what_comes_before_undefined_behaviour_is_compared(
    load: Load, change: Callable[[StepOutcome], StepOutcome]
) -> None:
    case = load(CRASH)[1]
    assert against_fixture(case, binary(case, change)) != []


def test_events_were_limited_by_kind_alone() -> None:
    emitted = [parse_event(f"QUORUM_REPORT_BAD c{i} 0 1 EIO") for i in range(3)]
    first_and_last = [emitted[0], emitted[2]]
    assert events_match(emitted, first_and_last, limiter_key_2014)
    assert not events_match(emitted, first_and_last)
    assert not events_match(emitted, emitted[:2], limiter_key_2014)


def bounded(what: Awaitable[None]) -> None:
    async def within() -> None:
        async with asyncio.timeout(BOUND_S):
            await what

    asyncio.run(within())


async def export_of_2014(path: Path, replies: list[bytes]) -> asyncio.Server:
    """A server that is newstyle but not fixed: it knows an export's name and no other option."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(nbd.GREETING.pack(nbd.MAGIC, nbd.OPTION_MAGIC, 0))
        flags, magic, opt, length = struct.unpack(">IQII", await reader.readexactly(20))
        name = await reader.readexactly(length)
        if (flags, magic, opt, name) != (0, nbd.OPTION_MAGIC, 1, b"q__1d"):
            writer.close()
            return
        writer.write(nbd.U64.pack(65536) + nbd.U16.pack(0x0D) + bytes(124))
        for reply in replies:
            head = await reader.readexactly(nbd.REQUEST.size)
            cookie = nbd.REQUEST.unpack(head)[3]
            writer.write(reply.replace(b"COOKIE..", nbd.U64.pack(cookie)))
        await reader.read()
        writer.close()

    return await asyncio.start_unix_server(serve, str(path))


def simple(error: int, data: bytes = b"") -> bytes:
    return nbd.U32.pack(nbd.SIMPLE_REPLY_MAGIC) + nbd.U32.pack(error) + b"COOKIE.." + data


def test_guest_takes_the_one_option_there_was_and_errors_as_they_are(tmp_path: Path) -> None:
    replies = [simple(0, b"A" * 512), simple(errno.EROFS), simple(0xFFFFFFEA)]

    async def play() -> None:
        server = await export_of_2014(tmp_path / "s", replies)
        async with server:
            guest = await OldGuestConnection.connect(str(tmp_path / "s"), "q__1d", BOUND_S)
            assert (guest.size, guest.flags) == (65536, 0x0D)
            assert (await guest.submit("read", 0, 512)).data == b"A" * 512
            assert (await guest.submit("flush")).errno == errno.EROFS
            assert (await guest.submit("flush")).errno == 0xFFFFFFEA
            guest.close()

    bounded(play())


def test_guest_of_an_export_that_is_not_there_hears_nothing_but_the_end(tmp_path: Path) -> None:
    async def play() -> None:
        server = await export_of_2014(tmp_path / "s", [])
        async with server:
            with pytest.raises(NbdConnectionLost, match="the export"):
                await OldGuestConnection.connect(str(tmp_path / "s"), "nosuch", BOUND_S)

    bounded(play())


def test_child_without_a_name_is_greeted_for_and_served(tmp_path: Path) -> None:
    served = ScriptedChild("c0", Sparse.of(b"A" * 4096))
    seen: list[str] = []

    def arrived(arrival: Arrival) -> None:
        seen.append(str(arrival.request))
        arrival.answer(served.complete(arrival.request))

    async def play() -> None:
        server = ChildServer(str(tmp_path / "children.sock"))
        await server.start()
        server.add("c0__1", served, arrived)
        socket = await OldSocket.of(server, "c0__1")
        reader, writer = await asyncio.open_unix_connection(socket.path)
        magic, other, size, flags = struct.unpack(">QQQI124x", await reader.readexactly(152))
        assert (magic, other) == (nbd.MAGIC, 0x00420281861253)
        assert size == 4096
        # What the client of the time looks at: flags there are, flush, FUA, trim.
        assert flags & 0x2D == 0x2D
        writer.write(nbd.REQUEST.pack(nbd.REQUEST_MAGIC, 1, 3, 7, 0, 0))
        writer.write(nbd.REQUEST.pack(nbd.REQUEST_MAGIC, 0, 0, 8, 512, 512))
        assert await reader.readexactly(16) == nbd.SIMPLE_REPLY.pack(nbd.SIMPLE_REPLY_MAGIC, 0, 7)
        assert await reader.readexactly(16) == nbd.SIMPLE_REPLY.pack(nbd.SIMPLE_REPLY_MAGIC, 0, 8)
        assert await reader.readexactly(512) == b"A" * 512
        writer.close()
        socket.close()
        assert not Path(socket.path).exists()
        await server.close()

    bounded(play())
    assert seen == ["c0 flush fua", "c0 read 512 512"]

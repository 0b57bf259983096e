# SPDX-License-Identifier: GPL-2.0-or-later
"""The block layer of 2014 over one child: what the guest's requests come to and are answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from qsim.block.aio import bdrv_co_aio_rw_vector
from qsim.block.child import FEATURES, Fault, ScriptedChild
from qsim.block.coroutine import Coroutine
from qsim.block.errno import number
from qsim.block.export import GuestReply
from qsim.block.export_2014 import Export2014
from qsim.block.iovec import QEMUIOVector, qemu_iovec_init_buf
from qsim.block.memory import Struct, Undefined
from qsim.block.nbd_2014 import Nbd2014Node
from qsim.block.node import World
from qsim.block.sparse import Sparse
from qsim.block.stage import Stage
from qsim.block.switches import NBD_FEW_ERRNOS, NBD_GONE_IS_EBADF, READ_ONLY_IS_EPERM, Switch

SIZE = 4 << 20
#: The longest request the client of the time made.
PIECE = 2040 * 512


class Device:
    """A node over one child, exported to a guest whose requests are played to their end."""

    def __init__(
        self,
        *switches: Switch,
        faults: Sequence[Fault] = (),
        without: Sequence[str] = (),
        read_only: bool = False,
        writable: bool = True,
    ) -> None:
        features = frozenset(FEATURES) - frozenset(without)
        self.child = ScriptedChild("c0", Sparse(SIZE, ord("A")), 1, features, read_only)
        self.child.faults = list(faults)
        self.stage: Stage[Any] = Stage({"c0": self.child})
        self.world = World(frozenset(switches))
        self.bs = Nbd2014Node(self.world, "c0", self.child, self.stage)
        self.bs.connected()
        self.bs.refresh_total_sectors()
        self.export = Export2014(self.bs, writable)
        self.asked: list[str] = []

    def turn(self) -> bool:
        """The child answers what it was asked first."""
        self.stage.settle()
        if self.stage.held:
            self.asked.append(str(self.stage.held[0].request))
        gone = self.stage.complete_next()
        for held, reply in gone:
            held.cookie.deliver(reply)
        return bool(gone)

    def guest(
        self, op: str, offset: int = 0, bytes_: int = 512, flags: tuple[str, ...] = ()
    ) -> GuestReply:
        """A request and its reply; ``asked`` is what the child was asked for it."""
        replies: list[GuestReply] = []
        data = b"W" * bytes_ if op == "write" else None

        async def request() -> None:
            replies.append(await self.export.request(op, offset, bytes_, data, flags))

        self.asked = []
        Coroutine(request).enter()
        while self.turn():
            pass
        (reply,) = replies
        assert self.world.ledger.leaks() == []
        return reply

    def ret(self, op: str, offset: int = 0, bytes_: int = 512, flags: Sequence[str] = ()) -> int:
        """The errno of a reply."""
        return self.guest(op, offset, bytes_, tuple(flags)).errno


def test_read_gives_the_bytes_up_to_the_last_sector() -> None:
    device = Device()
    reply = device.guest("read", SIZE - 1024, 1024)
    assert (reply.errno, reply.data) == (0, b"A" * 1024)
    assert device.asked == [f"c0 read {SIZE - 1024} 1024"]


@pytest.mark.parametrize("op", ["read", "write", "discard"])
@pytest.mark.parametrize("offset", [SIZE, SIZE - 512])
def test_request_beyond_the_end_is_refused_with_a_sign_too_many(op: str, offset: int) -> None:
    device = Device()
    assert device.ret(op, offset, 1024) == (1 << 32) - number("EINVAL")
    assert device.asked == []


def test_request_beyond_the_end_is_invalid_once_errors_are_mapped() -> None:
    assert Device(NBD_FEW_ERRNOS).ret("read", SIZE) == number("EINVAL")


@pytest.mark.parametrize(("offset", "bytes_"), [(1, 512), (0, 511), (256, 256)])
def test_part_of_a_sector_is_outside_the_model(offset: int, bytes_: int) -> None:
    with pytest.raises(NotImplementedError, match="whole sectors only"):
        Device().guest("read", offset, bytes_)


@pytest.mark.parametrize("op", ["write-zeroes", "block-status"])
def test_operation_of_later_years_is_outside_the_model(op: str) -> None:
    with pytest.raises(NotImplementedError, match=f"has no {op}"):
        Device().guest(op)


# Long requests go in pieces.


@pytest.mark.parametrize("op", ["read", "write"])
def test_long_request_goes_in_pieces_one_after_the_other(op: str) -> None:
    device = Device()
    reply = device.guest(op, 512, 2 * PIECE + 1024)
    assert reply.errno == 0
    assert device.asked == [
        f"c0 {op} 512 {PIECE}",
        f"c0 {op} {512 + PIECE} {PIECE}",
        f"c0 {op} {512 + 2 * PIECE} 1024",
    ]
    if op == "read":
        assert reply.data == b"A" * (2 * PIECE + 1024)
    else:
        held = device.child.contents.read(0, SIZE)
        assert held.strip(b"A") == b"W" * (2 * PIECE + 1024)


@pytest.mark.parametrize("op", ["read", "write"])
def test_request_of_the_greatest_length_goes_in_one_piece(op: str) -> None:
    device = Device()
    assert device.ret(op, 0, PIECE) == 0
    assert device.asked == [f"c0 {op} 0 {PIECE}"]


@pytest.mark.parametrize("op", ["read", "write"])
def test_piece_that_fails_is_the_last(op: str) -> None:
    device = Device(faults=[Fault(op, number("ENOSPC"), skip=1)])
    assert device.ret(op, 0, 3 * PIECE) == number("ENOSPC")
    assert device.asked == [f"c0 {op} 0 {PIECE}", f"c0 {op} {PIECE} {PIECE}"]


# Errors.


@pytest.mark.parametrize(
    ("name", "few"),
    [
        ("EPERM", "EPERM"),
        ("EIO", "EIO"),
        ("ENOMEM", "ENOMEM"),
        ("ENOSPC", "ENOSPC"),
        ("EINVAL", "EINVAL"),
        ("EOVERFLOW", "EINVAL"),
        ("ENOTSUP", "EINVAL"),
        ("ESHUTDOWN", "EINVAL"),
    ],
)
def test_errors_go_as_they_are_until_only_few_do(name: str, few: str) -> None:
    for op in ("read", "write", "flush"):
        faults = [Fault(op, number(name))]
        assert Device(faults=faults).ret(op) == number(name)
        assert Device(NBD_FEW_ERRNOS, faults=faults).ret(op) == number(few)


def test_child_that_dies_fails_with_eio_and_then_another_way() -> None:
    for switches, later in (((), "EPERM"), ((NBD_GONE_IS_EBADF,), "EBADF")):
        device = Device(*switches, faults=[Fault("read", 0, dead=True)])
        assert device.ret("read") == number("EIO")
        for op in ("read", "write", "flush"):
            assert device.ret(op) == number(later)
            assert device.asked == []


@pytest.mark.parametrize(
    ("switches", "write", "discard"),
    [((), "EACCES", "EROFS"), ((READ_ONLY_IS_EPERM,), "EPERM", "EPERM")],
)
def test_read_only_node_refuses_without_asking(
    switches: tuple[Switch, ...], write: str, discard: str
) -> None:
    device = Device(*switches, read_only=True)
    assert device.ret("write") == number(write)
    assert device.ret("discard") == number(discard)
    assert device.ret("flush") == 0
    assert device.asked == []
    assert device.ret("read") == 0


def test_read_only_export_refuses_writes_itself() -> None:
    device = Device(writable=False)
    assert device.ret("write") == number("EROFS")
    assert device.asked == []


def test_discard_succeeds_and_nobody_is_asked() -> None:
    device = Device()
    assert (device.ret("discard", 0, 4096), device.asked) == (0, [])


# Flushes.


@pytest.mark.parametrize(
    ("without", "asked"),
    [((), ["c0 flush fua"]), (("fua",), ["c0 flush"]), (("flush",), []), (("flush", "fua"), [])],
)
def test_flush_goes_to_a_child_that_knows_it_with_fua_where_that_is_known(
    without: tuple[str, ...], asked: list[str]
) -> None:
    device = Device(without=without)
    assert device.ret("flush") == 0
    assert device.asked == asked


def test_write_with_fua_is_flushed_after_it() -> None:
    device = Device()
    assert device.ret("write", flags=["fua"]) == 0
    assert device.asked == ["c0 write 0 512", "c0 flush fua"]


def test_write_with_fua_that_fails_is_not_flushed() -> None:
    device = Device(faults=[Fault("write", 5)])
    assert device.ret("write", flags=["fua"]) == number("EIO")
    assert device.asked == ["c0 write 0 512"]


def test_flush_after_a_write_decides_what_the_guest_gets() -> None:
    device = Device(faults=[Fault("flush", number("ENOSPC"))])
    assert device.ret("write", flags=["fua"]) == number("ENOSPC")


def test_read_with_fua_is_flushed_before_it_and_not_done_when_that_fails() -> None:
    device = Device()
    assert device.ret("read", flags=["fua"]) == 0
    assert device.asked == ["c0 flush fua", "c0 read 0 512"]
    device = Device(faults=[Fault("flush", 5)])
    assert device.ret("read", flags=["fua"]) == number("EIO")
    assert device.asked == ["c0 flush fua"]


# Where the data of a reply goes.


def vector_of(device: Device) -> QEMUIOVector:
    """A buffer of one sector."""
    ledger = device.world.ledger
    return qemu_iovec_init_buf(ledger, ledger.alloc("buf", 512, zeroed=False), 0, 512)


def started(device: Device, qiov: QEMUIOVector) -> None:
    """A read of the first sector into ``qiov`` that nobody waits for."""
    ledger = device.world.ledger
    opaque = Struct(ledger, ledger.alloc("opaque"), "opaque->", zeroed=True)
    bdrv_co_aio_rw_vector(device.bs, 0, qiov, 1, lambda opaque, ret: None, opaque, is_write=False)


def test_reply_is_read_into_a_buffer_that_must_still_be_there() -> None:
    device = Device()
    qiov = vector_of(device)
    started(device, qiov)
    device.world.ledger.free(qiov.iov[0].block)
    with pytest.raises(Undefined) as caught:
        device.turn()
    assert str(caught.value) == (
        "use after free in nbd_co_receive_reply() from bdrv_co_do_preadv(): buf"
    )


@pytest.mark.parametrize("dead", [False, True])
def test_reply_without_data_touches_no_buffer(dead: bool) -> None:
    device = Device(faults=[Fault("read", 0 if dead else 5, dead=dead)])
    qiov = vector_of(device)
    started(device, qiov)
    device.world.ledger.free(qiov.iov[0].block)
    assert device.turn()

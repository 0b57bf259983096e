# SPDX-License-Identifier: GPL-2.0-or-later
"""Repeat a thing on a process of its own and look how its memory grows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qemu.qmp import ExecuteError, QMPError

from qsim.leak.thing import PATTERN, SIZE, Command, Node, Repeated, Request
from qsim.target.error import NotUsable, QemuDied, QemuHung
from qsim.target.nbd_client import GuestConnection, GuestReply
from qsim.target.nbd_proto import NbdError
from qsim.target.pool import Pool
from qsim.target.process import PATIENCE_S, QemuProcess
from qsim.target.sanitizer import has_asan

#: How many series must grow, one after the other, before that counts.
LOOKS = 3
#: A series that grows by this part of what is harmless, or less, does not grow.
QUIET = 4
#: How many requests, and how many commands, are under way at once.
IN_FLIGHT = 16
COMMANDS_AT_ONCE = 8
#: How many repetitions are waited for in one go.
GO = 64
#: Why nothing is measured there.
ASAN = "AddressSanitizer keeps memory of its own for what was allocated where"


class Otherwise(Exception):
    """A repetition did not do what it is there for, so nothing was measured."""


@dataclass(frozen=True)
class Measured:
    """What became of a thing that was repeated.

    :param growths: bytes, of one series of repetitions after the other.
    :param trouble: why there are none.
    :param unsupported: why it cannot be repeated on this binary at all.
    """

    repeated: Repeated
    growths: tuple[int, ...] = ()
    trouble: str = ""
    unsupported: str = ""

    @property
    def wrong(self) -> str | None:
        """What is wrong, ready to print; None when nothing is."""
        one = self.repeated
        if self.trouble:
            return f"{one.name}: {one.what}: {self.trouble}"
        if not leaks(self.growths, one.harmless):
            return None
        grown = ", ".join(f"{growth // 1024} KiB" for growth in self.growths)
        # The first series also fills what was free before.
        each = sum(self.growths[1:]) // (one.times * (LOOKS - 1))
        functions = ", ".join(f"{name}()" for name in one.functions)
        return (
            f"{one.name}: memory is lost: {one.what}, {LOOKS} times {one.times} repetitions "
            f"after {one.warm_up} to warm up\n"
            f"  the process grew by {grown}: about {each} bytes each time\n"
            f"  block/quorum.c: {functions}"
        )


def leaks(growths: Sequence[int], harmless: int) -> bool:
    """Whether these growths, each of as many repetitions, are a leak.

    What only fills up, such as a pool, does not go on to grow.  The first growth is for that; it
    is also the one that a leak hides in, as long as there is room between other things.
    """
    later = growths[1:]
    return (
        len(growths) == LOOKS
        and min(growths) > harmless // QUIET
        and sum(later) > harmless * len(later)
    )


async def watch(
    repeat: Callable[[], Awaitable[None]], memory: Callable[[], int], harmless: int
) -> tuple[int, ...]:
    """Let ``repeat`` do a series of repetitions, and again while memory grows: the growths."""
    growths: list[int] = []
    before = memory()
    while len(growths) < LOOKS and (not growths or growths[-1] > harmless // QUIET):
        await repeat()
        after = memory()
        growths.append(after - before)
        before = after
    return tuple(growths)


def environment() -> dict[str, str]:
    """Variables for a process in which memory that is freed is used again, and kept until then."""
    return {
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_THRESHOLD_": str(128 << 10),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
        "G_SLICE": "always-malloc",
    }


def rss_anon(pid: int) -> int:
    """Bytes of anonymous memory that a process has touched (proc(5))."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise Otherwise("the kernel does not tell its anonymous memory")


async def measure(pool: Pool, repeated: Repeated) -> Measured:
    """Repeat a thing on a process of its own."""
    if pool.old:
        return Measured(repeated, unsupported="its blockdev-add cannot make what is repeated")
    try:
        async with pool.alone(environment()) as process:
            if has_asan(process.pid):
                return Measured(repeated, unsupported=ASAN)
            return Measured(repeated, await Repetition(process, repeated).watched())
    except (NotUsable, QemuDied, QemuHung, QMPError, NbdError, OSError, Otherwise) as error:
        return Measured(repeated, trouble=str(error))


class Repetition:
    """One thing on one process."""

    def __init__(self, process: QemuProcess, repeated: Repeated) -> None:
        self.process = process
        self.repeated = repeated
        self.guest: GuestConnection | None = None

    async def watched(self) -> tuple[int, ...]:
        """Make the nodes, warm up, and watch; the growths."""
        one = self.repeated
        for node in one.nodes:
            await self.process.execute("blockdev-add", self._filled(node))
        if one.requests:
            await self.process.execute(
                "block-export-add",
                {
                    **self.process.shape.export,
                    **{"type": "nbd", "id": "q", "node-name": "q", "name": "q", "writable": True},
                },
            )
            self.guest = await GuestConnection.connect(self.process.nbd_path, "q", PATIENCE_S)
            await self._ask(one.before)
        # With more under way than later, so that no pool has to grow any more.
        await self._series(one.warm_up, 2)
        pid = self.process.pid
        growths = await watch(lambda: self._series(one.times), lambda: rss_anon(pid), one.harmless)
        if self.guest is not None:
            self.guest.close()
        return growths

    def _filled(self, node: Node) -> Node:
        """A node with files of its own for the ``file`` nodes in it."""
        if node["driver"] == "file":
            path = self.process.workdir.path / f"leak-{self.process.number}-{node['node-name']}"
            path.write_bytes(PATTERN * SIZE)
            return {**node, "filename": str(path)}
        image = node.get("image")
        return {**node, "image": self._filled(image)} if isinstance(image, dict) else node

    async def _series(self, times: int, crowd: int = 1) -> None:
        """So many repetitions; afterwards QEMU has nothing left to do.

        :param crowd: so many times more than usual are under way at once.
        """
        for done in range(0, times, GO):
            count = min(GO, times - done)
            asked = self._requests if self.repeated.requests else self._commands
            name = f"{count} times {self.repeated.what}"
            await self.process.bounded(asked(count, crowd), PATIENCE_S, name)
        await self.process.ping()
        self.process.events.forget(self.process.events.mark())

    async def _requests(self, times: int, crowd: int) -> None:
        at_once = max(1, IN_FLIGHT * crowd // len(self.repeated.requests))
        for done in range(0, times, at_once):
            await self._ask(self.repeated.requests * min(at_once, times - done))

    async def _ask(self, requests: Sequence[Request]) -> None:
        """These requests at once."""
        assert self.guest is not None
        futures = [
            self.guest.submit(
                one.op, 0, one.bytes, PATTERN * one.bytes if one.op == "write" else None
            )
            for one in requests
        ]
        for request, future in zip(requests, futures, strict=True):
            _check(request, await future)

    async def _commands(self, times: int, crowd: int) -> None:
        commands = self.repeated.commands * times
        # The monitor takes no more at once (QMP_REQ_QUEUE_LEN_MAX), whatever the crowd.
        for start in range(0, len(commands), COMMANDS_AT_ONCE):
            await asyncio.gather(*map(self._command, commands[start : start + COMMANDS_AT_ONCE]))

    async def _command(self, command: Command) -> None:
        error = ""
        try:
            await self.process.ask(command.execute, command.arguments)
        except ExecuteError as refusal:
            error = refusal.error.error.desc
        if bool(error) != bool(command.error) or command.error not in error:
            wanted = f"not refused with {command.error!r}" if command.error else "refused"
            raise Otherwise(f"{command.execute} was {wanted}: {error or 'no error'}")


def _check(request: Request, reply: GuestReply) -> None:
    if request.fails is not None and bool(reply.errno) != request.fails:
        wanted = "fail" if request.fails else "succeed"
        raise Otherwise(f"{request.op} did not {wanted}: errno {reply.errno}")

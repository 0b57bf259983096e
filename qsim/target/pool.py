# SPDX-License-Identifier: GPL-2.0-or-later
"""The pool: a few QEMU processes that share the cases of a session.

One process plays one case at a time; several play side by side, so that waiting for QEMU's event
rate limiter costs no time (see :mod:`qsim.target.slots` for who plays where).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qemu.qmp import ExecuteError, QMPError

from qsim.outcome import Outcome
from qsim.scenario.case import Case
from qsim.target.attribute import Played, attribute
from qsim.target.drive import run_drive
from qsim.target.error import NotUsable, QemuDied, QemuHung
from qsim.target.eventlog import EventLog
from qsim.target.images import find_qemu_img
from qsim.target.limiter import Windows, closed
from qsim.target.nbd_proto import NbdError
from qsim.target.nbd_server import ChildServer
from qsim.target.old import is_old, reconnects, run_old, unsupported
from qsim.target.process import QemuProcess, first_line
from qsim.target.qemu import ClockJumped, QemuRun, expected_keys
from qsim.target.shape import SYSTEM, in_iothread, shape_of
from qsim.target.slots import FAILURE_KEY, Slot, Slots
from qsim.target.workdir import WorkDir

#: QUORUM_FAILURE comes once a second and process, so it takes many to see many of them.
DEFAULT_JOBS = 20
#: How often a run that says nothing about the binary is done again.
RETRIES = 3


class Pool:
    """QEMU processes of one binary.

    :param binary: path of a qemu-system binary, or a name on PATH.
    :param jobs: how many processes, started when they are needed.
    :param iothread: whether requests come through exports in an IOThread.
    """

    def __init__(self, binary: str, jobs: int = DEFAULT_JOBS, iothread: bool = False) -> None:
        self.binary = binary
        self.jobs = jobs
        self.iothread = iothread
        self.version = ""
        self.shape = SYSTEM
        #: Whether it is of the series' time and speaks as QEMU did then.
        self.old = False
        self._workdir: WorkDir | None = None
        self._server: ChildServer | None = None
        self._slots = Slots(jobs)
        # Starting is work, so few start at once.  A case with a process of its own mostly waits:
        # for its window, for the end of the process.
        self._launches = asyncio.Semaphore(2)
        self._starts = asyncio.Semaphore(6)
        self._alone: set[QemuProcess] = set()
        self._serial = 0
        self._number = 0

    async def start(self) -> None:
        """Start the first process and see that it can do what is needed.

        :raise TargetError: when it cannot; the message is one line for the user.
        """
        self.binary = check_executable(self.binary)
        self.shape = await shape_of(self.binary)
        if self.iothread:
            self.shape = in_iothread(self.shape)
        self._workdir = WorkDir()
        self._server = ChildServer(str(self._workdir.path / "children.sock"))
        await self._server.start()
        first = await self._started(QemuProcess.learn_version)
        self._slots.add(first)
        self.version = first.version
        self.old = is_old(self.version)
        self._server.garbles = reconnects(self.version)
        try:
            await _check_quorum(self.binary, first, OLD_PROBE if self.old else PROBE)
            if self.iothread:
                await self._check_iothread(first)
            elif not self.old:
                await self._ready(first.prepare())
        except (QemuDied, QemuHung, QMPError) as error:
            raise NotUsable(f"{self.binary}: {error}") from error

    async def _check_iothread(self, process: QemuProcess) -> None:
        """7.2 expects its NBD server to be in the main thread when a client goes.

        :raise NotUsable: when exports cannot be in an IOThread.
        """
        if self.old:
            raise NotUsable(f"{self.binary} is QEMU {self.version}, without exports in an IOThread")
        await self._ready(process.prepare())
        try:
            await process.hang_up()
        except QemuDied as death:
            raise NotUsable(
                f"{self.binary} is QEMU {self.version}, which does not survive that the client of "
                f"an export in an IOThread hangs up: {first_line(death.stderr)}"
            ) from death

    async def _launch(self) -> QemuProcess:
        """A process to play on."""
        return await self._started(QemuProcess.prepare)

    async def _started(
        self,
        prepare: Callable[[QemuProcess], Awaitable[None]],
        environment: Mapping[str, str] | None = None,
        events: EventLog | None = None,
    ) -> QemuProcess:
        assert self._workdir is not None
        process = QemuProcess(
            self.binary, self._workdir, self._number, shape=self.shape, environment=environment
        )
        process.events = events or process.events
        self._number += 1
        try:
            await process.start()
            await self._ready(prepare(process))
        except BaseException:
            await process.stop()
            raise
        return process

    @asynccontextmanager
    async def alone(self, environment: Mapping[str, str]) -> AsyncIterator[QemuProcess]:
        """A process that no case plays on, with these variables in its environment.

        :raise NotUsable: when none can be started any more.
        """
        async with self._starts:
            process = await self._started(QemuProcess.prepare, environment)
        async with self._ending(process):
            yield process

    @asynccontextmanager
    async def _ending(self, process: QemuProcess) -> AsyncIterator[None]:
        self._alone.add(process)
        try:
            yield
        finally:
            await _end(process)
            self._alone.discard(process)

    async def _ready(self, preparing: Awaitable[None]) -> None:
        """What is wrong with a binary that cannot be prepared, in one line.

        :raise NotUsable: when it cannot.
        """
        try:
            await preparing
        except (QemuDied, QemuHung, QMPError, NbdError, OSError) as error:
            raise NotUsable(
                f"{self.binary} cannot be prepared: {first_line(str(error))}"
            ) from error
        except (KeyError, TypeError) as error:
            raise NotUsable(
                f"{self.binary} cannot be prepared: a reply lacks {error}; is it a "
                "qemu-system binary?"
            ) from error

    def pids(self) -> list[int]:
        """The processes that run now."""
        return [one.pid for one in self._slots.processes() if one.alive]

    async def ask(self, command: str) -> Any:
        """The reply to a command that changes nothing, from a running process."""
        process = self._slots.first.process
        assert process is not None
        return await process.execute(command, {})

    async def run(self, case: Case) -> Outcome:
        """Play ``case`` and wait for its late events.

        When no process can be started any more that is the trouble of the outcome.
        """
        try:
            return await self._run(case)
        except NotUsable as error:
            return Outcome(f"QEMU {self.version}", trouble=[str(error)])

    async def _run(self, case: Case) -> Outcome:
        if self.old:
            return await self._run_old(case)
        reason = self.shape.unsupported(case)
        if reason:
            return Outcome(f"QEMU {self.version}", unsupported=reason)
        if case.drive is not None:
            return await self._run_drive(case)
        play = self._run_to_the_end if _means_exit(case) else self._run_once
        for _ in range(RETRIES):
            outcome = await play(case)
            if outcome is not None:
                return outcome
        return Outcome(
            f"QEMU {self.version}",
            trouble=["no undisturbed run: the clock jumped or QEMU died under another case"],
        )

    async def _run_drive(self, case: Case) -> Outcome:
        """A case on a process of its own; few at a time, as each is a start of QEMU."""
        assert self._server is not None
        async with self._starts:
            number = self._number
            self._number += 1
            folder = self._dir.path / f"drive-{number}"
            folder.mkdir(mode=0o700)
            process = QemuProcess(
                self.binary, self._dir, number, ["-drive", str(case.drive)], folder
            )
            outcome, played = await run_drive(case, process, self._server, self.tool, folder)
            shutil.rmtree(folder)
        attribute(played, process.events)
        return outcome

    async def _run_old(self, case: Case) -> Outcome:
        """A case on a binary of the series' time: always on a process of its own."""
        assert self._server is not None
        reason = unsupported(case)
        if reason:
            return Outcome(f"QEMU {self.version}", unsupported=reason)
        async with self._starts:
            self._number += 1
            outcome, played, process = await run_old(
                case, self.binary, self._dir, self._number, self._server, self.tool
            )
        attribute(played, process.events)
        return outcome

    async def _run_to_the_end(self, case: Case) -> Outcome | None:
        """A case that ends its process: on one that no other case waits on for late events."""
        async with self._starts:
            process = await self._started(QemuProcess.prepare)
            async with AsyncExitStack() as ending:
                await ending.enter_async_context(self._ending(process))

                async def another() -> QemuProcess:
                    fresh = await self._started(QemuProcess.prepare, events=process.events)
                    await ending.enter_async_context(self._ending(fresh))
                    return fresh

                self._serial += 1
                windows = Windows()
                run = QemuRun(case, process, self._children, windows, self._serial, another=another)
                try:
                    return await self._settle(await run.play(), run.process, windows)
                except ClockJumped:
                    return None

    async def _run_once(self, case: Case) -> Outcome | None:
        """One try; None when it was disturbed by something that is not this case's doing."""
        slot, process = await self._place(_means_failure(case))
        mark = None
        try:
            mark = slot.begin()
            windows, kept = slot.windows, slot.kept
            self._serial += 1
            run = QemuRun(case, process, self._children, windows, self._serial, kept)
            try:
                played = await run.play()
                if played.spoilt:
                    await process.stop()
            except ClockJumped:
                slot.end(process, mark)
                return None
        except BaseException:
            if mark is not None:
                slot.end(process, mark)
            raise
        finally:
            self._slots.release(slot)
        try:
            outcome = await self._settle(played, process, windows)
            kept.give_back(played.lent)
            return outcome
        finally:
            slot.end(process, mark)
            self._slots.match()

    async def _place(self, failure: bool) -> tuple[Slot, QemuProcess]:
        """A free slot that suits and its process, which is busy until it is released.

        :raise NotUsable: when no process can be started any more.
        """
        while True:
            slot = await self._slots.acquire(failure)
            try:
                process = await self._running(slot)
                if not failure:
                    return slot, process
                # By the clock the window is over.  QEMU's timer may be late: then an event of
                # another case is still held, and ours would be in its place.
                with suppress(QemuDied, QemuHung, QMPError):
                    before_s = time.monotonic()
                    await process.timers_ran()
                    if slot.wait_s(before_s) <= 0:
                        return slot, process
            except BaseException:
                self._slots.release(slot)
                raise
            self._slots.release(slot)

    async def _running(self, slot: Slot) -> QemuProcess:
        """The slot's process, a new one if it has none that lives.

        :raise NotUsable: when none can be started any more.
        """
        if slot.process is None or not slot.process.alive:
            if slot.process is not None:
                await slot.process.stop()
                for node in slot.kept.keys:
                    self._children.remove(node)
            async with self._launches:
                slot.use(await self._launch())
        assert slot.process is not None
        return slot.process

    async def _settle(
        self, played: Played, process: QemuProcess, windows: Windows
    ) -> Outcome | None:
        """Wait until no event of the run can still come, and give each to its step."""
        exits = any(step.exit for step in played.outcome.steps)
        ended = played.outcome.trouble or played.spoilt or exits
        if not ended:
            try:
                # An event of ours can be held in a window that another case has opened.
                await asyncio.sleep(max(0.0, windows.wait_s([FAILURE_KEY])))
                await closed(process, windows, lambda: _own_keys(played, process, windows))
            except (QemuDied, QemuHung, QMPError):
                return None
        attribute(played, process.events)
        return played.outcome

    @property
    def tool(self) -> str:
        """The qemu-img that makes and reads image files."""
        return find_qemu_img(self.binary)

    @property
    def _dir(self) -> WorkDir:
        assert self._workdir is not None
        return self._workdir

    @property
    def _children(self) -> ChildServer:
        assert self._server is not None
        return self._server

    async def close(self) -> None:
        """Stop all processes and remove everything; safe to call at any time."""
        running = [*self._slots.processes(), *self._alone]
        await asyncio.gather(*map(_end, running), return_exceptions=True)
        self._slots.clear()
        if self._server is not None:
            await self._server.close()
        if self._workdir is not None:
            self._workdir.close()
            self._workdir = None


async def _end(process: QemuProcess) -> None:
    await process.quit()
    await process.stop()


def _own_keys(played: Played, process: QemuProcess, windows: Windows) -> set[str]:
    """The limiter windows that this run has opened, which can hold an event of its own."""
    keys = set()
    for event in process.events.since(played.first_event):
        node = event.data.get("node-name", event.data.get("reference"))
        if played.names.mine(node):
            key = f"{event.name} {node}" if event.name != FAILURE_KEY else FAILURE_KEY
            windows.opened(key, event.received_s)
            keys.add(key)
    return keys


def _means_failure(case: Case) -> bool:
    return any(FAILURE_KEY in expected_keys(step) for step in (case.opening, *case.steps))


def _means_exit(case: Case) -> bool:
    return case.is_killed or any(
        expect.exit or expect.undefined for step in case.steps for expect in step.expected
    )


def check_executable(binary: str) -> str:
    """The absolute path of ``binary``, which may be a name on PATH.

    :raise NotUsable: when there is nothing that could be started.
    """
    path = Path(binary if "/" in binary else shutil.which(binary) or binary).absolute()
    if path.is_dir():
        raise NotUsable(f"{binary} is a folder; name the qemu-system binary in it")
    if not path.exists():
        raise NotUsable(f"{binary} does not exist; install qemu-system-x86 or name another path")
    if not os.access(path, os.X_OK):
        raise NotUsable(f"{binary} is not executable")
    return str(path)


@dataclass(frozen=True)
class Probe:
    """A quorum node that cannot be opened, and what its driver says to it."""

    arguments: dict[str, Any]
    answer: str


_OPTIONS = {"driver": "quorum", "children": [], "vote-threshold": 1}
PROBE = Probe({**_OPTIONS, "node-name": "probe"}, "Number of provided children must be 1 or more")
OLD_PROBE = Probe(
    {"options": {**_OPTIONS, "id": "probe"}}, "Number of provided children must be greater than 1"
)


async def _check_quorum(binary: str, process: QemuProcess, probe: Probe) -> None:
    """The driver is there when it answers for itself; the schema has it in any case.

    A binary without SHA-256 does not register it (bdrv_quorum_init()).
    """
    try:
        await process.execute("blockdev-add", probe.arguments)
    except ExecuteError as error:
        if error.error.error.desc.endswith(probe.answer):
            return
        raise NotUsable(
            f"{binary} is QEMU {process.version} without the quorum driver "
            f"({error.error.error.desc}); build it with a SHA-256 provider such as gnutls"
        ) from error
    raise NotUsable(f"{binary} opens a quorum node without children; that is no quorum driver")

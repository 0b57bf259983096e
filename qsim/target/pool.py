# SPDX-License-Identifier: GPL-2.0-or-later
"""The pool: a few QEMU processes that share the cases of a session.

One process plays one case at a time; several play side by side, so that waiting for QEMU's event
rate limiter costs no time.  QUORUM_FAILURE is limited for a whole process, so a case that means
to see one gets a process whose window is closed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qemu.qmp import ExecuteError, QMPError

from qsim.outcome import Outcome
from qsim.scenario.case import Case
from qsim.target.drive import run_drive
from qsim.target.error import NotUsable, QemuDied, QemuHung
from qsim.target.images import find_qemu_img
from qsim.target.limiter import Windows
from qsim.target.nbd_proto import NbdError
from qsim.target.nbd_server import ChildServer
from qsim.target.old import is_old, run_old, unsupported
from qsim.target.process import QemuProcess, first_line
from qsim.target.qemu import ClockJumped, Played, QemuRun, attribute, expected_keys
from qsim.target.workdir import WorkDir

FAILURE_KEY = "QUORUM_FAILURE"
DEFAULT_JOBS = 8
#: How often a run that says nothing about the binary is done again.
RETRIES = 3


@dataclass(eq=False)
class _Slot:
    """A place for a process; the process is replaced when it has died."""

    process: QemuProcess
    windows: Windows = field(default_factory=Windows)
    unsettled: int = 0
    busy: bool = False


class Pool:
    """QEMU processes of one binary.

    :param binary: path of a qemu-system binary, or a name on PATH.
    :param jobs: how many processes, started when they are needed.
    """

    def __init__(self, binary: str, jobs: int = DEFAULT_JOBS) -> None:
        self.binary = binary
        self.jobs = jobs
        self.version = ""
        #: Whether it is of the series' time and speaks as QEMU did then.
        self.old = False
        self._workdir: WorkDir | None = None
        self._server: ChildServer | None = None
        self._slots: list[_Slot] = []
        self._freed = asyncio.Condition()
        self._starts = asyncio.Semaphore(2)
        # All who compete for a process are woken when one is free, so they must be few; more than
        # processes, so that a case can overtake those that wait for QUORUM_FAILURE's window.
        self._gate = asyncio.Semaphore(4 * jobs)
        self._serial = 0
        self._number = 0

    async def start(self) -> None:
        """Start the first process and see that it can do what is needed.

        :raise TargetError: when it cannot; the message is one line for the user.
        """
        self.binary = check_executable(self.binary)
        self._workdir = WorkDir()
        self._server = ChildServer(str(self._workdir.path / "children.sock"))
        await self._server.start()
        first = await self._started(QemuProcess.learn_version)
        self._slots.append(_Slot(first))
        self.version = first.version
        self.old = is_old(self.version)
        try:
            if self.old:
                await _check_quorum(self.binary, first, OLD_PROBE)
            else:
                await self._ready(first.prepare())
                await _check_quorum(self.binary, first, PROBE)
        except (QemuDied, QemuHung, QMPError) as error:
            raise NotUsable(f"{self.binary}: {error}") from error

    async def _launch(self) -> QemuProcess:
        """A process to play on."""
        return await self._started(QemuProcess.prepare)

    async def _started(self, prepare: Callable[[QemuProcess], Awaitable[None]]) -> QemuProcess:
        assert self._workdir is not None
        process = QemuProcess(self.binary, self._workdir, self._number)
        self._number += 1
        try:
            await process.start()
            await self._ready(prepare(process))
        except BaseException:
            await process.stop()
            raise
        return process

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

    async def ask(self, command: str) -> Any:
        """The reply to a command that changes nothing, from a running process."""
        return await self._slots[0].process.execute(command, {})

    async def run(self, case: Case) -> Outcome:
        """Play ``case`` and wait for its late events.

        :raise NotUsable: when no process can be started any more.
        """
        if self.old:
            return await self._run_old(case)
        if case.drive is not None:
            return await self._run_drive(case)
        for _ in range(RETRIES):
            outcome = await self._run_once(case)
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

    async def _run_once(self, case: Case) -> Outcome | None:
        """One try; None when it was disturbed by something that is not this case's doing."""
        fails, exits = _means_failure(case), _means_exit(case)
        async with self._gate:
            slot = await self._acquire(fails, exits)
            try:
                assert self._server is not None
                self._serial += 1
                run = QemuRun(case, slot.process, self._server, slot.windows, self._serial)
                process = slot.process
                try:
                    played = await run.play()
                except ClockJumped:
                    return None
                slot.unsettled += 1
            finally:
                await self._release(slot)
        try:
            return await self._settle(played, process, slot)
        finally:
            slot.unsettled -= 1
            async with self._freed:
                self._freed.notify_all()

    async def _settle(self, played: Played, process: QemuProcess, slot: _Slot) -> Outcome | None:
        """Wait until no event of the run can still come, and give each to its step."""
        ended = played.outcome.trouble or any(step.exit for step in played.outcome.steps)
        if not ended:
            try:
                while (wait_s := _own_wait_s(played, process, slot.windows)) > 0:
                    await asyncio.sleep(wait_s)
                # Two round trips: the limiter's timer can run after the first one's handler.
                for _ in range(2):
                    await process.execute("query-status", {})
            except (QemuDied, QemuHung, QMPError):
                return None
        attribute(played, process.events)
        return played.outcome

    async def _acquire(self, fails: bool, exits: bool) -> _Slot:
        """A process that is free and, for a case that needs one, quiet enough."""
        while True:
            async with self._freed:
                wait_s = None
                idle = [slot for slot in self._slots if not slot.busy]
                for slot in idle if fails else idle[::-1]:
                    if exits and slot.unsettled:
                        continue
                    wait = slot.windows.wait_s([FAILURE_KEY])
                    if fails and wait > 0:
                        wait_s = wait if wait_s is None else min(wait, wait_s)
                        continue
                    slot.busy = True
                    break
                else:
                    if len(self._slots) < self.jobs:
                        slot = _Slot(QemuProcess(self.binary, self._dir, -1), busy=True)
                        self._slots.append(slot)
                    else:
                        await _wait(self._freed, wait_s)
                        continue
            try:
                if not slot.process.alive:
                    await slot.process.stop()
                    slot.process = await self._launch()
                    slot.windows = Windows()
            except BaseException:
                slot.busy = False
                raise
            return slot

    @property
    def tool(self) -> str:
        """The qemu-img that makes and reads image files."""
        return find_qemu_img(self.binary)

    @property
    def _dir(self) -> WorkDir:
        assert self._workdir is not None
        return self._workdir

    async def _release(self, slot: _Slot) -> None:
        async with self._freed:
            slot.busy = False
            self._freed.notify_all()

    async def close(self) -> None:
        """Stop all processes and remove everything; safe to call at any time."""
        await asyncio.gather(*(_end(slot.process) for slot in self._slots), return_exceptions=True)
        self._slots.clear()
        if self._server is not None:
            await self._server.close()
        if self._workdir is not None:
            self._workdir.close()
            self._workdir = None


async def _end(process: QemuProcess) -> None:
    await process.quit()
    await process.stop()


async def _wait(condition: asyncio.Condition, timeout_s: float | None) -> None:
    """Wait on a condition whose lock is held, at most ``timeout_s``."""
    try:
        async with asyncio.timeout(timeout_s):
            await condition.wait()
    except TimeoutError:
        pass


def _own_wait_s(played: Played, process: QemuProcess, windows: Windows) -> float:
    """Seconds until no limiter window that this run has opened can hold an event of its own."""
    keys = set()
    for event in process.events[played.first_event :]:
        node = event.data.get("node-name", event.data.get("reference"))
        if played.names.mine(node):
            key = f"{event.name} {node}" if event.name != FAILURE_KEY else FAILURE_KEY
            windows.opened(key, event.received_s)
            keys.add(key)
    return windows.wait_s(keys)


def _means_failure(case: Case) -> bool:
    return any(FAILURE_KEY in expected_keys(step) for step in (case.opening, *case.steps))


def _means_exit(case: Case) -> bool:
    return any(step.expect and step.expect.exit for step in case.steps)


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

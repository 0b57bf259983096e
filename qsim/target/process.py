# SPDX-License-Identifier: GPL-2.0-or-later
"""One QEMU process: started without guest, firmware or root, connecting to us over QMP."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from qemu.qmp import EventListener, ExecuteError, Message, QMPClient, QMPError

from qsim.target import sanitizer
from qsim.target.error import NotUsable, QemuDied, QemuHung
from qsim.target.eventlog import EventLog, WireEvent
from qsim.target.nbd_client import GuestConnection
from qsim.target.nbd_proto import NbdError
from qsim.target.shape import SYSTEM, Shape
from qsim.target.spawn import spawn
from qsim.target.workdir import WorkDir

T = TypeVar("T")

# What goes wrong on a connection is told with the case it goes wrong in.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)

#: The bound on every single wait for QEMU, in seconds: far beyond what a loaded machine needs.
PATIENCE_S = 20.0
#: How long after a connection broke a process may take to be seen dead, in seconds.
DEATH_S = 10.0
#: How long a process may take to end when asked to, in seconds, before it is killed.
QUIT_S = 5.0
#: How long threads are watched to say that they sleep, in seconds.
ASLEEP_S = 0.01
#: The bound on start-up, in seconds.
START_S = 30.0


class _Monitor(QMPClient):
    """QEMU's monitor, without the library's debug log.

    It makes a text of every message, also where nobody reads it: a sixth of what a short case
    costs us.
    """

    def _cb_outbound(self, msg: Message) -> Message:
        return msg

    def _cb_inbound(self, msg: Message) -> Message:
        return msg


class QemuProcess:
    """A running QEMU, its QMP connection, its NBD export server and a connection to ping it by.

    :param number: of the process in this session, for the names of its files.
    :param extra: further arguments.
    :param folder: its working directory, else that of the sockets.
    :param shape: what kind of binary it is.
    :param environment: variables it has besides ours.
    """

    def __init__(
        self,
        binary: str,
        workdir: WorkDir,
        number: int,
        extra: Sequence[str] = (),
        folder: Path | None = None,
        shape: Shape = SYSTEM,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.binary = binary
        self.shape = shape
        self.environment = environment or {}
        self.workdir = workdir
        self.number = number
        self.extra = extra
        self.folder = folder or workdir.path
        self.version = ""
        self.events = EventLog()
        self.nbd_path = str(workdir.path / f"exp-{number}.sock")
        self._stderr_path: Path = workdir.path / f"err-{number}.log"
        self._stderr_from = 0
        self._process: asyncio.subprocess.Process | None = None
        # A name of its own would be a logger of its own, and those are never forgotten.
        self._qmp = _Monitor("qemu")
        # Its own listener keeps every event for somebody who never asks.
        self._qmp.events.event_filter = lambda _: False
        self._died: asyncio.Task[int] | None = None
        self._stopped = False
        self._ping: GuestConnection | None = None
        self.changed = asyncio.Event()
        #: Told of every event as it comes.
        self.heard: Callable[[WireEvent], None] = lambda _: None

    async def start(self) -> None:
        """Start QEMU and wait until it speaks QMP.

        :raise NotUsable: when it cannot be started, dies, or says nothing.
        """
        try:
            await self.start_or_die()
        except QemuDied as death:
            raise NotUsable(
                f"{self.binary} ended with status {death.status} before it spoke QMP: "
                f"{first_line(death.stderr)}"
            ) from death
        except (QemuHung, QMPError) as error:
            raise NotUsable(
                f"{self.binary} does not speak QMP within {START_S:.0f} s: "
                f"{first_line(str(error))}; is it a "
                "qemu-system binary?"
            ) from error

    async def start_or_die(self) -> None:
        """Start QEMU, where an end of the process is an answer too.

        :raise NotUsable: when it cannot be started at all.
        :raise QemuDied: when it ends before it speaks QMP.
        :raise QemuHung: when it says nothing.
        """
        qmp_path = self.workdir.path / f"qmp-{self.number}.sock"
        arguments = [*self.shape.arguments(str(qmp_path)), *self.extra]
        self._qmp.register_listener(_Ear(self._hear))
        await self._qmp.start_server(str(qmp_path))
        try:
            with self._stderr_path.open("wb") as log:
                self._process = await spawn(
                    # A name on PATH must not be looked up in the working directory.
                    shutil.which(self.binary) or self.binary,
                    *arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=log,
                    cwd=self.folder,
                    env={**os.environ, **sanitizer.environment(os.environ), **self.environment},
                )
        except OSError as error:
            raise NotUsable(_cannot_start(self.binary, error)) from error
        self.workdir.started(self._process.pid)
        self._died = asyncio.create_task(self._process.wait())
        await self.bounded(self._qmp.accept(), START_S, "its QMP connection")
        qmp_path.unlink(missing_ok=True)

    async def learn_version(self) -> None:
        """Ask for the version, as major.minor.micro."""
        version = await self.execute("query-version", {})
        qemu = version["qemu"]
        self.version = f"{qemu['major']}.{qemu['minor']}.{qemu['micro']}"

    async def prepare(self) -> None:
        """Learn the version, start the export server, and connect to ping by."""
        await self.learn_version()
        await self.execute(
            "nbd-server-start",
            {"addr": {"type": "unix", "data": {"path": self.nbd_path}}, "max-connections": 0},
        )
        await self.execute("blockdev-add", {"driver": "null-co", "node-name": "ping", "size": 512})
        await self.execute(
            "block-export-add",
            {
                **self.shape.export,
                **{"type": "nbd", "id": "ping", "node-name": "ping", "name": "ping"},
            },
        )
        self._ping = await self._connected()

    async def _connected(self) -> GuestConnection:
        return await self.bounded(
            GuestConnection.connect(self.nbd_path, "ping", PATIENCE_S), PATIENCE_S, "its export"
        )

    async def hang_up(self) -> None:
        """Connect a guest once more and close the connection.

        :raise QemuDied: when the process does not survive that.
        """
        (await self._connected()).close()
        await self.ping()
        await self.timers_ran()

    def _hear(self, message: Message) -> None:
        stamp = message["timestamp"]
        assert isinstance(stamp, dict)
        emitted = stamp["seconds"] + stamp["microseconds"] / 1e6
        event = WireEvent(dict(message), emitted, time.monotonic())
        self.events.append(event)
        self.heard(event)
        self.changed.set()

    async def execute(self, command: str, arguments: dict[str, Any]) -> Any:
        """A QMP command's return value.

        :raise ExecuteError: when QEMU answers with an error.
        :raise QemuDied: when the process ends instead.
        :raise QemuHung: when no answer comes.
        """
        return await self.bounded(
            self.ask(command, arguments), PATIENCE_S, f"the reply to {command}"
        )

    async def ask(self, command: str, arguments: dict[str, Any]) -> Any:
        """As :meth:`execute`, for those who bound the wait themselves."""
        return await self._qmp.execute(command, arguments)

    async def round_trip(self) -> None:
        """Let the monitor answer once: the main loop has turned then."""
        await self.execute("query-version", {})

    async def timers_ran(self) -> None:
        """Return when every timer whose time has come has run, and what it sent is here.

        Two round trips: a timer can run after the first one's handler in the same turn.
        """
        for _ in range(2):
            await self.round_trip()

    async def ping(self) -> None:
        """Return when QEMU's main loop has handled all it had to handle.

        One round trip can overtake work that was ready in the same turn of the loop; the second
        cannot, as its request is read in a later turn.
        """
        assert self._ping is not None
        try:
            for _ in range(2):
                await self.bounded(self._ping.submit("flush"), PATIENCE_S, "its main loop")
        except NbdError as error:
            raise QemuHung(f"its export server gave up: {error}") from error

    async def asleep(self) -> bool:
        """Whether all threads sleep and none has run for a moment: whatever wakes them is ours.

        For when the main loop serves no export.  What QEMU was sent it must have read already.
        """
        before = _sleep(self.pid)
        await asyncio.sleep(ASLEEP_S)
        return before is not None and before == _sleep(self.pid)

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """A time in which QEMU does not run: what it is sent meanwhile it finds all at once."""
        self._signal(signal.SIGSTOP)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while self.alive and not _stopped(self.pid) and time.monotonic() < deadline:
                await asyncio.sleep(0)
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    async def bounded(self, what: Awaitable[T], timeout_s: float, name: str) -> T:
        """Wait for ``what``, but not longer than it makes sense.

        :raise QemuDied: when the process ends first.
        :raise QemuHung: when ``timeout_s`` is over first.
        """
        assert self._died is not None
        task = asyncio.ensure_future(what)
        if task.done() and task.exception() is None:
            return task.result()
        try:
            await asyncio.wait(
                {task, self._died}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done() and not task.cancelled() and task.exception() is None:
            return task.result()
        if task.done() and isinstance(task.exception(), ExecuteError):
            return task.result()
        # A connection that breaks is most often the first sign of a death: look a little longer.
        if task.done():
            await asyncio.wait({self._died}, timeout=DEATH_S)
        if self._died.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise QemuDied(self._died.result(), self.stderr())
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise QemuHung(f"waited {timeout_s:.0f} s for {name}")

    @property
    def pid(self) -> int:
        """The number of the process, which was started."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._died is not None and not self._died.done()

    def begin(self) -> None:
        """A scenario begins: what is on stderr so far is not its own."""
        self._stderr_from = self._stderr_path.stat().st_size

    def stderr(self) -> str:
        """What QEMU printed since the scenario began."""
        with self._stderr_path.open("rb") as log:
            log.seek(self._stderr_from)
            return log.read().decode("utf-8", "replace").strip()

    async def quit(self) -> None:
        """Ask the process to end, so that it runs its exit handlers (coverage is written there)."""
        if self._died is None or not self.alive:
            return
        with suppress(QemuDied, QemuHung, QMPError):
            await self.bounded(self._qmp.execute("quit"), QUIT_S, "quit")
        await asyncio.wait({self._died}, timeout=QUIT_S)

    async def stop(self) -> None:
        """End the process, at once; safe to call in any state."""
        if self._ping is not None:
            self._ping.abort()
        if self._process is not None:
            if self.alive:
                _kill_group(self._process.pid)
            assert self._died is not None
            await self._died
            # The group may hold more than its leader when the binary is a wrapper script.  A second
            # time its number may be somebody else's.
            if not self._stopped:
                self._stopped = True
                _kill_group(self._process.pid)
                self.workdir.ended(self._process.pid)
        # A dead peer is what is wanted here; and a session whose set-up was cut short makes the
        # library assert that it had begun.
        over = asyncio.ensure_future(self._qmp.disconnect())
        await asyncio.wait({over}, timeout=QUIT_S)
        over.cancel()
        with suppress(QMPError, OSError, EOFError, AssertionError, asyncio.InvalidStateError):
            over.cancelled() or over.result()
        for path in (self.nbd_path, str(self.workdir.path / f"qmp-{self.number}.sock")):
            Path(path).unlink(missing_ok=True)


class _Ear(EventListener):
    """Passes events on as they come; the library's listener remembers each for ever."""

    def __init__(self, hear: Callable[[Message], None]) -> None:
        super().__init__()
        self._hear = hear

    async def put(self, event: Message) -> None:
        """An event came."""
        self._hear(event)


def _stopped(pid: int) -> bool:
    """Whether no thread of a process can run (proc(5))."""
    states = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            states.append(
                (task / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
            )
    return all(state in "TtZX" for state in states)


def _sleep(pid: int) -> tuple[str, ...] | None:
    """How often each thread of a process has run, None when one does now (proc(5))."""
    runs = []
    for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
        try:
            state = (task / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
            runs.append(f"{task.name} {(task / 'schedstat').read_text('ascii')}")
        except OSError:  # It ends just now.
            return None
        if state != "S":
            return None
    return tuple(runs) or None


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _cannot_start(binary: str, error: OSError) -> str:
    if error.errno == errno.ENOEXEC:
        return f"{binary} is not executable on this machine: {error.strerror}"
    return f"{binary} cannot be started: {error.strerror}"


def first_line(text: str) -> str:
    """The first line of a message that may have many, for one of ours."""
    return text.splitlines()[0] if text else "it printed nothing"


__all__ = ["PATIENCE_S", "ExecuteError", "Message", "QemuProcess"]

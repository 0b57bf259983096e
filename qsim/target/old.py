# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU of the series' time as a witness: 2.1 to 2.4.

What today's commands do was done otherwise: children are drives of the human monitor's
``drive_add``, ``blockdev-add`` makes a device and takes its options in an argument of that name,
the guest comes through ``nbd-server-add``, and nothing made can be deleted.  So every case has a
process of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from qemu.qmp import ExecuteError, QMPError

from qsim.block.events import Event, limiter_key_2014
from qsim.block.stage import CANCEL
from qsim.outcome import Outcome, StepOutcome
from qsim.scenario.case import Case
from qsim.target.attribute import Played
from qsim.target.drive import DriveRun
from qsim.target.error import QemuDied, QemuHung
from qsim.target.limiter import Windows
from qsim.target.names import Names
from qsim.target.nbd_server import ChildServer
from qsim.target.old_guest import OldGuestConnection
from qsim.target.old_server import OldSocket
from qsim.target.process import PATIENCE_S, QemuProcess
from qsim.target.qemu import QemuRun
from qsim.target.wire import of_2014
from qsim.target.workdir import WorkDir

#: Releases before this one are old: blockdev-add took ``options`` until 2.8.
FIRST_OF_TODAY = (2, 9)
#: The first release known not to connect dead children again by itself.
FIRST_PATIENT = (7, 2)
#: Round trips of the monitor after which the event loop has done all it had to do: a reply of a
#: child takes one turn to be read and one for its bottom half, and the first round trip can be
#: in the same turn as either.
TURNS = 4


def is_old(version: str) -> bool:
    """Whether a binary of this version speaks as those of the series' time."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return (major, minor) < FIRST_OF_TODAY


def reconnects(version: str) -> bool:
    """Whether an NBD child's node goes on connecting in the background when its connection ends.

    5.2 does (block/nbd.c nbd_co_reconnect_loop()), and can die of an assertion when the node is
    then drained or closed; 7.2 connects when there is a request.
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    return FIRST_OF_TODAY <= (major, minor) < FIRST_PATIENT


def unsupported(case: Case) -> str:
    """Why a case cannot be played on such a binary; "" when it can."""
    words = [word for step in case.steps for word in step.complete]
    if any(word.partition(".")[0] == CANCEL for word in words):
        return "nothing in QEMU cancels a request at the driver's own AIOCB"
    if case.is_killed:
        return "a process of that time is not started again"
    return ""


class OldNames(Names):
    """A scenario's name is a node's and a device's at once; QEMU wants two."""

    TAIL = "d?"

    def device(self, name: str) -> str:
        """The name of the device."""
        return f"{self.real(name)}d"

    def mine(self, name: object) -> bool:
        """All events of a process are its only scenario's."""
        return True


class OldProcess(QemuProcess):
    """A running QEMU of that time."""

    async def prepare(self) -> None:
        """Learn the version and start the export server."""
        await self.learn_version()
        address = {"type": "unix", "data": {"path": self.nbd_path}}
        await self.execute("nbd-server-start", {"addr": address})

    async def ping(self) -> None:
        """Return when QEMU's main loop has handled all it had to handle."""
        for _ in range(TURNS):
            await self.round_trip()

    async def monitor(self, line: str) -> str:
        """What the human monitor prints for a line."""
        printed = await self.execute("human-monitor-command", {"command-line": line})
        return str(printed).strip()


class OldRun(QemuRun):
    """One case being played on a process of its own."""

    def __init__(self, case: Case, process: OldProcess, server: ChildServer, windows: Windows):
        super().__init__(case, process, server, windows, 0)
        self.old = process
        self.old_names = OldNames([*case.children, "q"], process.number)
        self.names = self.old_names
        outcome = Outcome(f"QEMU {process.version}", reports_by_node=False)
        self.played = Played(outcome, self.names, dialect=of_2014("read-pattern"))
        self.sockets: dict[str, OldSocket] = {}

    def key(self, event: Event) -> str:
        """A window for each kind of event, whatever node it names."""
        return limiter_key_2014(event)

    async def _children(self) -> None:
        for name, child in self.stage.children.items():
            real = self.names.real(name)
            self.server.add(real, child, self._arrived)
            self.sockets[name] = await OldSocket.of(self.server, real)
            await self._add_child(name, dict(self.case.children[name].node))

    def _forget_children(self) -> None:
        for name, socket in self.sockets.items():
            socket.close()
            self.server.remove(self.names.real(name))

    async def _add_child(self, name: str, node: dict[str, Any]) -> None:
        real = self.names.real(name)
        options = {
            "if": "none",
            "id": self.old_names.device(name),
            "driver": "nbd",
            "path": self.sockets[name].path,
            "node-name": real,
        }
        if node.pop("read-only", False):
            options["readonly"] = "on"
        if node:
            raise QemuHung(f"a child cannot have {', '.join(node)} in QEMU {self.process.version}")
        line = ",".join(f"{key}={value}" for key, value in options.items())
        printed = await self.old.monitor(f"drive_add 0 {line}")
        if printed != "OK":
            raise QemuHung(f"drive_add of {name}: {printed}")

    async def _open(self, shown: StepOutcome) -> bool:
        assert self.case.options is not None
        options = {**self.names.out(self.case.options), "id": self.old_names.device("q")}
        await self._qmp("blockdev-add", {"options": options}, shown)
        if shown.error:
            return False
        return await self._export(self.old_names.device("q"), shown)

    async def _export(self, device: str, shown: StepOutcome) -> bool:
        if self.case.guest == "none":
            return True
        try:
            await self.process.execute(
                "nbd-server-add",
                {"device": device, "writable": self.case.guest == "writable"},
            )
        except ExecuteError as error:
            shown.returns = None
            shown.error = (error.error.error.class_, self.names.back(error.error.error.desc))
            return False
        self.guest = await self.process.bounded(
            OldGuestConnection.connect(self.process.nbd_path, device, PATIENCE_S),
            PATIENCE_S,
            "the guest's connection",
        )
        return True

    async def _take_down(self) -> None:
        """The process goes, and with it all that it has."""
        await self._held_events_out()
        self.over = True
        if self.guest is not None:
            self.guest.close()
        await self.process.quit()


class OldDriveRun(OldRun, DriveRun):
    """A ``-drive`` case."""

    async def _children(self) -> None:
        """The children are the images of the command line."""

    def __init__(
        self, case: Case, process: OldProcess, server: ChildServer, tool: str, folder: Path
    ) -> None:
        OldRun.__init__(self, case, process, server, Windows())
        self.tool = tool
        self.folder = folder

    async def _open(self, shown: StepOutcome) -> bool:
        """The drive is there since the start."""
        shown.returns = {}
        drives = await self.process.execute("query-block", {})
        device = next(one["device"] for one in drives if "inserted" in one)
        return await self._export(device, shown)


async def run_old(
    case: Case, binary: str, workdir: WorkDir, number: int, server: ChildServer, tool: str
) -> tuple[Outcome, Played, QemuProcess]:
    """Play ``case`` on a process of its own."""
    folder = workdir.path / f"old-{number}"
    folder.mkdir(mode=0o700)
    extra = ["-drive", case.drive] if case.drive is not None else []
    process = OldProcess(binary, workdir, number, extra, folder)
    run: OldRun
    try:
        if case.drive is not None:
            run = OldDriveRun(case, process, server, tool, folder)
            played = await run.play()
        else:
            await process.start()
            await process.prepare()
            run = OldRun(case, process, server, Windows())
            played = await run.play()
    except (QemuDied, QemuHung, QMPError) as error:
        outcome = Outcome("QEMU", trouble=[f"the process could not be used: {error}"])
        played = Played(outcome, OldNames((), number))
    finally:
        await process.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return played.outcome, played, process

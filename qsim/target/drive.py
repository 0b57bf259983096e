# SPDX-License-Identifier: GPL-2.0-or-later
"""A ``-drive`` case on a real QEMU: a process of its own, started with the string as it stands.

The children are image files in a private folder, which is the process's working directory; what
they are asked cannot be observed there, what they hold at the end can.
"""

from __future__ import annotations

from pathlib import Path

from qemu.qmp import QMPError

from qsim.outcome import Outcome, StepOutcome
from qsim.scenario.case import Case
from qsim.target import images
from qsim.target.attribute import Played
from qsim.target.error import QemuDied, QemuHung
from qsim.target.limiter import Windows
from qsim.target.names import Names
from qsim.target.nbd_server import ChildServer
from qsim.target.process import QemuProcess
from qsim.target.qemu import QemuRun


class _NodeNames(Names):
    """Automatic node names on one side, the names of image files on the other."""

    def __init__(self) -> None:
        super().__init__((), 0)
        self.mapping: dict[str, str] = {}

    def mine(self, name: object) -> bool:
        return True

    def back(self, value: object) -> object:
        if isinstance(value, dict):
            return {key: self.back(item) for key, item in value.items()}
        return self.mapping.get(value, value) if isinstance(value, str) else value


class DriveRun(QemuRun):
    """One ``-drive`` case being played."""

    def __init__(
        self, case: Case, process: QemuProcess, server: ChildServer, tool: str, folder: Path
    ) -> None:
        super().__init__(case, process, server, Windows(), 0)
        self.tool = tool
        self.folder = folder
        self.node_names = _NodeNames()
        self.names = self.node_names
        self.played = Played(self.played.outcome, self.names)

    async def play(self) -> Played:
        """Make the images, start the process, play, quit, and read the images."""
        for name, spec in self.case.images.items():
            await images.make(self.tool, self.folder, name, spec)
        outcome = self.played.outcome
        try:
            await self.process.start_or_die()
        except QemuDied as death:
            outcome.steps.append(self._refused(death))
        else:
            await self.process.prepare()
            outcome.witness = f"QEMU {self.process.version}"
            await super().play()
        for step in outcome.steps:
            step.beats = None
        outcome.contents = {
            name: await images.contents(self.tool, self.folder, name)
            for name, spec in self.case.images.items()
            # An image that was damaged to fail cannot be read back by anybody.
            if not spec.faults
        }
        return self.played

    def _refused(self, death: QemuDied) -> StepOutcome:
        """QEMU does not start with a drive it cannot open; it says why on stderr."""
        shown = StepOutcome("open", beats=[])
        prefix = f"-drive {self.case.drive}: "
        _, found, text = death.stderr.partition(prefix)
        if found and death.status == 1:
            shown.error = ("GenericError", text)
        else:
            shown.exit = (death.status, death.stderr)
        return shown

    async def _children(self) -> None:
        """The children are the images of the command line."""

    def _forget_children(self) -> None:
        """Nothing of ours served them."""

    async def _open(self, shown: StepOutcome) -> bool:
        """The drive is there since the start; find it and export it to the guest."""
        shown.returns = {}
        for node in await self.process.execute("query-named-block-nodes", {"flat": True}):
            if node["drv"] == "qcow2":
                self.node_names.mapping[node["node-name"]] = node["file"]
        drives = await self.process.execute("query-block", {})
        top = next(one["inserted"]["node-name"] for one in drives if "inserted" in one)
        return await self._exported(top, "drive", shown)

    async def _take_down(self) -> None:
        # Nobody can wait for them once the process is gone.
        await self._held_events_out()
        await super()._take_down()
        await self.process.quit()


async def run_drive(
    case: Case, process: QemuProcess, server: ChildServer, tool: str, folder: Path
) -> tuple[Outcome, Played]:
    """Play ``case`` on a process that is not started yet; it has ended afterwards."""
    run = DriveRun(case, process, server, tool, folder)
    try:
        played = await run.play()
    except (QemuDied, QemuHung, QMPError) as error:
        run.played.outcome.trouble.append(f"the process could not be used: {error}")
        played = run.played
    finally:
        await process.stop()
    return played.outcome, played

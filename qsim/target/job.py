# SPDX-License-Identifier: GPL-2.0-or-later
"""A block job on a real QEMU: whether it has come to rest.

A mirror that is ready looks ten times a second whether there is something to copy, and says
nothing when there is not.  So it is asked: it rests when it is gone, or when it is ready, nothing
is left to be copied, and nobody has told it to end.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from qsim.target.error import QemuHung
from qsim.target.process import PATIENCE_S, QemuProcess

#: How long a job that does not rest is left alone before it is asked again, in seconds.
JOB_POLL_S = 0.005
#: The commands that start a job, and those with which it is to end.
STARTS = "blockdev-mirror"
ENDS = ("block-job-complete", "block-job-cancel")


class Job:
    """One block job.

    :param name: as QEMU knows it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.gone = False
        #: Whether it was told to end.
        self.ending = False
        self._deadline = time.monotonic() + PATIENCE_S
        self._asked: asyncio.Future[bool] | None = None

    def told(self, command: asyncio.Future[Any]) -> None:
        """A command that is to end it is over; unless it was refused, the job does.

        One that is refused later takes nothing back.
        """
        self.ending = self.ending or not (command.cancelled() or command.exception())

    def goes_on(self) -> None:
        """A step begins in which the job may have something to do, or a child has answered it."""
        self._deadline = time.monotonic() + PATIENCE_S

    def asked(self, process: QemuProcess) -> asyncio.Future[bool]:
        """Whether it rests, once QEMU has said so: what was asked before and is not answered yet,
        or asked now.
        """
        if self._asked is None:
            self._asked = asyncio.ensure_future(self.rests(process))
            # When QEMU dies meanwhile, the death is what counts.
            self._asked.add_done_callback(lambda done: done.cancelled() or done.exception())
        return self._asked

    def answered(self, rests: asyncio.Future[bool]) -> bool:
        """What was asked, answered.

        :raise QemuHung: when it does not come to rest in time.
        """
        self._asked = None
        return rests.result()

    async def rests(self, process: QemuProcess) -> bool:
        """Whether nothing will come of it but when it is told.

        :raise QemuHung: when it does not come to rest in time.
        """
        jobs = await process.execute("query-block-jobs", {})
        mine = next((job for job in jobs if job["device"] == self.name), None)
        self.gone = mine is None
        if mine is None:
            return True
        if mine["status"] == "ready" and not self.ending and not await _dirty(process):
            return True
        if time.monotonic() > self._deadline:
            raise QemuHung(f"waited {PATIENCE_S:.0f} s for the job, which is {mine['status']}")
        return False


async def _dirty(process: QemuProcess) -> bool:
    """Whether a bitmap without a name, which is a job's, says that something is to be copied.

    It is on the node that is mirrored (7.2), or on the job's own node over it (10.0).
    """
    nodes = await process.execute("query-named-block-nodes", {"flat": True})
    bitmaps = [one for node in nodes for one in node.get("dirty-bitmaps", ())]
    return any(one["count"] for one in bitmaps if "name" not in one)

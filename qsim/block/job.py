# SPDX-License-Identifier: GPL-2.0-or-later
"""Block jobs: a coroutine that sleeps, is told to end, and says so in events (job.c, blockjob.c).

There is no clock: a job that sleeps for no time goes on in a bottom half, and one that looks now
and then whether there is work does so when there is some and nothing else can happen.
"""

from __future__ import annotations

from qsim.block.coroutine import Coroutine, aio_co_wake, qemu_coroutine_yield
from qsim.block.errno import number, strerror
from qsim.block.error import QmpError
from qsim.block.node import World
from qsim.block.switches import JOB_CANCEL_BY_FORCE


class BlockJob:
    """Job and BlockJob; a kind of job is a subclass."""

    def __init__(self, world: World, job_id: str) -> None:
        self.world = world
        self.id = job_id
        self.status = "running"
        self.job_ret = 0
        #: job_cancel_requested(): asked for, by force or not.
        self.cancelled = False
        self.force_cancel = False
        self.busy = True
        #: Whether it sleeps until there is work.
        self.idle = False
        self.deferred_to_main_loop = False
        self.co = Coroutine(self._entry)

    # The job's driver.

    async def run(self) -> int:
        """.run: 0 or a negative errno."""
        raise NotImplementedError

    async def prepare(self) -> int:
        """.prepare: the end of a job that has succeeded; 0 or a negative errno."""
        raise NotImplementedError

    async def abort(self) -> None:
        """.abort: the end of one that has not."""
        raise NotImplementedError

    def complete(self) -> None:
        """.complete."""
        raise NotImplementedError

    # What is the same for all.

    def start(self) -> None:
        """job_start()."""
        self.co.enter()

    async def _entry(self) -> None:
        """job_co_entry()."""
        self.job_ret = await self.run()
        self.deferred_to_main_loop = True
        self.world.aio.bh_schedule(Coroutine(self._exit).enter)

    def is_cancelled(self) -> bool:
        """job_is_cancelled(): by force only, but in 5.2."""
        return self.force_cancel if self._by_force else self.cancelled

    @property
    def _by_force(self) -> bool:
        return JOB_CANCEL_BY_FORCE in self.world.switches

    async def sleep(self, for_work: bool = False) -> None:
        """job_sleep_ns(), of no time, or of a while in which there is nothing to do."""
        if self.is_cancelled():
            return
        self.busy = False
        self.idle = for_work
        if not for_work:
            self.world.aio.bh_schedule(self.enter)
        await qemu_coroutine_yield()

    def enter(self) -> None:
        """job_enter_cond(): wake it, unless it is at work or over."""
        if self.busy or self.deferred_to_main_loop:
            return
        self.busy = True
        self.idle = False
        aio_co_wake(self.co)

    def work(self) -> None:
        """There is something to do: the timer of one that sleeps will find it."""
        if self.idle:
            self.world.aio.timers.append(self.enter)

    def error_action(self, operation: str) -> None:
        """block_job_error_action() where errors are reported."""
        data = {"device": self.id, "operation": operation, "action": "report"}
        self.world.emit("BLOCK_JOB_ERROR", data)

    def transition_to_ready(self) -> None:
        """job_transition_to_ready()."""
        self.status = "ready"
        self.world.emit("BLOCK_JOB_READY", {"device": self.id})

    def user_complete(self) -> None:
        """job_complete(), by a command.

        :raise QmpError: unless it is ready and nobody has cancelled it.
        """
        if self.status != "ready":
            raise QmpError(
                f"Job '{self.id}' in state '{self.status}' cannot accept command verb 'complete'"
            )
        if self.cancelled:
            raise QmpError(f"The active block job '{self.id}' cannot be completed")
        self.complete()

    def user_cancel(self, force: bool) -> None:
        """job_cancel(), by a command: before a mirror is ready it is by force, but in 5.2."""
        self.cancelled = True
        early = self.status != "ready" and self._by_force
        self.force_cancel = self.force_cancel or force or early
        self.enter()

    async def _exit(self) -> None:
        """job_exit() and job_completed(): in the main loop, when the coroutine is over.

        A coroutine only as it may have to wait, which in C it does where it stands.
        """
        if not self.job_ret and self.is_cancelled():
            self.job_ret = -number("ECANCELED")
        if not self.job_ret:
            self.job_ret = await self.prepare()
        if self.job_ret:
            await self.abort()
        self.status = "null"
        if self.is_cancelled():
            self.world.emit("BLOCK_JOB_CANCELLED", {"device": self.id})
            return
        data = {"device": self.id}
        if self.job_ret:
            data["error"] = strerror(-self.job_ret)
        self.world.emit("BLOCK_JOB_COMPLETED", data)

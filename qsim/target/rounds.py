# SPDX-License-Identifier: GPL-2.0-or-later
"""The rounds of a run on a real QEMU: what it asks until it can do nothing more, then an answer.

Before every answer QEMU is given time to do all it can do, proven by a round trip through its main
loop, so a run has the same rounds as on the model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from qsim.block.child import Reply
from qsim.block.stage import Stage
from qsim.outcome import Outcome, StepOutcome
from qsim.scenario.case import ENDS_EARLY, Case
from qsim.target.attribute import Played
from qsim.target.error import QemuHung
from qsim.target.job import JOB_POLL_S, Job
from qsim.target.names import Names
from qsim.target.nbd_server import Arrival, ChildServer
from qsim.target.nbd_wire import Wire, drained
from qsim.target.process import PATIENCE_S, QemuProcess

#: How long a ping is waited for before we look whether QEMU sleeps instead, in seconds.
DRAIN_WAIT_S = 0.02
#: In so many turns of our loop a QMP message gets from the caller to the socket, or back.
OWN_TURNS = 24
#: A reply of so many bytes is one buffer of the socket; of a larger one QEMU can see the beginning
#: before its end is sent, and then who waits for another reply goes on first (block/nbd.c, 7.2).
AT_ONCE = 16 * 1024


class Rounds:
    """The children of one case as QEMU asks them."""

    def __init__(self, case: Case, process: QemuProcess, server: ChildServer, names: Names) -> None:
        self.case = case
        self.process = process
        self.server = server
        self.names = names
        self.stage: Stage[Arrival] = Stage({n: spec.make() for n, spec in case.children.items()})
        self.played = Played(Outcome(f"QEMU {process.version}"), names, completed=[])
        #: Whether the story is over: who still asks is simply answered.
        self.over = False
        self.commanding = False
        self.asked = asyncio.Event()
        #: The command that was given while the guest's requests are held.
        self.command: asyncio.Future[Any] | None = None
        #: The block job there is, if any.
        self.job: Job | None = None
        #: Children that were asked for their block status.
        self.examined: set[str] = set()

    def _arrived(self, arrival: Arrival) -> None:
        """A child received a request; once the story is over it is simply answered."""
        if arrival.request.op == "block-status":
            self.examined.add(arrival.request.child)
        if self.over:
            child = self.stage.children[arrival.request.child]
            child.faults.clear()
            arrival.answer(child.complete(arrival.request))
        else:
            self.stage.arrive(arrival.request, arrival)
            self.asked.set()

    async def _until(self, task: asyncio.Future[Any], name: str, shown: StepOutcome) -> None:
        """Let QEMU run and answer its children by the schedule until ``task`` is done.

        :raise QemuHung: when it waits for nothing that is ours.
        """
        while True:
            await self._settle()
            early = self.command is not None and self.command.done() and self.stage.held
            if early and shown.meanwhile is None:
                shown.meanwhile = ENDS_EARLY
            if task.done() and not shown.early and not shown.beside_job:
                shown.early = tuple(str(held.request) for held in self.stage.held)
            if task.done() and self.stage.to_come == 0:
                return
            gone = self.stage.complete_next()
            if gone:
                if self.played.completed is not None and self.played.completed[-1] is not None:
                    self.played.completed[-1].append(time.time())
                for held, reply in gone:
                    await self._answer(held.cookie, reply)
                if self.job is not None:
                    self.job.goes_on()
                continue
            if task.done() and await self._job_rests():
                return
            await self._anything(task, name)

    async def _job_rests(self) -> bool:
        """Whether the job, if there is one, waits to be told; else it is given a little time."""
        if self.job is None:
            return True
        # It may end just now, and flush before QEMU answers anything.
        rests = self.job.asked(self.process)
        await self._anything(rests, "what is asked about the job")
        if not rests.done():
            return False
        if not self.job.answered(rests):
            await asyncio.sleep(JOB_POLL_S)
            return False
        # It may have gone on just before it was asked.
        await self._settle()
        if self.job.gone:
            self.job = None
        return not self.stage.held

    async def _settle(self) -> None:
        """Return when QEMU can do nothing more, and record what it asked."""
        deadline = time.monotonic() + PATIENCE_S
        children = [*map(self.names.real, self.case.children)]
        before = self.server.unfinished(children)
        while True:
            await self._turn()
            now = self.server.unfinished(children)
            # A large request comes in parts; what follows its last one can come after the turn.
            if now == before and not now[0]:
                break
            before = now
            if time.monotonic() > deadline:
                raise QemuHung("a child's request arrived only in part")
        self.stage.settle()

    async def _turn(self) -> None:
        """Let QEMU's main loop turn.

        While a monitor command or a job drains all nodes, exports are not served, ours to ping by
        among them: then what the children hold by now is all that QEMU waits for.
        """
        ping = looked_at(self.process.ping())
        while (self.commanding or self.job is not None) and not ping.done():
            await asyncio.wait({ping}, timeout=DRAIN_WAIT_S)
            held = self.stage.waiting or self.stage.held
            if not ping.done() and held and await self.process.asleep():
                return
        await ping

    async def _answer(self, arrival: Arrival, reply: Reply) -> None:
        if len(reply.data) > AT_ONCE:
            async with self.process.still():
                arrival.answer(reply)
        else:
            arrival.answer(reply)
        await read_by_qemu(arrival.connection)

    async def _anything(self, task: asyncio.Future[Any], name: str) -> None:
        """Wait for a request or the end of ``task``, whichever is first."""
        if task.done() or self.stage.waiting:
            return
        self.asked.clear()
        task.add_done_callback(lambda _: self.asked.set())
        await self.process.bounded(self.asked.wait(), PATIENCE_S, f"the end of {name}")


def looked_at(what: Awaitable[Any]) -> asyncio.Future[Any]:
    """A task whose failure needs nobody: when QEMU dies, the death is what counts."""
    task = asyncio.ensure_future(what)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


async def passed_on() -> None:
    """Let our own loop pass on what stands between a socket and who waits for it."""
    for _ in range(OWN_TURNS):
        await asyncio.sleep(0)


async def read_by_qemu(connection: Wire) -> None:
    """Wait until QEMU has read what was sent.

    :raise QemuHung: when it does not.
    """
    try:
        await drained(connection, PATIENCE_S)
    except TimeoutError as error:
        raise QemuHung(str(error)) from error

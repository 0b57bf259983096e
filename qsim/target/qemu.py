# SPDX-License-Identifier: GPL-2.0-or-later
"""A real QEMU as a witness: a case played on one process.

The children are the scenario's scripted children behind our NBD server, the guest is our NBD
client on an export of the quorum node.  Before every answer QEMU is given time to do all it can
do, proven by a round trip through its main loop, so a run has the same rounds as on the model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from qemu.qmp import ExecuteError, QMPError

from qsim.block.child import Reply, extent_kind
from qsim.block.events import Event, limiter_key
from qsim.block.sparse import Sparse
from qsim.outcome import StepOutcome, answer
from qsim.scenario.case import ENDS_EARLY, REFUSED, WAITS, WAITS_REFUSED, Case, Step
from qsim.target.attribute import SCENARIO_EVENTS, Played, scenario_event
from qsim.target.error import QemuDied, QemuHung
from qsim.target.job import ENDS, JOB_POLL_S, STARTS, Job
from qsim.target.kept import KeptNodes, can_keep
from qsim.target.limiter import Windows, closed
from qsim.target.names import Names
from qsim.target.nbd_client import GuestConnection, GuestReply, NbdConnectionLost
from qsim.target.nbd_proto import NbdError
from qsim.target.nbd_server import ChildServer
from qsim.target.nodes import Nodes
from qsim.target.postmortem import last_words, sanitizer_report, stacks
from qsim.target.process import PATIENCE_S, QemuProcess, first_line
from qsim.target.rounds import Rounds, looked_at, passed_on, read_by_qemu
from qsim.target.views import view
from qsim.target.wire import with_servers

#: How far the wall clock may move against the monotonic one during a run, in seconds.
CLOCK_DRIFT_S = 0.05


class ClockJumped(Exception):
    """The wall clock was set during the run, so events cannot be told apart by their time."""


def expected_keys(step: Step, key: Callable[[Event], str] = limiter_key) -> set[str]:
    """The limiter windows a step means to use."""
    return {key(event) for expect in step.expected for event in expect.events}


class QemuRun(Rounds):
    """One case being played on one process.

    :param another: starts the process that takes the place of one the scenario kills, and whose
        events follow those of the first.
    """

    def __init__(
        self,
        case: Case,
        process: QemuProcess,
        server: ChildServer,
        windows: Windows,
        serial: int,
        kept: KeptNodes | None = None,
        another: Callable[[], Awaitable[QemuProcess]] | None = None,
    ) -> None:
        names = Names([*case.children, *case.nodes, *case.jobs, "top"], serial)
        super().__init__(case, process, server, names)
        self.windows = windows
        self.another = another
        #: Whether the main loop waits for a child that a step has left with what it holds.
        self.blocked = False
        self.nodes = Nodes(process, server, names, kept if can_keep(case) else None)
        self.guest: GuestConnection | None = None
        self.export = ""

    async def play(self) -> Played:
        """Play all steps and take everything down again.

        A death or a hang of QEMU is part of the outcome, not an exception.

        :raise ClockJumped: see there; play again.
        """
        played, outcome = self.played, self.played.outcome
        played.first_event = self.process.events.mark()
        self.process.begin()
        played.begin_s = time.time()
        began_s = time.monotonic()
        clock = played.begin_s - began_s
        shown = StepOutcome("set-up", beats=[])
        try:
            await self._children()
            for step in (self.case.opening, *self.case.steps):
                shown = StepOutcome(str(step), beats=[], beside_job=bool(step.job))
                outcome.steps.append(shown)
                played.starts.append(time.time())
                if played.completed is not None:
                    played.completed.append(None if step.job else [])
                if not await self._step(step, shown):
                    break
            outcome.contents = self._contents()
            await self._take_down()
        except QemuDied as death:
            # Events that it sent before can be still on their way through our loop.
            await passed_on()
            if not outcome.steps:
                outcome.trouble.append(f"set-up: QEMU died while children were added: {death}")
            shown.beats = self.stage.end()
            shown.exit = (death.status, self.names.back(last_words(death.stderr)))
            if outcome.contents is None:
                outcome.contents = self._contents()
        except QemuHung as hang:
            shown.beats = self.stage.end()
            where = await stacks(self.process.pid)
            text = f"{shown.label}: QEMU hangs: {hang}"
            outcome.trouble.append(f"{text}\n{where}" if where else text)
            await self.process.stop()
        except (QMPError, NbdError) as error:
            # It talks rubbish, hung up, or refused what every QEMU does.
            shown.beats = self.stage.end()
            outcome.trouble.append(f"{shown.label}: {first_line(str(error))}")
            await self.process.stop()
        else:
            self._look_at_stderr(shown.label)
        finally:
            outcome.seconds = time.monotonic() - began_s
            self._forget_children()
        if abs(time.time() - time.monotonic() - clock) > CLOCK_DRIFT_S:
            raise ClockJumped
        return played

    def _look_at_stderr(self, label: str) -> None:
        """A sanitizer that reports without ending the process is a result all the same."""
        report = sanitizer_report(self.process.stderr())
        if report:
            self.played.outcome.trouble.append(f"{label}: {last_words(report)}")

    def key(self, event: Event) -> str:
        """Which of the limiter's windows an event falls in."""
        return limiter_key(event)

    def _contents(self) -> dict[str, Sparse]:
        return {name: child.contents.copy() for name, child in self.stage.children.items()}

    async def _children(self) -> None:
        """Connect the children."""
        await self.nodes.connect(
            self.case.children, self.stage.children, self._arrived, self.windows
        )

    def _forget_children(self) -> None:
        self.nodes.forget(self.case.children, self.played.lent)

    async def _step(self, step: Step, shown: StepOutcome) -> bool:
        """Play one step; False when the run cannot go on."""
        shown.withheld = self.blocked
        if not self.blocked:
            await self._windows_closed(step)
        children = self.stage.children
        self.stage.begin(step.complete, step.stop_after)
        if self.job is not None:
            self.job.goes_on()
        before = {name: list(child.faults) for name, child in children.items()}
        mine = {name: [fault.copy() for fault in faults] for name, faults in step.faults.items()}
        for name, faults in mine.items():
            children[name].faults[:0] = faults
        try:
            going = await self._do(step, shown)
            self.blocked = await self._waits_for_a_child()
            shown.withheld = shown.withheld or self.blocked
            return going
        finally:
            for name in mine:
                children[name].faults = before[name]
            shown.beats = self.stage.end()
            self.stage.impossible = []
            if self.stage.missed is not None:
                trouble = f"{shown.label}: stop-after: there was no {self.stage.missed}"
                self.played.outcome.trouble.append(trouble)

    async def _do(self, step: Step, shown: StepOutcome) -> bool:
        if step.verb == "set":
            for name, content in step.contents.items():
                self.stage.children[name].contents = content.data.copy()
                self.stage.children[name].holes = list(content.holes)
        elif step.verb == "kill":
            await self._kill()
        elif step.verb == "open":
            return await self._open(shown)
        elif step.verb == "qmp":
            await self._qmp(step.command, self.names.out(step.arguments), shown)
        else:
            await self._guest_requests(step, shown)
        return True

    async def _open(self, shown: StepOutcome) -> bool:
        """Add the quorum node, what goes above it, and the guest's export."""
        assert self.case.options is not None
        await self._qmp("blockdev-add", self.names.out(self.case.options), shown)
        top = self.names.real("q")
        if shown.error:
            # 5.2 lets a node hold itself: then nobody can delete it, nor its children.
            self.played.spoilt = "q" in _children(self.case.options)
            return False
        self.nodes.added.append(top)
        if self.case.above is not None:
            below, top = top, self.names.real("top")
            await self.nodes.add(
                top,
                {
                    "driver": "blkdebug",
                    "node-name": top,
                    "align": self.case.above,
                    "image": below,
                },
            )
        return await self._exported(top, top, shown)

    async def _exported(self, node: str, name: str, shown: StepOutcome) -> bool:
        """Export a node to the guest; False when it is refused."""
        if self.case.guest == "none":
            return True
        export = {
            **self.process.shape.export,
            "type": "nbd",
            "id": name,
            "node-name": node,
            "name": name,
            "writable": self.case.guest == "writable",
        }
        try:
            await self.process.execute("block-export-add", export)
        except ExecuteError as error:
            shown.returns = None
            shown.error = (error.error.error.class_, self.names.back(error.error.error.desc))
            return False
        self.export = name
        self.guest = await self.process.bounded(
            GuestConnection.connect(self.process.nbd_path, name, PATIENCE_S),
            PATIENCE_S,
            "the guest's connection",
        )
        return True

    async def _qmp(self, command: str, arguments: dict[str, Any], shown: StepOutcome) -> None:
        """Execute a command while children are answered."""
        arguments = with_servers(arguments, self.server.path)
        if command == STARTS and shown.beside_job:
            self.job = Job(arguments["job-id"])
        task = looked_at(self.process.execute(command, arguments))
        if self.job is not None and command in ENDS:
            task.add_done_callback(self.job.told)
        self.commanding = True
        try:
            # When QEMU begins with a command is its own affair.  Only what follows from its first
            # request, or from its end, can be waited for by a ping.
            if self.stage.held:
                # What is held may be what it waits for.
                await self._begun(task)
            else:
                await self._anything(task, command)
            await self._until(task, command, shown)
        finally:
            self.commanding = False
        try:
            shown.returns = self.names.back(view(command, task.result()))
        except ExecuteError as error:
            shown.error = (error.error.error.class_, self.names.back(error.error.error.desc))
            return
        self.nodes.changed(command, arguments)

    async def _guest_requests(self, step: Step, shown: StepOutcome) -> None:
        """Send the step's request, or all its parts, and play until all are answered."""
        guest = self.guest
        assert guest is not None
        parts = step.parts or (step,)
        tasks = [
            guest.submit(part.verb, part.offset, part.bytes, part.data, part.flags)
            for part in parts
        ]
        finish: list[int] = []
        for i, task in enumerate(tasks):
            task.add_done_callback(lambda _, i=i: finish.append(i))  # type: ignore[misc]
        # QEMU starts on a request in the turn of its loop that reads it, and reads one a turn.
        await read_by_qemu(guest)
        if step.meanwhile is not None:
            await self._with_command(step.meanwhile, tasks, str(step), shown)
        else:
            await self._until(looked_at(asyncio.gather(*tasks)), str(step), shown)
        try:
            replies: list[GuestReply] = [task.result() for task in tasks]
        except NbdConnectionLost:
            # The export's server is QEMU: a lost connection is its death or its mistake.
            await self.process.ping()
            raise QemuHung("it closed the guest's connection") from None
        answers = [
            answer(part, reply.errno, reply.data, _extent(reply))
            for part, reply in zip(parts, replies, strict=True)
        ]
        if step.parts:
            shown.answers, shown.finish = tuple(answers), tuple(finish)
        else:
            shown.ret, shown.data, shown.extent = (
                answers[0].ret,
                answers[0].data,
                answers[0].extent,
            )

    async def _with_command(
        self, command: Step, tasks: list[asyncio.Future[GuestReply]], name: str, shown: StepOutcome
    ) -> None:
        """Give a command while children hold the guest's requests, then answer them."""
        await self._settle()
        arguments = self.names.out(command.arguments)
        self.command = looked_at(self._refusal(command.command, arguments))
        self.commanding = True
        try:
            await self._begun(self.command)
            if self.command.done():
                shown.meanwhile = self._at_once(self.command.result())
                self.commanding = False
            await self._until(looked_at(asyncio.gather(*tasks, self.command)), name, shown)
        finally:
            self.commanding = False
        if shown.meanwhile is None:
            refusal = self.command.result()
            shown.meanwhile = WAITS if refusal is None else f"{WAITS_REFUSED}{refusal}"
        self.command = None

    async def _waits_for_a_child(self) -> bool:
        """Whether QEMU's main loop waits for what a child holds: no timer runs in it then."""
        if not self.stage.held:
            return False
        trip = looked_at(self.process.round_trip())
        await self._begun(trip)
        if trip.done():
            trip.result()
        return not trip.done()

    async def _begun(self, command: asyncio.Future[Any]) -> None:
        """Return when a command has begun: it was sent, and its reply is here, or QEMU sleeps.

        :raise QemuHung: when it does neither.
        """
        deadline = time.monotonic() + PATIENCE_S
        await passed_on()
        while not command.done() and not await self.process.asleep():
            if time.monotonic() > deadline:
                raise QemuHung(f"waited {PATIENCE_S:.0f} s for it to begin with a command")
        await passed_on()

    def _at_once(self, refusal: str | None) -> str:
        """What is seen of a command that ends before any child has answered."""
        if refusal is not None:
            return f"{REFUSED}{refusal}"
        # With nothing held there was nothing to wait for.
        return ENDS_EARLY if self.stage.held else WAITS

    async def _refusal(self, command: str, arguments: dict[str, Any]) -> str | None:
        """Give a command, and say what it is refused with, if it is."""
        try:
            await self.process.execute(command, arguments)
        except ExecuteError as error:
            return str(self.names.back(error.error.error.desc))
        self.nodes.changed(command, arguments)
        return None

    async def _kill(self) -> None:
        """End the process as a crash would, and go on in another with the same children, in which
        the quorum node is opened as at first.  What the limiter holds comes before, if it can.
        """
        assert self.another is not None
        if not self.blocked:
            await self._held_events_out()
        await self.process.stop()
        if self.guest is not None:
            self.guest.abort()
        self.stage.drop()
        self._forget_children()
        self.job = self.guest = None
        self.export = ""
        self.process = await self.another()
        self.process.begin()
        self.nodes = Nodes(self.process, self.server, self.names, None)
        await self._children()
        again = StepOutcome("open", beats=[])
        if not await self._open(again):
            self.played.outcome.trouble.append(f"after the kill: {again.error}")

    async def _take_down(self) -> None:
        """Remove the export and the nodes; children answer whatever they are asked now."""
        if any(child.dead for child in self.stage.children.values()):
            # The flushes to come fail on it and are reported.
            await self._held_events_out()
        self.played.end_s = time.time()
        self.over = True
        for held in self.stage.held:
            held.cookie.answer(Reply())
        if self.guest is not None:
            self.guest.close()
            # Kept nodes know this run until the next one has them; its buffers are large.
            self.guest = None
        if self.job is not None:
            await self._end_job(self.job)
        if self.export:
            await self._unexport()
        if self.played.spoilt:
            return
        self.played.lent += self.nodes.keep(self.stage.children, self.examined)
        await self.nodes.delete()
        self._note_windows()

    async def _windows_closed(self, step: Step) -> None:
        """Return when the windows are closed that the step means to use.

        After one that stops QEMU's main loop can wait for a child, and the limiter with it: what it
        held by then would be lost in a kill.  So before one that stops all are closed.
        """
        keys = [self._real_key(key) for key in expected_keys(step, self.key)]

        def noted() -> Collection[str]:
            self._note_windows()
            return keys if step.stop_after is None else self.windows.keys()

        if self.windows.known(noted()):
            await closed(self.process, self.windows, noted)
            self.played.starts[-1] = time.time()

    async def _held_events_out(self) -> None:
        """Return when the events that the limiter holds for this run are here."""
        self._note_windows()
        await asyncio.sleep(self.windows.wait_all_s())
        await self.process.timers_ran()

    async def _end_job(self, job: Job) -> None:
        """A job that is left does not go on to copy, and is gone before its nodes are."""
        job.ending = True
        job.goes_on()
        await self.process.execute("block-job-cancel", {"device": job.name, "force": True})
        while not await job.rests(self.process):
            await asyncio.sleep(JOB_POLL_S)

    async def _unexport(self) -> None:
        """Delete the export; it is gone only when its event is there."""
        await self.process.execute("block-export-del", {"id": self.export, "mode": "hard"})
        deadline = time.monotonic() + PATIENCE_S
        while not any(
            event.name == "BLOCK_EXPORT_DELETED" and event.data.get("id") == self.export
            for event in self.process.events.since(self.played.first_event)
        ):
            if time.monotonic() > deadline:
                raise QemuHung("waited for BLOCK_EXPORT_DELETED")
            self.process.changed.clear()
            await self.process.bounded(
                self.process.changed.wait(), PATIENCE_S, "BLOCK_EXPORT_DELETED"
            )

    def _real_key(self, key: str) -> str:
        """A limiter key with the node's name as QEMU knows it."""
        event, _, node = key.partition(" ")
        return f"{event} {self.names.real(node)}" if node else event

    def _note_windows(self) -> None:
        for event in self.process.events.since(self.played.first_event):
            if event.name in SCENARIO_EVENTS:
                seen = scenario_event(event, self.names, translate=False)
                self.windows.opened(self.key(seen), event.received_s)


def _children(options: dict[str, Any]) -> list[Any]:
    children = options.get("children")
    return children if isinstance(children, list) else []


def _extent(reply: GuestReply) -> tuple[str, int] | None:
    if not reply.extents:
        return None
    extent = reply.extents[0]
    return extent_kind(extent.hole, extent.zero), extent.bytes

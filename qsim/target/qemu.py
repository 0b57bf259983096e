# SPDX-License-Identifier: GPL-2.0-or-later
"""A real QEMU as a witness: a case played on one process.

The children are the scenario's scripted children behind our NBD server, the guest is our NBD
client on an export of the quorum node.  Before every answer QEMU is given time to do all it can
do, proven by a round trip through its main loop, so a run has the same rounds as on the model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import Any

from qemu.qmp import ExecuteError, QMPError

from qsim.block.child import Reply, extent_kind
from qsim.block.events import Event, limiter_key
from qsim.block.sparse import Sparse
from qsim.block.stage import Stage
from qsim.outcome import Outcome, StepOutcome, answer
from qsim.scenario.case import ENDS_EARLY, REFUSED, WAITS, WAITS_REFUSED, Case, Step
from qsim.target.attribute import SCENARIO_EVENTS, Played, scenario_event
from qsim.target.error import QemuDied, QemuHung
from qsim.target.kept import KeptNodes, can_keep, key_of, number_of
from qsim.target.limiter import Windows, closed
from qsim.target.names import Names
from qsim.target.nbd_client import GuestConnection, GuestReply, NbdConnectionLost
from qsim.target.nbd_proto import NbdError
from qsim.target.nbd_server import Arrival, ChildServer
from qsim.target.nbd_wire import Wire, drained
from qsim.target.postmortem import last_words, sanitizer_report, stacks
from qsim.target.process import PATIENCE_S, QemuProcess, first_line
from qsim.target.views import view
from qsim.target.wire import with_servers

#: How long a ping is waited for before we look whether QEMU sleeps instead, in seconds.
DRAIN_WAIT_S = 0.02
#: How far the wall clock may move against the monotonic one during a run, in seconds.
CLOCK_DRIFT_S = 0.05


#: In so many turns of our loop a QMP message gets from the caller to the socket, or back.
OWN_TURNS = 24
#: So many commands are given side by side: each must be answered within the harness's patience.
BATCH = 16


class ClockJumped(Exception):
    """The wall clock was set during the run, so events cannot be told apart by their time."""


def expected_keys(step: Step, key: Callable[[Event], str] = limiter_key) -> set[str]:
    """The limiter windows a step means to use."""
    return {key(event) for expect in step.expected for event in expect.events}


class QemuRun:
    """One case being played on one process."""

    def __init__(
        self,
        case: Case,
        process: QemuProcess,
        server: ChildServer,
        windows: Windows,
        serial: int,
        kept: KeptNodes | None = None,
    ) -> None:
        self.case = case
        self.process = process
        self.server = server
        self.windows = windows
        self.names = Names([*case.children, *case.nodes, "top"], serial)
        self.stage: Stage[Arrival] = Stage({n: spec.make() for n, spec in case.children.items()})
        self.guest: GuestConnection | None = None
        self.added: list[str] = []
        #: The process's kept nodes, where the case leaves them as they are.
        self.kept = kept if can_keep(case) else None
        self.export = ""
        self.over = False
        self.commanding = False
        self.asked = asyncio.Event()
        #: The command that was given while the guest's requests are held.
        self.command: asyncio.Future[Any] | None = None
        #: Children that were asked for their block status.
        self.examined: set[str] = set()
        self.played = Played(Outcome(f"QEMU {process.version}"), self.names, completed=[])

    async def play(self) -> Played:
        """Play all steps and take everything down again.

        A death or a hang of QEMU is part of the outcome, not an exception.

        :raise ClockJumped: see there; play again.
        """
        played, outcome = self.played, self.played.outcome
        played.first_event = self.process.events.mark()
        self.process.begin()
        played.begin_s = time.time()
        clock = time.time() - time.monotonic()
        shown = StepOutcome("set-up", beats=[])
        try:
            await self._children()
            for step in (self.case.opening, *self.case.steps):
                shown = StepOutcome(str(step), beats=[])
                outcome.steps.append(shown)
                played.starts.append(time.time())
                if played.completed is not None:
                    played.completed.append([])
                if not await self._step(step, shown):
                    break
            outcome.contents = self._contents()
            await self._take_down()
        except QemuDied as death:
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
        """Connect the children: to kept nodes where there are any, else to new ones."""
        new: list[str] = []
        youngest = -1
        for name, child in self.stage.children.items():
            key = key_of(self.case.children[name])
            node = None
            if self.kept is not None:
                node = self.kept.lend(key, youngest, self.windows) if not new else None
                if node is not None:
                    self.server.lend(node, child, self._arrived)
                    youngest = number_of(node)
                else:
                    new.append(name)
                self.names.lend(name, node or self.kept.new(key))
            else:
                new.append(name)
            if node is None:
                self.server.add(self.names.real(name), child, self._arrived)
        for some in _batches(new):
            await asyncio.gather(*(self._add_child(n, self.case.children[n].node) for n in some))

    def _forget_children(self) -> None:
        for name in self.case.children:
            real = self.names.real(name)
            if real not in self.played.lent:
                self.server.remove(real)
                if self.kept is not None:
                    self.kept.forget(real)

    async def _add_child(self, name: str, node: dict[str, Any]) -> None:
        await self._add(self.names.real(name), {**self._nbd(name), **node})

    def _nbd(self, name: str) -> dict[str, Any]:
        real = self.names.real(name)
        return {
            "driver": "nbd",
            "node-name": real,
            "server": {"type": "unix", "path": self.server.path},
            "export": real,
        }

    async def _add(self, real: str, options: dict[str, Any]) -> Any:
        result = await self.process.execute("blockdev-add", options)
        self.added.append(real)
        return result

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

    async def _step(self, step: Step, shown: StepOutcome) -> bool:
        """Play one step; False when the run cannot go on."""
        self._note_windows()
        keys = [self._real_key(key) for key in expected_keys(step, self.key)]
        if self.windows.known(keys):
            await closed(self.process, self.windows, lambda: self._noted(keys))
            self.played.starts[-1] = time.time()
        children = self.stage.children
        self.stage.begin(step.complete)
        before = {name: list(child.faults) for name, child in children.items()}
        mine = {name: [fault.copy() for fault in faults] for name, faults in step.faults.items()}
        for name, faults in mine.items():
            children[name].faults[:0] = faults
        try:
            return await self._do(step, shown)
        finally:
            for name in mine:
                children[name].faults = before[name]
            shown.beats = self.stage.end()
            self.stage.impossible = []

    async def _do(self, step: Step, shown: StepOutcome) -> bool:
        if step.verb == "set":
            for name, content in step.contents.items():
                self.stage.children[name].contents = content.data.copy()
                self.stage.children[name].holes = list(content.holes)
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
        self.added.append(top)
        if self.case.above is not None:
            below, top = top, self.names.real("top")
            await self._add(
                top,
                {
                    "driver": "blkdebug",
                    "node-name": top,
                    "align": self.case.above,
                    "image": below,
                },
            )
        if self.case.guest != "none":
            try:
                await self.process.execute(
                    "block-export-add",
                    {
                        **self.process.shape.export,
                        "type": "nbd",
                        "id": top,
                        "node-name": top,
                        "name": top,
                        "writable": self.case.guest == "writable",
                    },
                )
            except ExecuteError as error:
                shown.returns = None
                shown.error = (error.error.error.class_, self.names.back(error.error.error.desc))
                return False
            self.export = top
            self.guest = await self.process.bounded(
                GuestConnection.connect(self.process.nbd_path, top, PATIENCE_S),
                PATIENCE_S,
                "the guest's connection",
            )
        return True

    async def _qmp(self, command: str, arguments: dict[str, Any], shown: StepOutcome) -> None:
        """Execute a command while children are answered."""
        arguments = with_servers(arguments, self.server.path)
        task = _looked_at(self.process.execute(command, arguments))
        self.commanding = True
        try:
            # When QEMU begins with a command is its own affair.  Only what follows from its first
            # request, or from its end, can be waited for by a ping.
            await self._anything(task, command)
            await self._until(task, command, shown)
        finally:
            self.commanding = False
        try:
            shown.returns = self.names.back(view(command, task.result()))
        except ExecuteError as error:
            shown.error = (error.error.error.class_, self.names.back(error.error.error.desc))
            return
        self._changed(command, arguments)

    def _changed(self, command: str, arguments: dict[str, Any]) -> None:
        """A command has succeeded: what nodes there are to delete in the end."""
        name = str(arguments.get("node-name"))
        if command == "blockdev-add" and name != self.names.real("q"):
            self.added.append(name)
        if command == "blockdev-del":
            self.added = [added for added in self.added if added != name]

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
        await _read_by_qemu(guest)
        if step.meanwhile is not None:
            await self._with_command(step.meanwhile, tasks, str(step), shown)
        else:
            await self._until(_looked_at(asyncio.gather(*tasks)), str(step), shown)
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
        self.command = _looked_at(self._refusal(command.command, arguments))
        self.commanding = True
        try:
            # It has begun when it was sent and QEMU sleeps again; then its reply is here, or it
            # waits.
            await _passed_on()
            while not self.command.done() and not await self.process.asleep():
                pass
            await _passed_on()
            if self.command.done():
                shown.meanwhile = self._at_once(self.command.result())
                self.commanding = False
            await self._until(_looked_at(asyncio.gather(*tasks, self.command)), name, shown)
        finally:
            self.commanding = False
        if shown.meanwhile is None:
            refusal = self.command.result()
            shown.meanwhile = WAITS if refusal is None else f"{WAITS_REFUSED}{refusal}"
        self.command = None

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
        self._changed(command, arguments)
        return None

    async def _until(self, task: asyncio.Future[Any], name: str, shown: StepOutcome) -> None:
        """Let QEMU run and answer its children by the schedule until ``task`` is done.

        :raise QemuHung: when it waits for nothing that is ours.
        """
        while True:
            await self._settle()
            early = self.command is not None and self.command.done() and self.stage.held
            if early and shown.meanwhile is None:
                shown.meanwhile = ENDS_EARLY
            if task.done() and not shown.early:
                shown.early = tuple(str(held.request) for held in self.stage.held)
            gone = self.stage.complete_next()
            if gone:
                if self.played.completed is not None:
                    self.played.completed[-1].append(time.time())
                for held, reply in gone:
                    await self._answer(held.cookie, reply)
                continue
            if task.done():
                return
            await self._anything(task, name)

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

        While a monitor command drains all nodes, exports are not served, ours to ping by among
        them: then what the children hold by now is all that QEMU waits for.
        """
        ping = _looked_at(self.process.ping())
        while self.commanding and not ping.done():
            await asyncio.wait({ping}, timeout=DRAIN_WAIT_S)
            held = self.stage.waiting or self.stage.held
            if not ping.done() and held and await self.process.asleep():
                return
        await ping

    async def _answer(self, arrival: Arrival, reply: Reply) -> None:
        arrival.answer(reply)
        await _read_by_qemu(arrival.connection)

    async def _anything(self, task: asyncio.Future[Any], name: str) -> None:
        """Wait for a request or the end of ``task``, whichever is first."""
        if task.done() or self.stage.waiting:
            return
        self.asked.clear()
        task.add_done_callback(lambda _: self.asked.set())
        await self.process.bounded(self.asked.wait(), PATIENCE_S, f"the end of {name}")

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
        if self.export:
            await self._unexport()
        if self.played.spoilt:
            return
        surplus = self._keep()
        for some in _batches(self.added[::-1]):
            commands = (self.process.execute("blockdev-del", {"node-name": one}) for one in some)
            await asyncio.gather(*commands)
        # Not before their nodes, which in 5.2 would connect again, and go at a bad moment for it.
        for name in surplus:
            self.server.remove(name)
        self._note_windows()

    async def _held_events_out(self) -> None:
        """Return when the events that the limiter holds for this run are here."""
        self._note_windows()
        await asyncio.sleep(self.windows.wait_all_s())
        await self.process.timers_ran()

    def _keep(self) -> list[str]:
        """Children's nodes that can serve another case are not deleted, nor those too many kept.

        :return: those too many, which are to be deleted and serve nobody any more.
        """
        if self.kept is None:
            return []
        for name, child in self.stage.children.items():
            real = self.names.real(name)
            if not child.dead and name not in self.examined:
                self.played.lent.append(real)
                continue
            if real not in self.added:
                self.added.insert(0, real)
        self.added = [name for name in self.added if name not in self.played.lent]
        surplus = self.kept.surplus()
        self.added[:0] = surplus
        return surplus

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

    def _noted(self, keys: Collection[str]) -> Collection[str]:
        self._note_windows()
        return keys

    def _note_windows(self) -> None:
        for event in self.process.events.since(self.played.first_event):
            if event.name in SCENARIO_EVENTS:
                seen = scenario_event(event, self.names, translate=False)
                self.windows.opened(self.key(seen), event.received_s)


def _looked_at(what: Awaitable[Any]) -> asyncio.Future[Any]:
    """A task whose failure needs nobody: when QEMU dies, the death is what counts."""
    task = asyncio.ensure_future(what)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


async def _passed_on() -> None:
    """Let our own loop pass on what stands between a socket and who waits for it."""
    for _ in range(OWN_TURNS):
        await asyncio.sleep(0)


async def _read_by_qemu(connection: Wire) -> None:
    """Wait until QEMU has read what was sent.

    :raise QemuHung: when it does not.
    """
    try:
        await drained(connection, PATIENCE_S)
    except TimeoutError as error:
        raise QemuHung(str(error)) from error


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Names in groups: the last of very many commands would wait longer than one may."""
    for i in range(0, len(names), BATCH):
        yield names[i : i + BATCH]


def _children(options: dict[str, Any]) -> list[Any]:
    children = options.get("children")
    return children if isinstance(children, list) else []


def _extent(reply: GuestReply) -> tuple[str, int] | None:
    if not reply.extents:
        return None
    extent = reply.extents[0]
    return extent_kind(extent.hole, extent.zero), extent.bytes

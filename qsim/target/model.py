# SPDX-License-Identifier: GPL-2.0-or-later
"""The model as a witness: a case played on the re-told driver."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from qsim.block.blkdebug import BlkdebugNode
from qsim.block.child import ScriptedChild
from qsim.block.coroutine import Coroutine
from qsim.block.error import ProcessExit, QmpError
from qsim.block.export import Export, GuestReply
from qsim.block.monitor import Monitor
from qsim.block.nbd_connection import Pending
from qsim.block.nbd_node import NbdNode
from qsim.block.node import BdrvChild, BlockDriverState, World, bdrv_unref_child
from qsim.block.options import qdict_extract_subqdict
from qsim.block.qcow2 import Qcow2Node
from qsim.block.stage import Stage
from qsim.outcome import Outcome, StepOutcome, answer
from qsim.quorum.children import quorum_add_child, quorum_del_child
from qsim.quorum.node import QuorumNode
from qsim.quorum.options import quorum_open
from qsim.quorum.revisions import Revision
from qsim.scenario.case import Case, Step
from qsim.scenario.error import ScenarioError
from qsim.target.views import view
from qsim.target.wire import event_problem, refuse, with_servers


class Hang(Exception):
    """A coroutine waits and no child holds a request: QEMU would hang."""


class _Leaf:
    """Drivers without changeable children."""

    takes_children = False

    def add_child(self, bs: BlockDriverState, child: BlockDriverState) -> None:
        raise AssertionError("not a driver that takes children")

    def del_child(self, bs: BlockDriverState, child: BdrvChild) -> None:
        raise AssertionError("not a driver that takes children")


class _NbdDriver(_Leaf):
    def __init__(self, world: World, stage: Stage[Pending]) -> None:
        self.world = world
        self.stage = stage

    def open(self, monitor: Monitor, node_name: str, options: dict[str, Any]) -> NbdNode:
        qdict_extract_subqdict(options, "server.")
        child = self.stage.children[options.pop("export")]
        node = NbdNode(self.world, node_name, child, self.stage)
        node.options = {"export": child.name}
        return node


class _ImageDriver(_Leaf):
    """An image file as a drive opens it: the format is probed, the child stands for both."""

    def __init__(self, world: World, stage: Stage[Pending]) -> None:
        self.world = world
        self.stage = stage

    def open(self, monitor: Monitor, node_name: str, options: dict[str, Any]) -> NbdNode:
        filename = options.pop("file.filename")
        if filename not in self.stage.children:
            raise QmpError(f"Could not open '{filename}': No such file or directory")
        return NbdNode(self.world, filename, self.stage.children[filename], self.stage)


class _BlkdebugDriver(_Leaf):
    def __init__(self, world: World) -> None:
        self.world = world

    def open(self, monitor: Monitor, node_name: str, options: dict[str, Any]) -> BlkdebugNode:
        node = BlkdebugNode(self.world, node_name, options.pop("align"))
        monitor.bdrv_open_child(options, "image", node)
        node.opened()
        return node


class _Qcow2Driver(_Leaf):
    """An image over another node; opening it ends where its backing file is looked for."""

    def __init__(self, world: World) -> None:
        self.world = world

    def open(self, monitor: Monitor, node_name: str, options: dict[str, Any]) -> Qcow2Node:
        node = Qcow2Node(self.world, node_name)
        monitor.bdrv_open_child(options, "file", node)
        names: list[str] = []

        async def read() -> None:
            names.append(await node.read_metadata())

        monitor.run(Coroutine(read))
        try:
            if not names[0].startswith("/") and ":" not in names[0]:
                node.file.bs.dirname()
            raise NotImplementedError("backing files are outside the model")
        except QmpError:
            monitor.run(Coroutine(node.co_flush_and_forget))
            monitor.run(Coroutine(node.inactivate))
            bdrv_unref_child(node.file)
            raise


class _QuorumDriver:
    takes_children = True

    def __init__(self, world: World, revision: Revision) -> None:
        self.world = world
        self.revision = revision

    def open(self, monitor: Monitor, node_name: str, options: dict[str, Any]) -> QuorumNode:
        node = QuorumNode(self.world, node_name, self.revision)
        node.options = dict(options)
        quorum_open(node, options, monitor.bdrv_open_child)
        return node

    def add_child(self, bs: BlockDriverState, child: BlockDriverState) -> None:
        assert isinstance(bs, QuorumNode)
        quorum_add_child(bs, child)

    def del_child(self, bs: BlockDriverState, child: BdrvChild) -> None:
        assert isinstance(bs, QuorumNode)
        quorum_del_child(bs, child)


class _Run:
    """One case being played."""

    def __init__(self, case: Case, revision: Revision) -> None:
        self.case = case
        children: dict[str, ScriptedChild] = {
            name: spec.make() for name, spec in case.children.items()
        }
        self.stage: Stage[Pending] = Stage(children)
        self.world = World(switches=revision.switches)
        self.monitor = Monitor(
            self.world,
            {
                "nbd": _NbdDriver(self.world, self.stage),
                "blkdebug": _BlkdebugDriver(self.world),
                "qcow2": _Qcow2Driver(self.world),
                "": _ImageDriver(self.world, self.stage),
                "quorum": _QuorumDriver(self.world, revision),
            },
            self.run_until_done,
        )
        self.export: Export | None = None
        self.early: tuple[str, ...] = ()
        self.outcome = Outcome(f"model {revision.name}")

    def run_until_done(self, *coroutines: Coroutine) -> None:
        """Enter ``coroutines`` and answer children until all have ended and nothing is held.

        :raise Hang: when one waits for something that will not come.
        """
        for coroutine in coroutines:
            coroutine.enter()
        while True:
            self.stage.settle()
            if all(coroutine.done for coroutine in coroutines) and not self.early:
                self.early = tuple(str(held.request) for held in self.stage.held)
            gone = self.stage.complete_next()
            if not gone:
                break
            for held, reply in gone:
                held.cookie.deliver(reply)
        if not all(coroutine.done for coroutine in coroutines):
            raise Hang

    def play(self) -> Outcome:
        steps = [self.case.opening, *self.case.steps]
        for name, spec in self.case.children.items():
            if name in self.case.images:
                continue
            self.monitor.blockdev_add(
                driver="nbd", node_name=name, export=name, **_python(spec.node)
            )
        for step in steps:
            shown = StepOutcome(str(step), beats=[])
            self.outcome.steps.append(shown)
            if not self._step(step, shown):
                break
        self.outcome.contents = {
            name: child.contents.copy()
            for name, child in self.stage.children.items()
            # An image file that was damaged to fail cannot be read back.
            if not (name in self.case.images and child.faults)
        }
        self.outcome.trouble += [str(one) for one in self.world.ledger.violations]
        if not any(shown.exit for shown in self.outcome.steps):
            self.outcome.trouble += [str(one) for one in self.world.ledger.leaks()]
        return self.outcome

    def _step(self, step: Step, shown: StepOutcome) -> bool:
        """Play one step; False when the run cannot go on."""
        first_event = len(self.world.events)
        self.stage.begin(step.complete)
        children = self.stage.children
        before = {name: list(child.faults) for name, child in children.items()}
        for name, faults in step.faults.items():
            children[name].faults[:0] = [fault.copy() for fault in faults]
        going = True
        try:
            self._do(step, shown)
        except QmpError as error:
            shown.returns = None
            shown.error = (error.klass, error.desc)
            going = step.verb != "open"
        except ProcessExit as end:
            shown.exit = (end.status, end.stderr)
            going = False
        except Hang:
            self.outcome.trouble.append(f"{shown.label}: hangs: no child holds a request")
            going = False
        for name in step.faults:
            children[name].faults = before[name]
        shown.beats = self.stage.end()
        shown.early, self.early = self.early, ()
        shown.events = self.world.events[first_event:]
        self.outcome.trouble += filter(None, map(event_problem, shown.events))
        if self.stage.impossible:
            self.outcome.trouble.append(
                f"{self.case.file}:{step.line}: complete: impossible schedule: "
                f"{', '.join(self.stage.impossible)} held no request when it was to be completed"
            )
            self.stage.impossible = []
        return going

    def _do(self, step: Step, shown: StepOutcome) -> None:
        if step.verb == "open":
            top = "q"
            if self.case.drive is not None:
                top = self.monitor.drive_add(self.case.drive)
                shown.returns = {}
            else:
                assert self.case.options is not None
                shown.returns = self._execute("blockdev-add", self.case.options)
            if self.case.above is not None:
                top = "top"
                self.monitor.blockdev_add(
                    driver="blkdebug", node_name=top, align=self.case.above, image="q"
                )
            if self.case.guest != "none":
                root = self.monitor.export(top, self.case.guest == "writable")
                self.export = Export(root)
        elif step.verb == "set":
            for name, content in step.contents.items():
                self.stage.children[name].contents = content.data.copy()
                self.stage.children[name].holes = list(content.holes)
        elif step.verb == "qmp":
            shown.returns = view(step.command, self._execute(step.command, step.arguments))
        else:
            parts = step.parts or (step,)
            replies = self._guest(parts)
            answers = {
                i: answer(parts[i], reply.errno, reply.data, reply.extent) for i, reply in replies
            }
            if step.parts:
                shown.answers = tuple(answers[i] for i in sorted(answers))
                shown.finish = tuple(answers)
            else:
                shown.ret = answers[0].ret
                shown.data, shown.extent = answers[0].data, answers[0].extent

    def _execute(self, command: str, arguments: dict[str, Any]) -> Any:
        """A QMP command, after the visitor has seen its arguments.

        :raise QmpError: of the visitor or of the command.
        """
        arguments = with_servers(arguments, "children.sock")
        refuse(command, arguments)
        return self.monitor.execute(command, arguments)

    def _guest(self, steps: Sequence[Step]) -> list[tuple[int, GuestReply]]:
        """The replies to guest requests in flight together, in the order they come."""
        assert self.export is not None
        export = self.export
        replies: list[tuple[int, GuestReply]] = []

        async def request(i: int, step: Step) -> None:
            reply = await export.request(step.verb, step.offset, step.bytes, step.data, step.flags)
            replies.append((i, reply))

        self.run_until_done(*(Coroutine(partial(request, i, step)) for i, step in enumerate(steps)))
        return replies


def _python(options: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in options.items()}


def run_model(case: Case, revision: Revision) -> Outcome:
    """Play ``case`` on the model of ``revision``.

    :raise ScenarioError: when it does something the model does not know.
    """
    run = _Run(case, revision)
    try:
        return run.play()
    except (NotImplementedError, KeyError, TypeError) as error:
        at = len(run.outcome.steps) - 1
        line = case.steps[at - 1].line if at > 0 else case.line
        raise ScenarioError(case.file, line, "", f"this is outside the model: {error}") from error

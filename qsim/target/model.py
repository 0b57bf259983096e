# SPDX-License-Identifier: GPL-2.0-or-later
"""The model as a witness: a case played on the re-told driver."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from qsim.block.aio import Hang, cancel
from qsim.block.child import ScriptedChild
from qsim.block.coroutine import Coroutine
from qsim.block.error import ProcessExit, QmpError
from qsim.block.events import JOB_EVENTS
from qsim.block.export import GuestReply
from qsim.block.memory import Undefined
from qsim.block.node import World
from qsim.block.stage import Stage
from qsim.outcome import Outcome, StepOutcome, answer
from qsim.quorum.revisions import Revision
from qsim.scenario.case import (
    CANCELLED,
    ENDS_EARLY,
    REFUSED,
    WAITS,
    WAITS_REFUSED,
    Answer,
    Case,
    Step,
)
from qsim.scenario.error import ModelError, ScenarioError
from qsim.target.machine import Guest, process_of
from qsim.target.views import view
from qsim.target.wire import of_2014, today, with_servers

#: Says which word of a schedule comes next, when an exploration decides that.
Decide = Callable[[Stage[Any], int], str]


class Run:
    """One case being played."""

    def __init__(self, case: Case, revision: Revision, decide: Decide | None) -> None:
        self.case = case
        self.revision = revision
        self.decide = decide
        children: dict[str, ScriptedChild] = {
            name: spec.make() for name, spec in case.children.items()
        }
        self.stage: Stage[Any] = Stage(children)
        self._start(revision)
        state = revision.schema_2014
        self.dialect = of_2014(state) if state else today(revision.switches)
        # Since the driver has coroutines whoever cancels a request just waits for its end.
        self.cancels = revision.engine == "callback"
        self.guest: Guest | None = None
        #: The coroutines of the guest requests in flight, in the scenario's order.
        self.guests: list[Coroutine] = []
        #: Whether the command given meanwhile has waited for them.
        self.drained = False
        self.replies: list[tuple[int, GuestReply | None]] = []
        self.early: tuple[str, ...] = ()
        #: Whether there is a block job beside what the step does.
        self.beside_job = False
        #: How many events there were before the step.
        self.first_event = 0
        #: Whether the scenario is over and the process ends.
        self.closing = False
        self.outcome = Outcome(f"model {revision.name}", sees_memory=True)

    def _start(self, revision: Revision) -> None:
        """A process that knows nothing yet."""
        self.world = World(switches=revision.switches, completions=self._completions)
        self.world.aio.turn = self.turn
        self.process = process_of(revision, self.world, self.stage, self.run_until_done)
        self.monitor = self.process.monitor

    def _completions(self) -> int | None:
        """After how many completions of the step something is; beside a job nobody can say."""
        return None if self.beside_job else self.stage.completions

    def run_until_done(self, *coroutines: Coroutine) -> None:
        """Enter ``coroutines`` and answer children until all have ended and nothing is held, or
        the step is to stop.

        :raise Hang: when one waits for something that will not come.
        """
        for coroutine in coroutines:
            if not coroutine.entered:
                coroutine.enter()
        while True:
            while self.world.aio.bh_poll():
                pass
            self.stage.settle()
            given_up = any(reply is None for _, reply in self.replies)
            done = all(coroutine.done for coroutine in coroutines)
            if done and self.stage.to_come == 0:
                return
            if done and not given_up and not self.early and not self.beside_job:
                self.early = tuple(str(held.request) for held in self.stage.held)
            if not self.turn() and not self.world.aio.run_timers():
                break
        if not all(coroutine.done for coroutine in coroutines):
            raise Hang

    def turn(self) -> bool:
        """Let one child answer, or cancel a request if that is next; whether there was either."""
        self.stage.settle()
        callers = self.world.aio.callers
        if self.decide is not None and self.stage.held:
            self.stage.order.insert(0, self.decide(self.stage, len(callers)))
        place = self.stage.cancel_next()
        if place is not None and (place < len(callers) or not self.cancels):
            self.stage.cancelled(place)
            if self.cancels:
                cancel(callers[place])
            return True
        gone = self.stage.complete_next()
        for held, reply in gone:
            held.cookie.deliver(reply)
        return bool(gone)

    def play(self) -> Outcome:
        steps = [self.case.opening, *self.case.steps]
        self._children()
        for step in steps:
            shown = StepOutcome(str(step), beats=[], beside_job=bool(step.job))
            self.outcome.steps.append(shown)
            if not self._step(step, shown):
                break
        self.outcome.contents = {
            name: child.contents.copy()
            for name, child in self.stage.children.items()
            # An image file that was damaged to fail cannot be read back.
            if not (name in self.case.images and child.faults)
        }
        ended = any(shown.exit or shown.undefined for shown in self.outcome.steps)
        # What a job has it still needs.
        if not (self.case.is_killed or ended or self.monitor.job):
            self._close()
        return self.outcome

    def _children(self) -> None:
        for name, spec in self.case.children.items():
            if name in self.case.images:
                continue
            self.monitor.blockdev_add(
                driver="nbd", node_name=name, export=name, **_python(spec.node)
            )

    def _kill(self) -> None:
        """Another process with the same children, the quorum node opened as at first."""
        self.stage.drop()
        self._start(self.revision)
        self.first_event = 0
        self._children()
        self._do(self.case.opening, StepOutcome("open"))

    def _close(self) -> None:
        """The process ends in an orderly way: what it has not freed by then, it leaks."""
        if self.outcome.trouble:
            return
        self.closing = True
        self.stage.begin(())
        for child in self.stage.children.values():
            child.faults = child.step_faults = []
        self.decide = None
        try:
            self.process.close()
        except (Undefined, Hang) as end:
            self.outcome.trouble.append(f"at the end of the process: {end}")
            return
        self.outcome.leaks = self.world.ledger.leaks()

    def _step(self, step: Step, shown: StepOutcome) -> bool:
        """Play one step; False when the run cannot go on."""
        self.first_event = len(self.world.events)
        self.stage.begin(step.complete, step.stop_after)
        self.beside_job = bool(step.job)
        children = self.stage.children
        for name, faults in step.faults.items():
            children[name].step_faults = [fault.copy() for fault in faults]
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
        except Undefined as end:
            shown.undefined = str(end)
            self._answers(step, shown)
            going = False
        except Hang:
            self.outcome.trouble.append(f"{shown.label}: hangs: no child holds a request")
            going = False
        except AssertionError as error:
            self.outcome.trouble.append(f"{shown.label}: {_failed(error)}")
            going = False
        for child in children.values():
            child.step_faults = []
        shown.beats = self.stage.end()
        shown.early, self.early = self.early, ()
        shown.events = self.world.events[self.first_event :]
        # Those of jobs have only what is looked at.
        whole = [event for event in shown.events if event.name not in JOB_EVENTS]
        self.outcome.trouble += filter(None, map(self.dialect.event_problem, whole))
        if self.stage.missed is not None and going:
            text = f"stop-after: there was no {self.stage.missed}"
            self.outcome.trouble.append(f"{self.case.file}:{step.line}: {text}")
        if self.stage.impossible and not (shown.undefined or shown.exit):
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
                self.guest = self.process.export(top, self.case.guest == "writable")
        elif step.verb == "set":
            for name, content in step.contents.items():
                self.stage.children[name].contents = content.data.copy()
                self.stage.children[name].holes = list(content.holes)
        elif step.verb == "kill":
            self._kill()
        elif step.verb == "qmp":
            try:
                shown.returns = view(step.command, self._execute(step.command, step.arguments))
            finally:
                if step.job:
                    self.run_until_done()
        else:
            self._guest(step.parts or (step,), step.meanwhile, shown)
            self._answers(step, shown)

    def _answers(self, step: Step, shown: StepOutcome) -> None:
        """What the guest was answered, as far as it was."""
        parts = step.parts or (step,)
        answers = {
            i: Answer(CANCELLED)
            if reply is None
            else answer(parts[i], reply.errno, reply.data, reply.extent)
            for i, reply in self.replies
        }
        self.replies = []
        if step.parts:
            shown.answers = tuple(answers[i] for i in sorted(answers))
            shown.finish = tuple(answers)
        elif answers:
            shown.ret = answers[0].ret
            shown.data, shown.extent = answers[0].data, answers[0].extent

    def _execute(self, command: str, arguments: dict[str, Any]) -> Any:
        """A QMP command, after the visitor has seen its arguments.

        :raise QmpError: of the visitor or of the command.
        """
        self.monitor.look_up(command)
        arguments = with_servers(arguments, "children.sock")
        self.dialect.refuse(command, arguments)
        return self.monitor.execute(command, arguments)

    def _guest(self, steps: Sequence[Step], meanwhile: Step | None, shown: StepOutcome) -> None:
        """Guest requests in flight together; their replies in the order they come.

        :param meanwhile: a command given while the children hold what was asked of them.
        """
        assert self.guest is not None
        guest = self.guest

        async def request(i: int, step: Step) -> None:
            try:
                reply = await guest.request(
                    step.verb, step.offset, step.bytes, step.data, step.flags
                )
            except GeneratorExit:
                self.replies.append((i, None))
                raise
            self.replies.append((i, reply))

        self.drained = False
        self.guests = [Coroutine(partial(request, i, step)) for i, step in enumerate(steps)]
        if meanwhile is None:
            self.run_until_done(*self.guests)
            return
        for coroutine in self.guests:
            coroutine.enter()
        self.stage.settle()
        self.world.drained_begin = self._drain
        try:
            self._execute(meanwhile.command, meanwhile.arguments)
            shown.meanwhile = ENDS_EARLY if self.stage.held else WAITS
        except QmpError as error:
            shown.meanwhile = (WAITS_REFUSED if self.drained else REFUSED) + error.desc
        finally:
            self.world.drained_begin = lambda: None
        self.run_until_done(*self.guests)

    def _drain(self) -> None:
        """Let children answer until all guest requests have ended."""
        self.drained = self.drained or bool(self.stage.held)
        self.run_until_done(*self.guests)


def _failed(error: AssertionError) -> str:
    """Where an assertion failed, which ends the process in C."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"an assertion fails in {frame.name}(): {error or frame.line}"


def _python(options: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in options.items()}


def run_model(case: Case, revision: Revision, decide: Decide | None = None) -> Outcome:
    """Play ``case`` on the model of ``revision``.

    :param decide: asked for each word of the schedule, with how many requests can be cancelled.
    :raise ScenarioError: when it does something the model does not know.
    :raise ModelError: when the model fails.
    """
    return played(Run(case, revision, decide))


def played(run: Run) -> Outcome:
    """Play a run to its end.

    :raise ScenarioError: when it does something the model does not know.
    :raise ModelError: when the model fails.
    """
    case = run.case
    # Not in a variable of ours, which would make every state of an exploration another.
    run.outcome.seconds = -time.perf_counter()
    try:
        outcome = run.play()
    except NotImplementedError as error:
        text = f"this is outside the model: {error}"
        raise ScenarioError(case.file, _line(run), "", text) from error
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        text = f"the model fails, which is a bug: {error!r}"
        raise ModelError(case.file, _line(run), "", text) from error
    outcome.seconds += time.perf_counter()
    return outcome


def _line(run: Run) -> int:
    """Where in the file the run has come to."""
    at = len(run.outcome.steps) - 1
    return run.case.steps[at - 1].line if at > 0 else run.case.line

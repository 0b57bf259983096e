# SPDX-License-Identifier: GPL-2.0-or-later
"""A run as a sequence diagram: lanes, and in each row an arrow or a note, in the order it happened.

This is data; how it is drawn is the renderer's affair.  What a witness has not observed is not
there: a binary shows no votes, only what follows from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from qsim.block.child import Request
from qsim.block.events import Event
from qsim.block.stage import Answered, Asked, Cancelled
from qsim.outcome import Outcome, StepOutcome
from qsim.scenario.case import IO_VERBS, Case, Step
from qsim.scenario.content import describe
from qsim.trace.watch import Remark
from qsim.trace.why import Reason, frees_told

MONITOR = "QMP"
GUEST = "guest"
QUORUM = "quorum"

#: What a row can be; a renderer has a colour for each.
STYLES = ("request", "ok", "error", "event", "vote", "retry", "rewrite", "free", "branch", "fatal")


@dataclass(frozen=True)
class Row:
    """One thing that happened.

    :param source: the lane it comes from; the only one of a note.
    :param dest: the lane an arrow goes to; "" for a note.
    :param style: one of :data:`STYLES`.
    :param because: why, in sentences, for who asks.
    :param function: the C function that decided it, where that is known.
    """

    source: str
    dest: str
    text: str
    style: str
    because: tuple[str, ...] = ()
    function: str = ""


@dataclass(frozen=True)
class Diagram:
    """A run's rows, and the lanes they are between, left to right.

    ``ends`` says what every child holds at the end; ``sees_children`` whether the witness sees
    what children are asked, which it does not where they are image files of a binary.
    """

    witness: str
    lanes: tuple[str, ...]
    rows: tuple[Row, ...]
    ends: tuple[tuple[str, str], ...]
    trouble: tuple[str, ...] = ()
    sees_children: bool = True


def diagram(case: Case, outcome: Outcome, remarks: Sequence[Remark] = ()) -> Diagram:
    """What ``outcome`` shows of ``case``; with what was heard of it meanwhile, if anything."""
    rows: list[Row] = []
    steps = (case.opening, *case.steps)
    for i, shown in enumerate(outcome.steps):
        heard = [remark for remark in remarks if remark.step == i]
        rows += _step(case, steps[i], shown, heard)
    contents = outcome.contents or {}
    return Diagram(
        outcome.witness,
        (MONITOR, GUEST, QUORUM, *(case.images or case.children)),
        tuple(_frees_together(rows)),
        tuple((name, describe(data)) for name, data in contents.items()),
        tuple(outcome.trouble),
        all(shown.beats is not None for shown in outcome.steps),
    )


def _frees_together(rows: Sequence[Row]) -> Iterator[Row]:
    for (style, function), some in groupby(rows, lambda row: (row.style, row.function)):
        if style != "free":
            yield from some
        else:
            what = frees_told([row.text for row in some])
            yield Row(QUORUM, "", f"free {what}", "free", (), function)


def _step(case: Case, step: Step, shown: StepOutcome, heard: Sequence[Remark]) -> Iterator[Row]:
    yield from _begin(case, step)
    beats = shown.beats or []
    told = {remark.event for remark in heard if remark.event is not None}
    completed = 0
    late = [event for i, event in enumerate(shown.events) if i not in told]
    for i in range(len(beats) + 1):
        yield from _heard([remark for remark in heard if remark.beat == i], shown)
        # When an event was made that has no place, nobody has seen.
        while late and late[0].after is not None and late[0].after <= completed:
            yield _event(late.pop(0))
        if i < len(beats):
            yield from _beat(beats[i])
            completed += isinstance(beats[i], Answered)
    for event in late:
        yield _event(event)
    yield from _end(step, shown)


def _begin(case: Case, step: Step) -> Iterator[Row]:
    if step.verb == "open":
        yield Row(MONITOR, QUORUM, _opening(case), "request")
    elif step.verb == "qmp":
        yield _command(step)
    elif step.verb == "kill":
        yield Row(MONITOR, "", "the process is killed", "request")
    elif step.verb == "set":
        for name, content in step.contents.items():
            yield Row(name, "", f"now holds {describe(content.data)}", "request")
    else:
        for part in step.parts or (step,):
            data = "" if part.data is None else f" = {describe(part.data)}"
            yield Row(GUEST, QUORUM, f"{replace(part, meanwhile=None)}{data}", "request")
        if step.meanwhile:
            yield _command(step.meanwhile)


def _command(step: Step) -> Row:
    arguments = ", ".join(f"{key} {_brief(value)}" for key, value in step.arguments.items())
    return Row(MONITOR, QUORUM, f"{step.command} {arguments}".strip(), "request")


def _opening(case: Case) -> str:
    if case.drive is not None:
        return f"-drive {case.drive}"
    options = dict(case.options or {})
    driver = options.pop("driver", QUORUM)
    said = [
        f"{key} {_brief(value)}"
        for key, value in options.items()
        if key != "node-name" and not (key == "children" and value == list(case.children))
    ]
    return ", ".join([f"blockdev-add {driver}", *said])


def _brief(value: Any) -> str:
    """A value as a person would say it."""
    match value:
        case bool():
            return "on" if value else "off"
        case list():
            return f"[{', '.join(map(_brief, value))}]"
        case dict():
            return f"{{{', '.join(f'{key}: {_brief(one)}' for key, one in value.items())}}}"
    return str(value)


def _heard(remarks: Sequence[Remark], shown: StepOutcome) -> Iterator[Row]:
    for remark in remarks:
        if remark.event is not None and remark.event < len(shown.events):
            yield _event(shown.events[remark.event])
        elif remark.reason is not None:
            yield _note(remark.reason)


def _note(reason: Reason) -> Row:
    return Row(QUORUM, "", reason.short, reason.kind, reason.because, reason.function)


def _event(event: Event) -> Row:
    return Row(QUORUM, MONITOR, str(event), "event")


def _beat(beat: Asked | Answered | Cancelled) -> Iterator[Row]:
    match beat:
        case Asked():
            for request in beat.requests:
                yield Row(QUORUM, request.child, _asks(request), "request")
        case Answered():
            result = str(beat).partition(": ")[2]
            good = not beat.errno and not beat.dead
            if good and beat.data:
                result = f"{result}, {describe(beat.data)}"
            yield Row(beat.child, QUORUM, f"{beat.op}: {result}", "ok" if good else "error")
        case Cancelled():
            yield Row(GUEST, QUORUM, f"cancel of request {beat.place}", "error")


def _asks(request: Request) -> str:
    text = str(request).partition(" ")[2]
    return text if request.data is None else f"{text} = {describe(request.data)}"


def _end(step: Step, shown: StepOutcome) -> Iterator[Row]:
    """What came back of a step, or how it came to its end without."""
    asker = GUEST if step.verb in IO_VERBS or step.parts else MONITOR
    results = dict(shown.results())
    answered = [results.pop(name) for name in ("ret", "data", "extent") if name in results]
    if answered:
        style = "ok" if answered[0] == "0" else "error"
        yield Row(QUORUM, asker, _success(", ".join(answered)), style)
    for name, value in results.items():
        match name:
            case "error":
                yield Row(QUORUM, asker, value, "error")
            case "return":
                yield Row(QUORUM, asker, "ok" if value == "{}" else value, "ok")
            case "exit" | "undefined behaviour":
                yield Row(QUORUM, "", f"{name}: {value}", "fatal")
            case "the command given meanwhile":
                yield Row(QUORUM, MONITOR, value, "ok")
            case _ if name.startswith("answer "):
                part = step.parts[int(name.removeprefix("answer "))]
                style = "ok" if value.partition(",")[0] == "0" else "error"
                yield Row(QUORUM, GUEST, f"{part}: {_success(value)}", style)
            case _:
                yield Row(QUORUM, "", f"{name} {value}", "fatal")


def _success(answer: str) -> str:
    """0 is success, and says so."""
    return f"ok{answer[1:]}" if answer.partition(",")[0] == "0" else answer

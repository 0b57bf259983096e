# SPDX-License-Identifier: GPL-2.0-or-later
"""A scenario and what came of it as a fixture file, ready to run again or to commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qsim.block.child import Request
from qsim.block.events import JOB_ENDS, Event
from qsim.block.sparse import Sparse
from qsim.outcome import Outcome, StepOutcome, events_match
from qsim.report.flow import Tall, dumped
from qsim.scenario.asked import load_asked
from qsim.scenario.case import (
    IO_VERBS,
    REFUSED,
    SILENT,
    WAITS,
    WAITS_REFUSED,
    Answer,
    Case,
    Step,
)
from qsim.scenario.content import describe, parse_content


@dataclass(frozen=True)
class Head:
    """What a file says beside the case: see docs/scenarios.md for each."""

    family: str
    about: str
    source: str
    revision: str


def saved(raw: dict[str, Any], outcome: Outcome, head: Head, emitted: Outcome | None = None) -> str:
    """The file of a family with the case ``raw``, which expects what ``outcome`` shows.

    :param emitted: an outcome that has the events QEMU's limiter may have dropped; they are
        expected where they explain those that came.
    """
    family = Tall(
        family=head.family,
        about=head.about,
        source=head.source,
        since=head.revision,
        until=head.revision,
        cases=[_case(raw, outcome, emitted)],
    )
    return dumped(family)


#: What a case says of who it is about and of what must be seen.
_SAID = ("open", "contents", "leaks", "since", "until", "without", "bug", "fixed", "source")


def asked(raw: dict[str, Any]) -> dict[str, Any]:
    """What a raw case asks, without what it says must be seen, and of whom."""
    steps = [
        {key: value for key, value in step.items() if key != "expect"}
        for step in raw.get("steps", [])
    ]
    return {**{key: value for key, value in raw.items() if key not in _SAID}, "steps": steps}


def _case(raw: dict[str, Any], outcome: Outcome, emitted: Outcome | None) -> Tall:
    case = load_asked(asked(raw))
    members = _listed(case.options, case.children)
    shown = outcome.steps
    events = [_events(i, shown[i], emitted) for i in range(len(shown))]
    written = Tall({key: value for key, value in raw.items() if key != "steps"})
    if case.guest != "none":
        # Steps that are not reached are left out, the guest that was to come is not.
        reached = raw.get("steps", [])[: len(shown) - 1]
        if not any(verb in step for step in reached for verb in (*IO_VERBS, "together")):
            written["guest"] = case.guest
    opened = _expect(case.opening, shown[0], events[0], members) if shown else {}
    if opened:
        written["open"] = opened
    jobs = _beside_job(case.steps, shown[1:])
    steps = [
        Tall(step)
        if any(verb in step for verb in SILENT)
        else Tall(
            {
                **step,
                "expect": _expect(
                    case.steps[i],
                    shown[i + 1],
                    events[i + 1],
                    members,
                    jobs[i],
                ),
            }
        )
        for i, step in enumerate(raw.get("steps", []))
        if i + 1 < len(shown)
    ]
    if steps:
        written["steps"] = steps
    contents = _changed(case, outcome)
    if contents:
        written["contents"] = contents
    if outcome.leaks:
        written["leaks"] = [{"what": what} for what in outcome.leaks]
    return written


def _beside_job(steps: Sequence[Step], shown: Sequence[StepOutcome]) -> list[bool]:
    """For each step whether a job was there: asked only, a case cannot tell where its job ends."""
    there, found = False, []
    for step, seen in zip(steps, shown, strict=False):
        started = step.command == "blockdev-mirror" and seen.error is None
        there = step.verb != "kill" and (there or started)
        found.append(there)
        there = there and not any(event.name in JOB_ENDS for event in seen.events)
    return found


def _events(i: int, shown: StepOutcome, emitted: Outcome | None) -> Sequence[Event]:
    if emitted is not None and i < len(emitted.steps):
        whole = emitted.steps[i].events
        if events_match(whole, shown.events):
            return whole
    return shown.events


def _expect(
    step: Step,
    shown: StepOutcome,
    events: Sequence[Event],
    members: list[str],
    beside_job: bool = False,
) -> dict[str, Any]:
    """What ``expect`` has of a step; beside a job it says nothing of what children are asked."""
    if shown.exit is not None:
        return {"exit": {"status": shown.exit[0], "stderr": shown.exit[1]}}
    expect = dict(_result(step, shown))
    rounds = _rounds(step, shown, members)
    if not beside_job and (rounds or step.verb in (*IO_VERBS, "together")):
        expect["requests"] = rounds
    if events:
        expect["events"] = [str(event) for event in events]
    if step.meanwhile is not None:
        expect["meanwhile"] = _meanwhile(shown.meanwhile or WAITS)
    return expect


def _meanwhile(seen: str) -> str | dict[str, str]:
    """What became of a command given meanwhile; a way no file can tell is told as the usual one."""
    for key, begins in (("refused", REFUSED), ("waits, refused", WAITS_REFUSED)):
        if seen.startswith(begins):
            return {key: seen.removeprefix(begins)}
    return "waits"


def _result(step: Step, shown: StepOutcome) -> Iterator[tuple[str, Any]]:
    if shown.undefined is not None:
        yield "undefined", shown.undefined
    if shown.ret is not None:
        yield from _answer(Answer(shown.ret, shown.data, shown.extent)).items()
    if step.parts and shown.answers:
        yield "answers", [_answer(one) for one in shown.answers]
        yield "finish", list(shown.finish)
    if shown.error is not None:
        klass, desc = shown.error
        yield "error", desc if klass == "GenericError" else {"class": klass, "desc": desc}
    elif shown.returns not in (None, {}):
        yield "return", shown.returns


def _answer(answer: Answer) -> dict[str, Any]:
    written: dict[str, Any] = {"ret": int(answer.ret) if answer.ret.isdigit() else answer.ret}
    if answer.data is not None:
        written["data"] = content_of(answer.data)
    if answer.extent is not None:
        written["extent"] = f"{answer.extent[0]} {answer.extent[1]}"
    return written


def _rounds(step: Step, shown: StepOutcome, members: list[str]) -> str | list[str]:
    """The rounds in their short forms: ``all`` where every child gets the guest's request."""
    rounds = shown.rounds() or []
    guest = Request("", step.verb, step.offset, step.bytes, step.flags)
    if step.verb == "flush":
        guest = Request("", "flush", flags=step.flags)
    if len(rounds) == 1 and _of_all(rounds[0], members) == guest:
        return "all"
    return [
        f"all {str(request).partition(' ')[2]}" if request else ", ".join(map(str, one))
        for one in rounds
        for request in [_of_all(one, members)]
    ]


def _of_all(one: Sequence[Request], members: list[str]) -> Request | None:
    """The request of a round in which every child of the quorum, two or more, gets the same."""
    if len(members) < 2 or [request.child for request in one] != members:
        return None
    requests = {Request("", r.op, r.offset, r.bytes, r.flags) for r in one}
    return requests.pop() if len(requests) == 1 else None


def _listed(options: Any, known: dict[str, Any]) -> list[str]:
    """Whom ``all`` stands for, in the scenario's order."""
    found: list[str] = []

    def walk(one: Any) -> None:
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict):
            if isinstance(one.get("children"), list):
                for inner in one["children"]:
                    walk(inner)
            elif "export" in one:
                found.append(str(one["export"]))

    walk(options)
    return [name for name in known for other in found if other == name]


def _changed(case: Case, outcome: Outcome) -> dict[str, str]:
    """What children hold at the end, of those that no longer hold what they did."""
    return {
        name: content_of(held)
        for name, held in (outcome.contents or {}).items()
        if held != case.contents[name]
    }


def content_of(data: bytes | Sparse) -> str:
    """Bytes as a content that gives them, as short as can be."""
    held = Sparse.of(data) if isinstance(data, bytes) else data
    size = len(held)
    if not size:
        return "A"
    text = describe(held)
    for short in (_open_ended(text), text):
        try:
            if parse_content(short, size).data == held:
                return short
        except ValueError:
            continue
    runs = list(held.runs())
    if len(runs) > size // 8:
        return f"hex={held.read(0, size).hex()}"
    return _open_ended(" ".join(f"0x{byte:02x}:{length}" for byte, length in runs))


def _open_ended(text: str) -> str:
    """The last part takes the rest."""
    return text.rpartition(":")[0]

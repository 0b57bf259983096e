# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run observed, and the comparison of two of them, field by field.

A witness that cannot see a field leaves it None: "not observed" is never "equal", it is left
out and can be counted.  Events may be missing where QEMU's rate limiter drops them, and only
there: of the events of one step in one limiter window the first and the last always arrive.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import takewhile
from typing import Any

from qsim.block.child import Request
from qsim.block.errno import name as errno_name
from qsim.block.events import Event, limiter_key, limiter_key_2014
from qsim.block.sparse import Sparse
from qsim.block.stage import Asked, Beat
from qsim.scenario.case import Answer, Case, Expectation, Step
from qsim.scenario.content import describe


@dataclass
class StepOutcome:
    """What one step showed.  ``label`` names the step for people.

    ``early`` are requests children still held when the guest or the monitor was answered: the
    driver waits for all it has asked, so there must be none.  ``beside_job`` says that a block job
    ran meanwhile, so what children were asked, and when, depends on its pace: told, not compared.
    ``withheld`` says that QEMU's main loop waited for a child when the step began or was over, so
    what its rate limiter held then it may never have sent.
    """

    label: str
    ret: str | None = None
    data: bytes | None = None
    extent: tuple[str, int] | None = None
    beats: list[Beat] | None = None
    events: list[Event] = field(default_factory=list)
    returns: Any = None
    error: tuple[str, str] | None = None
    exit: tuple[int, str] | None = None
    early: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    finish: tuple[int, ...] = ()
    undefined: str | None = None
    meanwhile: str | None = None
    beside_job: bool = False
    withheld: bool = False

    def rounds(self) -> list[tuple[Request, ...]] | None:
        """The requests, round by round, without the data of writes; None if not observed."""
        if self.beats is None:
            return None
        return [
            tuple(Request(r.child, r.op, r.offset, r.bytes, r.flags) for r in beat.requests)
            for beat in self.beats
            if isinstance(beat, Asked)
        ]

    def story(self) -> list[str]:
        """The step as lines: what was asked and answered, then the result and the events."""
        lines = []
        for beat in self.beats or ():
            if isinstance(beat, Asked):
                lines += [f"asks {_with_data(request)}" for request in beat.requests]
            else:
                lines.append(f"  <- {beat}")
        for name, value in self.results():
            lines.append(f"{name} {value}")
        lines += [f"event {event}" for event in self.events]
        return lines

    def results(self) -> Iterator[tuple[str, str]]:
        """Name and value of each result that is there, as text."""
        if self.ret is not None:
            yield "ret", self.ret
        if self.data is not None:
            yield "data", describe(self.data)
        # A run that ends in the middle has answers to some requests only.
        answers = dict(zip(sorted(self.finish), self.answers, strict=True))
        for i in self.finish:
            answer = answers[i]
            data = "" if answer.data is None else f", data {describe(answer.data)}"
            extent = "" if answer.extent is None else f", {answer.extent[0]} {answer.extent[1]}"
            yield f"answer {i}", f"{answer.ret}{data}{extent}"
        if self.extent is not None:
            yield "extent", f"{self.extent[0]} {self.extent[1]}"
        if self.error is not None:
            yield "error", f"{self.error[0]}: {self.error[1]}"
        elif self.returns is not None:
            yield "return", str(self.returns)
        if self.meanwhile is not None:
            yield "the command given meanwhile", self.meanwhile
        if self.early:
            yield "answered before the completion of", ", ".join(self.early)
        if self.exit is not None:
            yield "exit", exit_text(self.exit)
        if self.undefined is not None:
            yield "undefined behaviour", self.undefined


def exit_text(end: tuple[int, str]) -> str:
    """How a process ended, and what it printed."""
    status, said = end
    how = str(status) if status >= 0 else _signal(-status)
    return f"{how}: {said or 'nothing on stderr'}"


def _signal(number: int) -> str:
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:
        return f"killed by signal {number}"


def _with_data(request: Request) -> str:
    text = str(request)
    return text if request.data is None else f"{text} = {describe(request.data)}"


@dataclass
class Outcome:
    """What a run of a case showed.

    ``witness`` names who saw it; ``trouble`` is what went wrong with the run itself (memory
    misuse in the model, a crash or hang of a binary): an outcome with trouble equals no other.
    ``leaks`` is memory nobody freed, None where nobody looked; ``sees_memory`` says whether the
    witness knows undefined behaviour when it comes to it, which a binary does not.
    ``reports_by_node`` says how the witness's rate limiter counts, ``unsupported`` why it could
    not play the case at all.  ``seconds`` is how long the play took, which is no observation.
    """

    witness: str
    steps: list[StepOutcome] = field(default_factory=list)
    contents: dict[str, Sparse] | None = None
    trouble: list[str] = field(default_factory=list)
    leaks: list[str] | None = None
    sees_memory: bool = False
    reports_by_node: bool = True
    unsupported: str = ""
    seconds: float = field(default=0.0, compare=False)

    def limiter_key(self) -> Callable[[Event], str]:
        """Which of its limiter's windows an event falls in."""
        return limiter_key if self.reports_by_node else limiter_key_2014

    def opened(self, i: int) -> frozenset[str] | None:
        """The limiter's windows that step ``i`` found open, as QEMU's main loop waited for a child;
        None where the limiter has sent what it held.
        """
        if not self.steps[i].withheld:
            return None
        key = self.limiter_key()
        before = takewhile(lambda step: step.withheld, reversed(self.steps[:i]))
        return frozenset(key(event) for step in before for event in step.events)


@dataclass(frozen=True)
class Difference:
    """One field in which two outcomes part.  ``step`` is None for the end state."""

    step: int | None
    label: str
    what: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.label}: {self.what}: {self.left} != {self.right}"


def against_fixture(case: Case, outcome: Outcome) -> list[Difference]:
    """Where ``outcome`` is not what the fixture says; left is the fixture."""
    found = [_trouble(text) for text in outcome.trouble]
    contents = case.contents
    for i, step in enumerate((case.opening, *case.steps)):
        if i >= len(outcome.steps):
            break
        expect = nearest_allowed(case, i, outcome)
        if expect is not None:
            found += _step_against(i, expect, outcome.steps[i], outcome, not step.allowed)
            contents = {**contents, **expect.contents}
        elif end := outcome.steps[i].exit:
            # Nothing is seen of a kill, say, but that the process had not ended before.
            found.append(Difference(i, outcome.steps[i].label, "exit", "none", exit_text(end)))
        if expect is not None and expect.undefined and not outcome.sees_memory:
            break
    if outcome.contents is not None:
        found += _contents(contents, outcome.contents)
    if outcome.leaks is not None:
        expected_leaks = [leak.what for leak in case.leaks]
        if sorted(expected_leaks) != sorted(outcome.leaks):
            left, right = (", ".join(one) or "none" for one in (expected_leaks, outcome.leaks))
            found.append(Difference(None, "end", "leaks", left, right))
    return found


def nearest_allowed(case: Case, i: int, outcome: Outcome) -> Expectation | None:
    """What step ``i`` is expected to show; of several possibilities that it is most like."""
    step = (case.opening, *case.steps)[i]
    if len(step.allowed) < 2 or i >= len(outcome.steps):
        return step.allowed[0] if step.allowed else step.expect
    held = outcome.contents or {}

    def far(expect: Expectation) -> tuple[int, int]:
        end = list(_contents({**case.contents, **expect.contents}, held))
        return len(list(_step_against(i, expect, outcome.steps[i], outcome, False))), len(end)

    return min(step.allowed, key=far)


def _trouble(text: str) -> Difference:
    return Difference(None, "run", "trouble", "none", text)


#: How a process ends that followed a null pointer: by SIGSEGV, or its shell's word for it.
SEGFAULT = (-11, 139)


def _after_undefined(expect: Expectation, step: StepOutcome) -> StepOutcome:
    """What a binary shows of a step that ends in undefined behaviour, as far as that is known.

    A null pointer ends the process; of all else anything may come, an ordinary end included.
    """
    undefined = expect.undefined
    null = (undefined or "").startswith("null dereference")
    if not null and step.beside_job:
        # Whatever is left of the process goes on, and the job with it.
        step = replace(step, events=step.events[: len(expect.events)])
    if step.exit is None:
        ret = None if expect.ret is None else step.ret
        return step if null else replace(step, undefined=undefined, ret=ret)
    if null and step.exit[0] not in SEGFAULT:
        return step
    return replace(step, exit=None, undefined=undefined, ret=expect.ret, data=expect.data)


#: Which program, file and line it was is a build's own affair.
_ASSERTION = re.compile(r"\S+: \S+:\d+: (\w+: Assertion `.*' failed\.)")


def _end(end: tuple[int, str] | None) -> tuple[int, str] | None:
    """The end of a process as far as it is compared."""
    return end and (end[0], _ASSERTION.sub(r"\1", end[1]))


def _exit_or_none(end: tuple[int, str] | None) -> str:
    return "none" if end is None else exit_text(end)


def _step_against(
    i: int, expect: Expectation, step: StepOutcome, outcome: Outcome, ordered: bool = True
) -> Iterator[Difference]:
    """Where a step is not as expected; unordered, whatever the order of completions decides."""

    def differ(what: str, left: object, right: object) -> Difference:
        return Difference(i, step.label, what, _text(left), _text(right))

    if expect.undefined and not outcome.sees_memory:
        step = _after_undefined(expect, step)
    if _end(expect.exit) != _end(step.exit):
        yield Difference(i, step.label, "exit", *map(_exit_or_none, (expect.exit, step.exit)))
    if expect.exit or step.exit:
        return
    if expect.undefined != step.undefined:
        yield differ("undefined behaviour", expect.undefined, step.undefined)
    if step.early:
        yield differ("answered before the completion of", "nothing", ", ".join(step.early))
    if (expect.ret is not None or expect.undefined) and expect.ret != step.ret:
        yield differ("ret", expect.ret, step.ret)
    if expect.data is not None and step.data is not None and expect.data != step.data:
        yield differ("data", expect.data, step.data)
    if expect.extent is not None and expect.extent != step.extent:
        yield differ("extent", expect.extent, step.extent)
    if expect.error != step.error:
        yield differ("error", expect.error, step.error)
    elif (
        expect.ret is None
        and expect.error is None
        and expect.undefined is None
        and not expect.answers
        and expect.returns != step.returns
    ):
        yield differ("return", expect.returns, step.returns)
    if expect.meanwhile != step.meanwhile:
        yield differ("the command given meanwhile", expect.meanwhile, step.meanwhile)
    if expect.answers != step.answers:
        yield differ("answers", expect.answers, step.answers)
    if ordered and expect.finish != step.finish:
        yield differ("order of the answers", expect.finish, step.finish)
    rounds, events = step.rounds(), expect.events
    expected = None if expect.requests is None else list(expect.requests)
    if not ordered:
        rounds, expected = rounds and _one_round(rounds), expected and _one_round(expected)
        events = _in_order_of(step.events, events)
    if rounds is not None and expected is not None and expected != rounds:
        yield differ("requests", _rounds_text(expected), _rounds_text(rounds))
    if not events_match(events, step.events, outcome.limiter_key(), outcome.opened(i)):
        yield differ("events", _events_text(expect.events), _events_text(step.events))


def answer(step: Step, errno: int, data: bytes, extent: tuple[str, int] | None) -> Answer:
    """What a guest request was answered with; data only where a read succeeded."""
    if errno:
        return Answer(errno_name(errno))
    return Answer("0", data if step.verb == "read" else None, extent)


#: What is compared as it is; requests, events and contents have rules of their own.
FIELDS = (
    "ret", "data", "extent", "returns", "error", "exit", "early", "answers", "finish",
    "undefined", "meanwhile",
)  # fmt: skip


def between(left: Outcome, right: Outcome) -> list[Difference]:
    """Where two outcomes part, everything both observed included."""
    found = [_trouble(f"{left.witness}: {text}") for text in left.trouble]
    found += [_trouble(f"{right.witness}: {text}") for text in right.trouble]
    for i, (a, b) in enumerate(zip(left.steps, right.steps, strict=False)):
        if a.undefined and not right.sees_memory:
            # What a binary does from here on is nobody's to say.
            return found
        for what in FIELDS:
            x, y = getattr(a, what), getattr(b, what)
            if _end(x) != _end(y) if what == "exit" else x != y:
                text = _exit_or_none if what == "exit" else _text
                found.append(Difference(i, a.label, what, text(x), text(y)))
        paced = a.beside_job or b.beside_job
        if not paced and a.beats is not None and b.beats is not None and a.beats != b.beats:
            found.append(Difference(i, a.label, "story", _story(a.beats), _story(b.beats)))
        key = limiter_key if left.reports_by_node and right.reports_by_node else limiter_key_2014
        opened = left.opened(i) if a.withheld else right.opened(i)
        pairs = ((a.events, b.events), (b.events, a.events))
        if not any(events_match(emitted, seen, key, opened) for emitted, seen in pairs):
            tell = _events_text if _names(a.events) != _names(b.events) else _places_text
            found.append(Difference(i, a.label, "events", tell(a.events), tell(b.events)))
    if len(left.steps) != len(right.steps):
        found.append(Difference(None, "run", "steps", str(len(left.steps)), str(len(right.steps))))
    if left.contents is not None and right.contents is not None:
        found += _contents(left.contents, right.contents)
    if left.leaks is not None and right.leaks is not None and left.leaks != right.leaks:
        texts = (", ".join(one) or "none" for one in (left.leaks, right.leaks))
        found.append(Difference(None, "end", "leaks", *texts))
    return found


def _text(value: Any) -> str:
    """A field for people."""
    match value:
        case None | ():
            return "none"
        case bytes():
            return describe(value)
        case Answer():
            shown = [value.ret, value.data, value.extent]
            return " ".join(_text(part) for part in shown if part is not None)
        case (str() | int() as kind, str() as text):
            return f"{kind}: {text}"
        case (str() as kind, int() as number):
            return f"{kind} {number}"
        case tuple():
            return ", ".join(map(_text, value))
    return str(value)


def _contents(left: dict[str, Sparse], right: dict[str, Sparse]) -> Iterator[Difference]:
    """Contents that both know; a child whose bytes nobody can read back is in neither."""
    for name, here in left.items():
        there = right.get(name, here)
        if here != there:
            yield Difference(
                None,
                "end",
                f"contents of {name}",
                describe(here),
                describe(there),
            )


def _rounds_text(rounds: Sequence[tuple[Request, ...]]) -> str:
    return "; ".join(", ".join(str(request) for request in one) for one in rounds) or "none"


def _one_round(rounds: Sequence[tuple[Request, ...]]) -> list[tuple[Request, ...]]:
    """All requests, however they fell into rounds."""
    return [tuple(sorted((request for one in rounds for request in one), key=str))]


def _in_order_of(observed: Sequence[Event], expected: Sequence[Event]) -> tuple[Event, ...]:
    """The expected events, those that were observed in the order in which they were."""
    left = list(expected)
    ordered = []
    for event in observed:
        if event in left:
            left.remove(event)
            ordered.append(event)
    return (*ordered, *left)


def _events_text(events: Sequence[Event]) -> str:
    return ", ".join(str(event) for event in events) or "none"


def _names(events: Sequence[Event]) -> list[str]:
    return [str(event) for event in events]


def _places_text(events: Sequence[Event]) -> str:
    """The events, and after how many completions of the step each was made."""
    return ", ".join(f"{event} (after {event.after} completions)" for event in events)


def _story(beats: Sequence[Beat]) -> str:
    words = []
    for beat in beats:
        if not isinstance(beat, Asked):
            words.append(f"[{beat}]")
        else:
            words.append(", ".join(_with_data(request) for request in beat.requests))
    return "; ".join(words) or "none"


def _same_event(a: Event, b: Event) -> bool:
    """Whether two events are the same, and made at the same place of the story if both know it."""
    return a == b and (a.after == b.after or None in (a.after, b.after))


def events_match(
    emitted: Sequence[Event],
    observed: Sequence[Event],
    key: Callable[[Event], str] = limiter_key,
    opened: Collection[str] | None = None,
) -> bool:
    """Whether ``observed`` is ``emitted``, or what the rate limiter leaves of it in one step.

    In a window the first event goes out at once and the last is kept and sent when the window
    closes; those between may be dropped, nothing else may (monitor_qapi_event_queue_no_reenter).

    :param opened: for a step whose windows perhaps never close, so that the last may be missing
        too: those that were open before.
    """
    emitted, observed = list(emitted), list(observed)
    keys = [key(event) for event in emitted]
    behind = [key in keys[:i] or key in (opened or ()) for i, key in enumerate(keys)]
    followed = [key in keys[i + 1 :] or opened is not None for i, key in enumerate(keys)]
    droppable = [bool(key) and b and f for key, b, f in zip(keys, behind, followed, strict=True)]

    @cache
    def matches(i: int, j: int) -> bool:
        if i == len(emitted):
            return j == len(observed)
        if j < len(observed) and _same_event(emitted[i], observed[j]) and matches(i + 1, j + 1):
            return True
        return droppable[i] and matches(i + 1, j)

    return matches(0, 0)

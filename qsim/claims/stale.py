# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest was told is written, beside what it is given when it reads.

Where children begin with different bytes, a case begins in the middle of a story: what the guest
has written before is :data:`WRITTEN`, if any child has it there, and not known if none has.  What a
write that fails has left may be read or not: nothing is known of it until it is written again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from qsim.block.stage import Answered, Asked
from qsim.outcome import Outcome, StepOutcome
from qsim.scenario import Case
from qsim.scenario.case import Step

#: The byte that stands for what the guest has written before the case begins.
WRITTEN = ord("N")
WRITES = ("write", "write-zeroes")


@dataclass(frozen=True)
class Reads:
    """The guest's reads that were answered with bytes; of these those with a byte that is older
    than what it was told is written; and of these those in whose step there was no event."""

    answered: int = 0
    stale: int = 0
    silent: int = 0


class Rewriting(Enum):
    """What became of a case in which the driver rewrites what was outvoted."""

    HEALED = "wrote the guest's bytes over old ones"
    LOST = "wrote old bytes over the last copy of the guest's"
    NOTHING = "wrote nothing"


class Told:
    """What the guest knows of its bytes, from one step to the next."""

    def __init__(self, case: Case) -> None:
        spares = case.raw.get("spares", ())
        self.children = [
            spec.content.data for name, spec in case.children.items() if name not in spares
        ]
        self.written: list[tuple[Step, bool]] = []

    def take(self, step: Step, shown: StepOutcome) -> None:
        """Remember what was written, and whether the guest was told so."""
        rets = [answer.ret for answer in shown.answers] if step.parts else [shown.ret]
        for part, ret in zip(step.parts or (step,), rets, strict=False):
            if part.verb in WRITES:
                self.written.append((part, ret == "0"))

    def at(self, start: int, end: int) -> list[int | None]:
        """The bytes from ``start`` up to ``end``; None where nothing is known."""
        beginnings = [data.read(start, min(end, len(data))) for data in self.children]
        known = [_beginning(set(several)) for several in zip(*beginnings, strict=False)]
        for step, done in self.written:
            data = step.data if step.data is not None else bytes(step.bytes)
            for place in range(max(start, step.offset), min(end, step.offset + step.bytes)):
                known[place - start] = data[place - step.offset] if done else None
        return known


def _beginning(bytes_: set[int]) -> int | None:
    if len(bytes_) == 1:
        return bytes_.pop()
    return WRITTEN if WRITTEN in bytes_ else None


def reads(case: Case, outcome: Outcome) -> Reads:
    """How the guest's reads came out; those in flight with others are left out."""
    told = Told(case)
    answered = stale = silent = 0
    for step, shown in steps(case, outcome):
        if step.verb == "read" and shown.data is not None:
            known = told.at(step.offset, step.offset + step.bytes)
            old = any(k is not None and k != d for k, d in zip(known, shown.data, strict=True))
            answered += 1
            stale += old
            silent += old and not shown.events
        told.take(step, shown)
    return Reads(answered, stale, silent)


def rewrites(case: Case) -> bool:
    """Whether the option is on; FIFO does not look at it."""
    return bool((case.options or {}).get("rewrite-corrupted"))


def rewriting(case: Case, outcome: Outcome) -> Rewriting:
    """What the rewriting of a case has done; its children must all be known at the end."""
    told = Told(case)
    for step, shown in steps(case, outcome):
        told.take(step, shown)
    assert outcome.contents is not None
    held = list(outcome.contents.values())
    size = min(map(len, held))
    known = told.at(0, size)
    copies = zip(*(data.read(0, size) for data in held), strict=True)
    if any(k is not None and k not in copy for k, copy in zip(known, copies, strict=True)):
        return Rewriting.LOST
    done = any(
        isinstance(beat, Answered) and beat.op in WRITES and not beat.errno
        for _, shown in _not_written(case, outcome)
        for beat in shown.beats or ()
    )
    return Rewriting.HEALED if done else Rewriting.NOTHING


def unasked(case: Case, outcome: Outcome) -> int:
    """How many writes children were asked for in steps in which the guest wrote nothing."""
    return sum(
        request.op in WRITES
        for _, shown in _not_written(case, outcome)
        for beat in shown.beats or ()
        if isinstance(beat, Asked)
        for request in beat.requests
    )


def steps(case: Case, outcome: Outcome) -> Iterator[tuple[Step, StepOutcome]]:
    """The steps with what was seen of them, without that of opening the node."""
    return zip(case.steps, outcome.steps[1:], strict=False)


def _not_written(case: Case, outcome: Outcome) -> Iterator[tuple[Step, StepOutcome]]:
    """The steps in which the guest writes nothing."""
    for step, shown in steps(case, outcome):
        if all(part.verb not in WRITES for part in step.parts or (step,)):
            yield step, shown

# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a run invariants are judged by: each guest request, and what children did for it.

Only what a run shows is looked at, and only requests of which it is known which children they are
for: those of quorums in quorums, of images and of nodes that have two edges to a child are left
out, and so are requests that stand in each other's way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from qsim.block.child import Request
from qsim.block.errno import (
    name,
    nbd_errno_to_system_errno,
    number,
    system_errno_to_nbd_errno,
)
from qsim.block.events import Event
from qsim.block.export import nbd_errno
from qsim.block.flags import BDRV_SECTOR_SIZE
from qsim.block.io import align_down, align_up
from qsim.block.stage import Answered, Asked, Cancelled
from qsim.block.switches import NBD_FEW_ERRNOS
from qsim.explore.invariants.quorum import Quorum, quorum_of
from qsim.outcome import Outcome, StepOutcome
from qsim.quorum.revisions import Revision
from qsim.scenario.case import IO_VERBS, REFUSED, WAITS_REFUSED, Answer, Case, Step

WRITES = ("write", "write-zeroes")
#: Longer requests the block layer may split, in bytes: NBD's limit of 2014, and its buffer for
#: zeroes today.
UNSPLIT = {"callback": 2040 * 512, "coroutine": 16 << 20}
#: What a request to a child that is gone can fail with.
GONE = ("EIO", "EPERM", "EBADF")


@dataclass(frozen=True)
class Turn:
    """One step with guest requests; ``gone`` are the children that are dead when it is over.

    ``last`` is whether nothing behind it changes what children hold.
    """

    case: Case
    revision: Revision
    outcome: Outcome
    step: Step
    shown: StepOutcome
    quorum: Quorum
    gone: frozenset[str]
    last: bool

    def block(self, child: str) -> int:
        """The alignment that requests to a child are widened to, in bytes."""
        return max(self.case.above or 1, self.case.children[child].block_size)

    @property
    def coroutines(self) -> bool:
        """Whether the driver is the one of today, and not that of callbacks."""
        return self.revision.engine == "coroutine"

    def told(self, errno: int) -> str:
        """What the guest is told of an error."""
        if self.coroutines:
            return name(nbd_errno(-errno))
        few = NBD_FEW_ERRNOS in self.revision.switches
        return name(system_errno_to_nbd_errno(errno) if few else errno)


@dataclass(frozen=True)
class Seen:
    """One guest request, and what belongs to it.

    :param asked: what children were asked, each with how many completions came before.
    :param answered: what they answered, each with how many completions there were by then.
    :param start: where what the driver is asked for begins; it ends before ``end``.
    """

    turn: Turn
    step: Step
    ret: str
    data: bytes
    asked: tuple[tuple[int, Request], ...]
    answered: tuple[tuple[int, Answered], ...]
    events: tuple[Event, ...]
    start: int
    end: int

    @property
    def quorum(self) -> Quorum:
        """The node it is a request to."""
        return self.turn.quorum

    @property
    def votes(self) -> bool:
        """Whether it is a read that is voted on."""
        return self.step.verb == "read" and not self.quorum.fifo

    @property
    def aligned(self) -> bool:
        """Whether no layer has to read what stands around it."""
        step = self.step
        blocks = [self.turn.block(child) for child in self.quorum.children]
        return not any(step.offset % block or step.bytes % block for block in blocks)

    @property
    def writes(self) -> bool:
        """Whether it is a write that comes to the children as it is."""
        return self.step.verb in WRITES and self.aligned

    @property
    def ops(self) -> tuple[str, ...]:
        """What it makes the driver ask a child for; none where others ask as well."""
        if self.step.verb in WRITES:
            return WRITES if self.writes else ()
        return (self.step.verb,)

    def said(self, *ops: str) -> dict[str, tuple[int, Answered]]:
        """What each child answered, in order: first, but last to flushes, which can come twice."""
        found: dict[str, tuple[int, Answered]] = {}
        for at, beat in self.answered:
            if beat.op in ops and (beat.child not in found or beat.op == "flush"):
                found[beat.child] = (at, beat)
        return {child: found[child] for child in self.quorum.children if child in found}

    def errno_of(self, beat: Answered) -> int:
        """What the driver has of an answer: an errno, or 0."""
        few = NBD_FEW_ERRNOS in self.turn.revision.switches
        errno = nbd_errno_to_system_errno(beat.errno) if few else beat.errno
        return number("EIO") if beat.dead else errno

    def errnos(self) -> dict[str, int]:
        """What the driver has of each child that has answered, in order."""
        said = self.said(*self.ops)
        return {child: self.errno_of(beat) for child, (_, beat) in said.items()}

    def versions(self) -> dict[str, bytes]:
        """What each child that answered a read has of what the driver asked for, in order."""
        found = {}
        for child, (_, beat) in self.said("read").items():
            if not beat.errno and not beat.dead and beat.request is not None:
                at = self.start - beat.request.offset
                found[child] = beat.data[at : at + self.end - self.start] if at >= 0 else b""
        return found

    def winners(self) -> set[bytes]:
        """Of the versions those that have what the guest got: one, unless only padding differs."""
        return {version for version in self.versions().values() if self.own(version) == self.data}

    def own(self, version: bytes) -> bytes:
        """What the guest asked for, of a version."""
        at = self.step.offset - self.start
        return version[at : at + self.step.bytes]


def most(votes: Iterable[Any]) -> tuple[Any, int]:
    """What most voted for, and how many; of a tie what was first voted for last."""
    tally = Counter(votes)
    if not tally:
        return None, 0
    # A counter remembers who came first.
    return max(reversed(tally.items()), key=lambda item: item[1])


def turns(case: Case, revision: Revision, outcome: Outcome) -> Iterator[Turn]:
    """The steps with guest requests that can be judged."""
    quorum = quorum_of(case)
    gone: frozenset[str] = frozenset()
    for i, (step, shown) in enumerate(
        zip((case.opening, *case.steps), outcome.steps, strict=False)
    ):
        if quorum is None or shown.beats is None or shown.exit or shown.undefined:
            return
        if step.verb == "kill":  # What there is then is what there was at first.
            return
        if shown.beside_job:  # Whose request it was that a child had cannot be told.
            return
        gone |= {beat.child for beat in shown.beats if isinstance(beat, Answered) and beat.dead}
        if step.verb == "open" and shown.error:
            return
        if step.verb == "qmp" and not shown.error:
            quorum = quorum.after(case, step)
        elif step.verb in (*IO_VERBS, "together"):
            last = {later.verb for later in case.steps[i:]} <= {"read", "flush", "block-status"}
            cancelled = any(isinstance(beat, Cancelled) for beat in shown.beats)
            if not cancelled or revision.engine == "coroutine":
                yield Turn(case, revision, outcome, step, shown, quorum, gone, last)
            refused = (shown.meanwhile or "").startswith((REFUSED, WAITS_REFUSED))
            if step.meanwhile is not None and not refused:
                quorum = quorum.after(case, step.meanwhile)


def requests(case: Case, revision: Revision, outcome: Outcome) -> Iterator[Seen]:
    """The guest requests that can be judged, each with what belongs to it and nothing else."""
    for turn in turns(case, revision, outcome):
        parts = turn.step.parts or (turn.step,)
        answers = turn.shown.answers or (Answer(turn.shown.ret or "", turn.shown.data),)
        spans = [_span(turn, part) for part in parts]
        apart = all(a[1] <= b[0] or b[1] <= a[0] for a, b in combinations(spans, 2))
        if len(answers) != len(parts) or not apart or not answers[0].ret:
            continue
        alone = len(parts) == 1
        for part, answer, span in zip(parts, answers, spans, strict=True):
            if _reaches_the_driver(turn, part) and (alone or part.verb in ("read", *WRITES)):
                yield _seen(turn, part, answer, None if alone else span)


def _span(turn: Turn, step: Step) -> tuple[int, int]:
    """The bytes a request can touch, whole sectors of them."""
    align = max(BDRV_SECTOR_SIZE, *map(turn.block, turn.quorum.children))
    return align_down(step.offset, align), align_up(step.offset + step.bytes, align)


def _reaches_the_driver(turn: Turn, step: Step) -> bool:
    """Whether the driver is asked for it, once, and no other layer answers in its place."""
    if step.flags not in ((), ("no-hole",)) or step.verb == "discard":
        return False
    # Who does not support to write zeroes is asked once more for a write.
    if any(
        isinstance(beat, Answered)
        and beat.errno == number("ENOTSUP")
        and "write-zeroes" in (step.verb, beat.op)
        for beat in turn.shown.beats or ()
    ):
        return False
    if step.verb == "flush":
        return True
    if step.verb in WRITES and turn.case.guest != "writable":
        return False
    sizes = [len(turn.case.children[child].content.data) for child in turn.quorum.children]
    fits = _span(turn, step)[1] <= min(sizes)
    return fits and 0 < step.bytes <= UNSPLIT[turn.revision.engine]


def _seen(turn: Turn, step: Step, answer: Answer, span: tuple[int, int] | None) -> Seen:
    asked: list[tuple[int, Request]] = []
    answered: list[tuple[int, Answered]] = []
    for beat in turn.shown.beats or ():
        if isinstance(beat, Asked):
            asked += [(len(answered), one) for one in beat.requests if _within(span, one)]
        elif isinstance(beat, Answered):
            answered.append((len(answered) + 1, beat))
    return Seen(
        turn,
        step,
        answer.ret,
        answer.data or b"",
        tuple(asked),
        tuple((at, beat) for at, beat in answered if _within(span, beat.request)),
        tuple(event for event in turn.shown.events if _names(span, event)),
        align_down(step.offset, turn.case.above or 1),
        align_up(step.offset + step.bytes, turn.case.above or 1),
    )


def _within(span: tuple[int, int] | None, request: Request | None) -> bool:
    """Whether a request belongs to a span; all do when there is but one guest request."""
    return span is None or (request is not None and span[0] <= request.offset < span[1])


def _names(span: tuple[int, int] | None, event: Event) -> bool:
    start = event.get("sector-num")
    return span is None or span[0] <= start * BDRV_SECTOR_SIZE < span[1]

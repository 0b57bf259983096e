# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is asked, when that is a success, and what an error may be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from qsim.block.child import Request
from qsim.block.errno import number
from qsim.block.io import align_down, align_up
from qsim.block.stage import Asked
from qsim.explore.invariants.quorum import Quorum
from qsim.explore.invariants.seen import GONE, WRITES, Seen, most, turns
from qsim.outcome import Outcome
from qsim.quorum.revisions import Revision
from qsim.quorum.switches import CO_FLUSH
from qsim.scenario.case import Case, Step


def everyone(seen: Seen) -> Iterator[str]:
    """A vote, a write and a flush ask every child, and once."""
    verb, turn = seen.step.verb, seen.turn
    if not (seen.votes or verb == "flush" or (verb in WRITES and seen.aligned)):
        return
    # The block layer flushes once more what can be written, and only that.
    twice = verb == "flush" and turn.coroutines and CO_FLUSH not in turn.revision.switches
    if twice and turn.case.guest != "writable":
        return
    mended = seen.votes and seen.quorum.rewrites and not seen.aligned
    for child in seen.quorum.children:
        if child in turn.gone or (
            verb == "flush" and "flush" not in turn.case.children[child].features
        ):
            continue
        its = [one for _, one in seen.asked if one.child == child and one.op in seen.ops]
        if not its:
            yield f"a child is not asked for a {verb}"
        elif len(its) > 1 and not twice and not mended:
            yield f"a child is asked more than once for a {verb}"
        for one in its if verb in WRITES else ():
            if (one.offset, one.bytes) != (seen.start, seen.end - seen.start):
                yield "a child is not asked to write all of it"
            elif (one.data or bytes(one.bytes)) != (seen.step.data or bytes(one.bytes)):
                yield "a child is asked to write other bytes than the guest's"


def enough(seen: Seen) -> Iterator[str]:
    """As many children as the threshold says have done what the guest is told was done."""
    verb = seen.step.verb
    flush = verb == "flush" and seen.turn.coroutines
    if seen.ret != "0" or not (seen.writes or flush):
        return
    if verb == "flush" and any(
        "flush" not in seen.turn.case.children[child].features for child in seen.quorum.children
    ):
        return
    if flush and not seen.asked:
        return
    done = sum(not errno for errno in seen.errnos().values())
    # A threshold of 0, which FIFO order did not refuse in 2014, is no excuse.
    if done < max(1, seen.quorum.threshold):
        yield f"a {verb} succeeds and fewer children than the threshold have done it"


def error(seen: Seen) -> Iterator[str]:
    """An error is that of the children, and there are enough of them to make it one."""
    if seen.ret == "0" or seen.step.verb == "block-status":
        return
    errnos = seen.errnos()
    failed = [errno for errno in errnos.values() if errno]
    told = {seen.turn.told(errno) for errno in failed}
    if seen.turn.gone:
        told |= {seen.turn.told(number(one)) for one in GONE}
    if seen.step.verb == "read" and seen.quorum.fifo:
        if len(failed) < len(seen.quorum.children) and not seen.turn.gone:
            yield "a FIFO read fails before all children have failed"
        elif not seen.turn.gone and seen.ret != seen.turn.told(failed[-1]):
            yield "a FIFO read fails with another error than the last child's"
        elif seen.ret not in told:
            yield "the error is none a child failed with"
        return
    if not seen.ops:
        return
    if seen.step.verb == "flush" and CO_FLUSH not in seen.turn.revision.switches:
        # Successes are votes as well, or the block layer has the last word.
        if seen.ret not in told:
            yield "the error is none a child failed with"
        return
    if len(errnos) - len(failed) >= seen.quorum.threshold:
        if not seen.votes:
            yield f"a {seen.step.verb} fails though enough children have done it"
        elif most(seen.versions().values())[1] >= seen.quorum.threshold:
            yield "a read fails though enough children agree"
        elif seen.ret != "EIO":
            yield "a read without a winner fails with another error than EIO"
    elif seen.ret not in told:
        yield "the error is none a child failed with"
    elif not seen.turn.gone and seen.ret != seen.turn.told(most(failed)[0]):
        yield "the error is not the one that most children, or of a tie the last, failed with"


#: What children are asked for by what the guest asks for.
OPS = {
    "read": ("read",),
    "write": WRITES,
    "write-zeroes": WRITES,
    "flush": ("flush",),
    "discard": (),
    "block-status": ("block-status",),
}


def scope(case: Case, revision: Revision, outcome: Outcome) -> Iterator[str]:
    """Children are asked for what the guest asks for, where it does, and nobody else is."""
    for turn in turns(case, revision, outcome):
        parts = turn.step.parts or (turn.step,)
        rounds = [beat.requests for beat in turn.shown.beats or () if isinstance(beat, Asked)]
        for request in chain.from_iterable(rounds):
            if request.op == "flush" and request.child == _deleted(turn.step):
                continue
            if request.child not in turn.quorum.children:
                yield "one is asked that is no child"
                continue
            block = turn.block(request.child)
            fits = [part for part in parts if _in_range(part, request, block)]
            if not fits:
                yield "a child is asked outside of the guest's range"
            elif not any(request.op in _ops(part, turn.quorum, block) for part in fits):
                yield "a child is asked for another operation than the guest's"


def _deleted(step: Step) -> str:
    """The node that is deleted while the step's requests are in flight: it is flushed."""
    command = step.meanwhile
    if command is None or command.command != "blockdev-del":
        return ""
    return str(command.arguments.get("node-name"))


def _in_range(step: Step, request: Request, block: int) -> bool:
    """Whether a child's request is within a guest's, widened to blocks."""
    if request.op == "flush":
        return True
    start, end = align_down(step.offset, block), align_up(step.offset + step.bytes, block)
    return start <= request.offset and request.offset + request.bytes <= end


def _ops(step: Step, quorum: Quorum, block: int) -> tuple[str, ...]:
    """What children can be asked for by a guest's request."""
    ops = OPS[step.verb]
    if "fua" in step.flags:
        ops = (*ops, "flush")
    if step.verb == "read" and quorum.rewrites:
        ops = (*ops, *WRITES)
    if step.verb in WRITES and (step.offset % block or step.bytes % block):
        # Some layer reads what stands around it, and quorum may mend that.
        ops = (*ops, "read")
    return ops

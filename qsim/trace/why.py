# SPDX-License-Identifier: GPL-2.0-or-later
"""Why the driver did what it did: what a C function has just decided, in words.

Each explanation is of one function of the driver, and is given the frame of its re-telling when it
is called or when it returns.  Both engines have the same functions where they do the same, so most
explanations serve both.  All of block/quorum.c that decides something is in :data:`EXPLAINED`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from qsim.block.errno import name as errno_name
from qsim.block.memory import Ledger
from qsim.quorum import aio, coroutine
from qsim.quorum.vote import QuorumVoteVersion, quorum_copy_qiov, quorum_get_vote_winner
from qsim.scenario.content import describe

#: What :attr:`Reason.kind` can be; the diagram gives each a mark of its own.
KINDS = ("vote", "retry", "rewrite", "free", "branch")


@dataclass(frozen=True)
class Reason:
    """One decision.

    :param function: the C function that takes it.
    :param kind: one of :data:`KINDS`; "branch" is told only to who asks why.
    :param short: what is decided, in a few words; of "free", what is freed.
    :param because: why, in sentences.
    """

    function: str
    kind: str
    short: str
    because: tuple[str, ...] = ()


Explain = Callable[[FrameType, Any], Reason | None]


def _caller(frame: FrameType) -> str:
    return frame.f_back.f_code.co_name if frame.f_back else ""


def _acb(frame: FrameType | None) -> Any:
    """The request of the nearest frame that has one."""
    while frame is not None:
        if "acb" in frame.f_locals:
            return frame.f_locals["acb"]
        frame = frame.f_back
    return None


def _children(bs: Any) -> list[str]:
    return [edge.bs.node_name for edge in bs.quorum_children]


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _value(version: QuorumVoteVersion, acb: Any) -> str:
    """A version's value: an error by its name, data by what it is."""
    if isinstance(version.value, int):
        return errno_name(-version.value) if version.value else "success"
    return describe(acb.qcrs[version.index].qiov.to_bytes())


def vote_winner(frame: FrameType, winner: QuorumVoteVersion | None) -> Reason | None:
    """quorum_get_vote_winner(): who voted for what, who won and by which rule."""
    if winner is None or frame.f_back is None:
        return None
    versions = frame.f_locals["votes"].vote_list
    acb = _acb(frame.f_back)
    # A flush has no request of its own.
    names = frame.f_back.f_locals
    bs = acb.bs if acb is not None else names["bs"] if "bs" in names else names["s"]
    children = _children(bs)
    told = [
        f"{_value(one, acb)} has {_many(one.vote_count, 'vote')} "
        f"({_listed(children[i] for i in one.items)})"
        for one in versions
    ]
    won = _value(winner, acb)
    because = [f"versions, the newest first: {'; '.join(told)}."]
    tied = [one for one in versions if one.vote_count == winner.vote_count]
    if len(versions) == 1:
        because.append("There is no other.")
    elif len(tied) == 1:
        because.append(f"{won} has most votes.")
    else:
        because.append(
            f"A tie: of {len(tied)} with {_many(winner.vote_count, 'vote')} the version that came "
            f"last stands first in the list, and wins."
        )
    function = _caller(frame)
    if function != "quorum_vote":
        return Reason(function, "vote", f"vote: {won} wins", tuple(because))
    enough = winner.vote_count >= bs.threshold
    because.append(
        f"{_many(winner.vote_count, 'vote')} {'reach' if enough else 'do not reach'} "
        f"vote-threshold {bs.threshold}"
        + (": its data goes to the guest." if enough else ": the request fails with EIO.")
    )
    end = "wins" if enough else f"has {winner.vote_count} of {bs.threshold}: EIO"
    return Reason(function, "vote", f"vote: {won} {end}", tuple(because))


def compared(frame: FrameType, same: bool | None) -> Reason | None:
    """quorum_compare(): two children's data, the first that succeeded and another."""
    acb = _acb(frame)
    children = _children(acb.bs)
    pair = [
        children[i]
        for side in ("a", "b")
        for i in range(len(children))
        if acb.qcrs[i].qiov is frame.f_locals[side]
    ]
    if same is None or len(pair) != 2:
        return None
    what = "hold the same" if same else "differ"
    then = () if same else ("So it comes to a vote by hash.",)
    return Reason("quorum_compare", "branch", f"{pair[0]} and {pair[1]} {what}", then)


def copied(frame: FrameType, _: None) -> Reason | None:
    """quorum_copy_qiov(): in quorum_vote() without a vote, all that succeeded agree."""
    acb = _acb(frame.f_back)
    if _caller(frame) != "quorum_vote" or acb.votes.vote_list:
        return None
    good = [name for i, name in enumerate(_children(acb.bs)) if not acb.qcrs[i].ret]
    if len(good) == 1:
        return Reason("quorum_vote", "vote", f"only {good[0]} answered", ())
    return Reason(
        "quorum_vote",
        "vote",
        "all agree",
        (f"No vote is needed: {_listed(good)} hold the same.",),
    )


def enough_succeeded(frame: FrameType, failed: bool | None) -> Reason | None:
    """quorum_has_too_much_io_failed(): successes against the threshold."""
    acb = _acb(frame)
    if failed is None:
        return None
    count, total = acb.success_count, len(acb.bs.quorum_children)
    against = f"{count} of {total} succeeded, vote-threshold is {acb.bs.threshold}"
    function = "quorum_has_too_much_io_failed"
    if failed:
        return Reason(function, "vote", "too few succeeded", (f"{against}: the errors decide.",))
    return Reason(function, "branch", "enough succeeded", (f"{against}.",))


def rewritten(frame: FrameType, _: Any) -> Reason | None:
    """quorum_rewrite_bad_versions(): who is written the winner's data."""
    losers = frame.f_locals.get("losers", [])
    if not losers:
        return None
    children = _children(_acb(frame).bs)
    names = _listed(children[i] for i in losers)
    return Reason(
        "quorum_rewrite_bad_versions",
        "rewrite",
        f"rewrite {names}",
        ("rewrite-corrupted is on: who was outvoted is written the winner's data.",
         "The answer waits for it; whether it succeeds changes nothing."),
    )  # fmt: skip


def failed_in_fifo(frame: FrameType, _: None) -> Reason | None:
    """quorum_report_bad_acb() from read_fifo_child(): is there another child to ask?"""
    if _caller(frame) != "read_fifo_child":
        return None
    acb = _acb(frame)
    return _next_in_fifo(acb, acb.children_read, errno_name(-frame.f_locals["ret"]))


def retried(frame: FrameType, _: None) -> Reason | None:
    """read_fifo_child() from quorum_aio_cb(), up to 2015: the next child is asked."""
    if _caller(frame) != "quorum_aio_cb" or frame.f_back is None:
        return None
    acb = _acb(frame)
    return _next_in_fifo(acb, acb.child_iter, errno_name(-frame.f_back.f_locals["ret"]))


def _next_in_fifo(acb: Any, following: int, error: str) -> Reason:
    children = _children(acb.bs)
    failed = children[following - 1]
    if following < len(children):
        return Reason(
            "read_fifo_child",
            "retry",
            f"retry: {children[following]} is next",
            (f"{failed} failed with {error}; {following} of {len(children)} had their turn.",),
        )
    return Reason(
        "read_fifo_child",
        "retry",
        "no child is left",
        (f"{failed} was the last: its {error} is the answer.",),
    )


def finalized(frame: FrameType, _: None) -> Reason | None:
    """quorum_aio_finalize() when it is called: up to 2015 it knows how many buffers there are."""
    acb = frame.f_locals["acb"]
    if frame.f_code is not _FINALIZE_2014 or not acb.is_read:
        return None
    total = len(acb.bs.quorum_children)
    last = acb.child_iter if acb.bs.read_pattern == "fifo" else total - 1
    if last < total:
        return None
    return Reason(
        "quorum_aio_finalize",
        "branch",
        f"child_iter is {last}",
        (f"All of {total} children failed, and it goes up to child_iter itself: "
         f"acb->qcrs[{last}] is behind the array of {total}.",),
    )  # fmt: skip


def freed(frame: FrameType, _: None) -> Reason | None:
    """g_free() and qemu_vfree() by the driver."""
    block = frame.f_locals["block"]
    back = frame.f_back
    while back is not None and (
        back.f_code.co_name.startswith("_")
        or back.f_code.co_name in _FREE_FOR_OTHERS
        or back.f_globals.get("__name__") in _PLUMBING
    ):
        back = back.f_back
    module = str(back.f_globals.get("__name__", "")) if back else ""
    if back is None or block is None or not block.freed or not module.startswith("qsim.quorum."):
        return None
    return Reason(back.f_code.co_name, "free", block.what)


_PLUMBING = ("qsim.block.memory", "qsim.block.iovec")
_FREE_FOR_OTHERS = ("qemu_aio_release",)


def flushed(frame: FrameType, ret: int | None) -> Reason | None:
    """quorum_co_flush(): since 2.9 successes are counted against the threshold."""
    # A coroutine that waits returns None to whoever entered it.
    if not isinstance(ret, int) or "success_count" not in frame.f_locals:
        return None
    bs, count = frame.f_locals["bs"], frame.f_locals["success_count"]
    return Reason(
        "quorum_co_flush",
        "branch",
        "enough succeeded" if count >= bs.threshold else "too few succeeded",
        (f"{count} of {len(bs.quorum_children)} succeeded, vote-threshold is {bs.threshold}.",),
    )


def status_known(frame: FrameType, value: Any) -> Reason | None:
    """quorum_co_block_status(): zero only where every child says so."""
    if not isinstance(value, tuple):
        return None
    zero, data = frame.f_locals["pnum_zero"], frame.f_locals["pnum_data"]
    if data:
        text = f"A child says data, or failed: data for the longest such part, {data} bytes."
        return Reason("quorum_co_block_status", "branch", "data", (text,))
    text = f"All say zero: zero for the shortest such part, {zero} bytes."
    return Reason("quorum_co_block_status", "branch", "zero", (text,))


_FINALIZE_2014 = aio.quorum_aio_finalize.__code__

#: What is explained when a function returns, and what when it is called.
RETURNED: dict[CodeType, Explain] = {
    quorum_get_vote_winner.__code__: vote_winner,
    quorum_copy_qiov.__code__: copied,
    coroutine.quorum_report_bad_acb.__code__: failed_in_fifo,
    coroutine.quorum_co_flush.__code__: flushed,
    coroutine.quorum_co_block_status.__code__: status_known,
    Ledger.free.__code__: freed,
}
for engine in (coroutine, aio):
    RETURNED |= {
        engine.quorum_compare.__code__: compared,
        engine.quorum_has_too_much_io_failed.__code__: enough_succeeded,
        engine.quorum_rewrite_bad_versions.__code__: rewritten,
    }
CALLED: dict[CodeType, Explain] = {
    aio.read_fifo_child.__code__: retried,
    _FINALIZE_2014: finalized,
}


def frees_told(blocks: Sequence[str]) -> str:
    """Several frees in one line: what there are many of is counted, indexes become ranges."""
    counts = Counter(_ELEMENT.sub("[*]", what, count=1) for what in blocks)
    indexes: dict[str, list[int]] = {}
    for what in blocks:
        if found := _ELEMENT.search(what):
            indexes.setdefault(_ELEMENT.sub("[*]", what, count=1), []).append(int(found[1]))
    told = []
    for what, count in counts.items():
        if what in indexes:
            told.append(what.replace("*", _range(indexes[what])))
        else:
            told.append(what if count == 1 else f"{count} {what}s")
    return _listed(told)


_ELEMENT = re.compile(r"\[(\d+)\]")


def _range(indexes: Sequence[int]) -> str:
    """Indexes as few words: ``0..3``."""
    first, last = min(indexes), max(indexes)
    if list(indexes) == list(range(first, last + 1)) and last > first:
        return f"{first}..{last}"
    return ",".join(map(str, indexes))

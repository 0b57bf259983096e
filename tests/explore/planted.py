# SPDX-License-Identifier: GPL-2.0-or-later
"""Defects planted into the driver, and which invariants each violates.

A defect is a version of one of the driver's functions, or of two: those that are told by any run
stand in :mod:`defective`, those that depend on the order here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from qsim.quorum import aio, coroutine
from qsim.quorum.coroutine import (
    QuorumAIOCB,
    QuorumChildRequest,
    quorum_report_bad_acb,
    quorum_vote,
)
from qsim.quorum.report import quorum_report_failure

from . import defective

#: As it is, for those that call it.
child_done = coroutine._child_done

# What depends on who comes back first.


def last_error_wins(acb: QuorumAIOCB, sacb: QuorumChildRequest) -> None:
    """The end of a child's request, which leaves its error to be the result."""
    if sacb.ret:
        acb.vote_ret = sacb.ret
    child_done(acb, sacb)


def with_what_is_there(acb: QuorumAIOCB) -> bool:
    """quorum_has_too_much_io_failed() that does not vote: the result is there already."""
    if acb.success_count >= acb.bs.threshold:
        acb.vote_ret = 0
        return False
    quorum_report_failure(acb.bs.world, acb.bs.reference, acb.offset, acb.bytes)
    return True


def remembers(acb: QuorumAIOCB, sacb: QuorumChildRequest) -> None:
    """The end of a child's request, in which the order of coming back is kept."""
    place = [one is sacb for one in acb.qcrs].index(True)
    vars(acb).setdefault("came", []).append(place)
    child_done(acb, sacb)


def votes_by_time(acb: QuorumAIOCB) -> None:
    """quorum_vote() of the children as they have come back."""
    bs, qcrs, came = acb.bs, acb.qcrs, vars(acb)["came"]
    children = bs.quorum_children
    acb.qcrs, bs.quorum_children = [qcrs[i] for i in came], [children[i] for i in came]
    quorum_vote(acb)
    acb.qcrs, bs.quorum_children = qcrs, children


def last_in_the_list(acb: QuorumAIOCB, sacb: QuorumChildRequest) -> None:
    """The end of a child's request, which takes the last child for the last to come back."""
    if sacb.ret == 0:
        acb.success_count += 1
    else:
        quorum_report_bad_acb(acb, sacb, sacb.ret)
    if sacb is acb.qcrs[-1]:
        acb.count = len(acb.qcrs)
        acb.co.enter_if_inactive()


def names_by_count(acb: QuorumAIOCB, sacb: QuorumChildRequest, ret: int) -> None:
    """quorum_report_bad_acb() that takes the n-th to come back for the n-th child."""
    place = acb.children_read - 1 if acb.bs.read_pattern == "fifo" and acb.is_read else acb.count
    other = acb.bs.quorum_children[place].bs
    quorum_report_bad_acb(acb, QuorumChildRequest(bs=other), ret)


@dataclass(frozen=True)
class Planted:
    """One defect.

    :param at: the functions replaced, by name.
    :param violates: the names of the invariants that find it, all of them.
    :param errnos: what children may fail with for it to be seen.
    :param by_order: whether no run shows it in which the oldest request is always next.
    """

    name: str
    at: dict[str, Callable[..., Any]]
    violates: frozenset[str]
    module: ModuleType = coroutine
    verbs: tuple[str, ...] = ("read", "write", "flush")
    errnos: tuple[str, ...] = ("EIO",)
    children: int = 2
    by_order: bool = False

    @property
    def revision(self) -> str:
        """Which driver it is planted into."""
        return "7.2" if self.module is coroutine else "mid-2015"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


PLANTED: tuple[Planted, ...] = (
    Planted("FIFO reads on", {"read_fifo_child": defective.reads_on}, _names("fifo")),
    Planted("FIFO gives up", {"read_fifo_child": defective.gives_up}, _names("error")),
    Planted("FIFO goes further", {"read_fifo_child": defective.goes_further}, _names("scope held")),
    Planted("FIFO says nothing", {"read_fifo_child": defective.says_nothing}, _names("told")),
    Planted("FIFO never fails", {"read_fifo_child": defective.never_fails}, _names("held")),
    Planted(
        "of a tie the first wins",
        {"quorum_get_vote_winner": defective.first_in_a_tie},
        _names("winner"),
    ),
    Planted(
        "one vote less will do",
        {"quorum_get_vote_winner": defective.one_vote_less},
        _names("agreed told"),
    ),
    Planted(
        "one vote more is wanted",
        {"quorum_get_vote_winner": defective.one_vote_more},
        _names("error cause"),
    ),
    Planted(
        "the winner is not copied",
        {"quorum_copy_qiov": defective.forgets},
        _names("held agreed cause rewrite"),
    ),
    Planted(
        "the first child wins",
        {"quorum_vote": defective.takes_the_first},
        _names("winner rewrite cause told"),
    ),
    Planted(
        "a success counts twice",
        {"_child_done": defective.counts_twice},
        _names("enough agreed told"),
    ),
    Planted(
        "a failure is a success",
        {"_child_done": defective.counts_failures},
        _names("enough told"),
        verbs=("write",),
    ),
    Planted(
        "the last child is left out",
        {"quorum_co_pwritev": defective.skips_the_last},
        _names("everyone enough"),
    ),
    Planted(
        "a write always succeeds",
        {"quorum_co_pwritev": defective.always_succeeds},
        _names("enough"),
    ),
    Planted(
        "a flush always succeeds", {"quorum_co_flush": defective.flush_succeeds}, _names("enough")
    ),
    Planted(
        "a flush ends at an error",
        {"quorum_co_flush": defective.flush_stops},
        _names("everyone error"),
    ),
    Planted(
        "the loser is written",
        {"quorum_rewrite_entry": defective.writes_the_loser},
        _names("rewrite"),
    ),
    Planted(
        "everyone is rewritten",
        {"quorum_rewrite_bad_versions": defective.rewrites_everyone},
        _names("rewrite"),
    ),
    Planted(
        "rewrites are not waited for",
        {"quorum_rewrite_bad_versions": defective.does_not_wait},
        _names("callback"),
    ),
    Planted(
        "a report names a neighbour",
        {"quorum_report_bad_acb": defective.names_its_neighbour},
        _names("cause told"),
    ),
    Planted(
        "successes are reported", {"_child_done": defective.reports_successes}, _names("cause told")
    ),
    Planted("a report says read", {"quorum_report_bad_acb": defective.says_read}, _names("cause")),
    Planted(
        "a report comes too early",
        {"read_quorum_children_entry": defective.reports_too_early},
        _names("cause told"),
    ),
    Planted(
        "QUORUM_FAILURE is forgotten", {"quorum_report_failure": defective.forgets}, _names("told")
    ),
    Planted(
        "a block is freed twice", {"quorum_aio_finalize": defective.frees_twice}, _names("memory")
    ),
    Planted("buffers are lost", {"quorum_vote": defective.loses_buffers}, _names("memory")),
    Planted("votes are kept", {"quorum_free_vote_list": defective.forgets}, _names("memory")),
    Planted(
        "the error that comes last wins",
        {
            "_child_done": last_error_wins,
            "quorum_has_too_much_io_failed": with_what_is_there,
        },
        _names("error"),
        errnos=("EIO", "ENOSPC"),
        by_order=True,
    ),
    Planted(
        "votes are taken as they come",
        {"_child_done": remembers, "quorum_vote": votes_by_time},
        _names("winner"),
        by_order=True,
    ),
    Planted(
        "the last child ends it",
        {"_child_done": last_in_the_list},
        _names("callback memory held agreed enough error cause"),
        by_order=True,
    ),
    Planted(
        "a report counts children",
        {"quorum_report_bad_acb": names_by_count},
        _names("cause told"),
        by_order=True,
    ),
    Planted(
        "called back twice",
        {"quorum_aio_finalize": defective.calls_back_twice},
        _names("callback"),
        aio,
        errnos=(),
    ),
    Planted(
        "the last child is not read",
        {"read_quorum_children": defective.asks_all_but_one},
        _names("callback"),
        aio,
        errnos=(),
    ),
    Planted(
        "a write never fails",
        {"quorum_has_too_much_io_failed": defective.nothing_has_failed},
        _names("enough told"),
        aio,
        ("write",),
    ),
    Planted(
        "the first rewrite ends it",
        {"quorum_rewrite_aio_cb": defective.counts_a_rewrite_only},
        _names("callback memory"),
        aio,
        ("read",),
        (),
        3,
    ),
)

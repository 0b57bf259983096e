# SPDX-License-Identifier: GPL-2.0-or-later
"""What is repeated: each thing with its nodes and the functions of ``block/quorum.c`` it enters."""

from __future__ import annotations

from qsim.leak.thing import (
    KIB,
    MIB,
    SIZE,
    Command,
    Node,
    Repeated,
    Request,
    failing,
    failures,
    null,
    other,
    over,
    quorum,
)


def _refused(node: Node, error: str) -> Command:
    return Command("blockdev-add", node, error)


_C = tuple(null(f"c{i}") for i in range(3))
_ADD = Command("x-blockdev-change", {"parent": "q", "node": "c3"})
_REMOVE = Command("x-blockdev-change", {"parent": "q", "child": "children.3"})
_GET = ("quorum_co_preadv", "quorum_aio_get", "quorum_aio_finalize")
_READ = (*_GET, "read_quorum_children", "read_quorum_children_entry", "quorum_vote")
_VERSIONS = ("quorum_compute_hash", "quorum_count_vote", "quorum_free_vote_list")
_TOO_MANY = ("quorum_has_too_much_io_failed",)
_ERRORS = (
    *("quorum_vote_error", "quorum_count_vote", "quorum_get_vote_winner"),
    *("quorum_free_vote_list", "quorum_report_failure"),
)
_WRITE = (
    *("quorum_co_pwritev", "quorum_aio_get", "write_quorum_entry"),
    *(*_TOO_MANY, "quorum_aio_finalize"),
)
_BAD = ("quorum_report_bad",)

#: Everything that is repeated, in the order of the tests.
TABLE: tuple[Repeated, ...] = (
    Repeated(
        "vote-that-agrees",
        "a read by vote of three children that agree",
        (*_READ, "quorum_compare", "quorum_copy_qiov"),
        over(*_C),
        (Request("read"),),
    ),
    Repeated(
        "vote-with-one-that-differs",
        "a read by vote of three children of which one differs",
        (*_READ, *_VERSIONS, "quorum_report_bad_versions", *_BAD),
        over(null("c0"), null("c1"), other("c2")),
        (Request("read"),),
        warm_up=4096,
        harmless=64 * KIB,
    ),
    Repeated(
        "vote-without-quorum",
        "a read by vote of three children of which too few agree",
        (*_READ, *_VERSIONS, "quorum_report_failure"),
        over(null("c0"), null("c1"), other("c2"), threshold=3),
        (Request("read", fails=True),),
        warm_up=4096,
        harmless=64 * KIB,
    ),
    Repeated(
        "vote-with-one-that-fails",
        "a read by vote of three children of which one fails",
        (*_READ, "quorum_report_bad_acb", *_BAD),
        failures("read", 1),
        (Request("read"),),
    ),
    Repeated(
        "vote-where-too-many-fail",
        "a read by vote of three children of which all fail",
        (*_READ, *_TOO_MANY, *_ERRORS, *_BAD),
        failures("read", 3),
        (Request("read", fails=True),),
    ),
    Repeated(
        "vote-that-rewrites",
        "a read by vote of three children of which one differs and cannot be rewritten",
        (*_READ, *_VERSIONS, "quorum_rewrite_bad_versions", "quorum_rewrite_entry"),
        over(
            *(null("c0"), null("c1"), failing("c2", "write", other("f2"))),
            **{"rewrite-corrupted": True},
        ),
        (Request("read"),),
        warm_up=4096,
        harmless=64 * KIB,
    ),
    Repeated(
        "fifo-whose-first-fails",
        "a FIFO read whose first child fails",
        (*_GET, "read_fifo_child", "quorum_report_bad_acb", *_BAD),
        (
            *failures("read", 1)[:-1],
            quorum("c0", "c1", "c2", threshold=2, **{"read-pattern": "fifo"}),
        ),
        (Request("read"),),
    ),
    Repeated(
        "writes",
        "a write to three children",
        _WRITE,
        over(*_C),
        (Request("write"),),
    ),
    Repeated(
        "writes-of-which-one-fails",
        "a write to three children of which one fails",
        (*_WRITE, "quorum_report_bad_acb", *_BAD),
        failures("write", 1),
        (Request("write"),),
    ),
    Repeated(
        "writes-of-which-too-many-fail",
        "a write to three children of which two fail",
        (*_WRITE, *_ERRORS, *_BAD),
        failures("write", 2),
        (Request("write", fails=True),),
    ),
    Repeated(
        "write-zeroes",
        "write-zeroes to three children",
        ("quorum_co_pwrite_zeroes", *_WRITE),
        over(*_C),
        (Request("write-zeroes"),),
    ),
    Repeated(
        "flushes-of-which-one-fails",
        "a flush of three children of which one fails, and block status of them",
        (
            *("quorum_co_flush", "quorum_count_vote", "quorum_free_vote_list"),
            *("quorum_report_bad", "quorum_co_block_status"),
        ),
        failures("flush", 1),
        (Request("flush", 0, fails=None), Request("block-status", SIZE)),
        before=(Request("write"),),
    ),
    Repeated(
        "flushes-of-which-too-many-fail",
        "a flush of three children of which all fail",
        (
            *("quorum_co_flush", "quorum_count_vote", "quorum_get_vote_winner"),
            *("quorum_free_vote_list", "quorum_report_bad"),
        ),
        failures("flush", 3),
        (Request("flush", 0, fails=True),),
        before=(Request("write"),),
    ),
    Repeated(
        "votes-on-megabytes",
        "a read of 4 MiB by vote of three children that agree",
        (*_READ, "quorum_compare", "quorum_copy_qiov"),
        over(*(null(f"c{i}", 8 * MIB) for i in range(3))),
        (Request("read", 4 * MIB),),
        times=8,
        warm_up=8,
    ),
    Repeated(
        "nodes-opened-and-closed",
        "a quorum node of three children made and deleted",
        ("quorum_open", "quorum_close"),
        _C,
        commands=(
            Command("blockdev-add", quorum("c0", "c1", "c2")),
            Command("blockdev-del", {"node-name": "q"}),
        ),
        times=1024,
        warm_up=512,
        harmless=12 * KIB,
    ),
    Repeated(
        "nodes-with-bad-options",
        "quorum nodes that are refused for each kind of bad option",
        ("quorum_open", "quorum_valid_threshold"),
        _C,
        commands=(
            _refused(quorum("c0", "c1", threshold=3), "threshold may not exceed"),
            _refused(quorum("c0", "c1", threshold=0), "vote-threshold"),
            _refused(quorum("c0", "c1", "c2", blkverify=True), "blkverify=on can only be set"),
            _refused(
                quorum("c0", "c1", **{"blkverify": True, "rewrite-corrupted": True}),
                "rewrite-corrupted=on cannot be used",
            ),
            _refused(quorum(threshold=1), "Number of provided children must be 1 or more"),
        ),
        times=256,
        warm_up=64,
        harmless=12 * KIB,
    ),
    Repeated(
        "nodes-with-a-child-that-is-not-there",
        "a quorum node that is refused as its third child does not exist",
        ("quorum_open",),
        _C,
        commands=(_refused(quorum("c0", "c1", "none"), "none"),),
        times=1024,
        warm_up=256,
        harmless=12 * KIB,
    ),
    Repeated(
        "children-added-and-removed",
        "a child made, eight times added and removed, and deleted",
        ("quorum_add_child", "quorum_del_child"),
        over(*_C),
        commands=(
            Command("blockdev-add", null("c3")),
            *(_ADD, _REMOVE) * 8,
            Command("blockdev-del", {"node-name": "c3"}),
        ),
        times=256,
        warm_up=64,
        harmless=12 * KIB,
    ),
    Repeated(
        "nodes-told-of",
        "what a quorum node is called and made of (query-named-block-nodes)",
        ("quorum_gather_child_options", "quorum_getlength"),
        over(*_C),
        commands=(Command("query-named-block-nodes", {"flat": True}),),
        times=256,
        warm_up=256,
        harmless=128 * KIB,
    ),
)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Children that come and go: quorum_add_child() and quorum_del_child()."""

from __future__ import annotations

import signal

from qsim.block.error import ProcessExit, QmpError
from qsim.block.node import (
    BdrvChild,
    BlockDriverState,
    bdrv_attach_child,
    bdrv_recurse_has_child,
    bdrv_unref_child,
)
from qsim.block.switches import CYCLE_REFUSED
from qsim.quorum.node import QuorumNode

INDEXSTR_LEN = 32
UINT_MAX = 0xFFFFFFFF
#: INT_MAX / sizeof(BdrvChild *) on a 64-bit host.
MAX_CHILDREN = 0x7FFFFFFF // 8


def quorum_add_child(bs: QuorumNode, child_bs: BlockDriverState) -> None:
    """quorum_add_child(): the next number is taken, and given back when attaching fails.

    :raise QmpError: in blkverify mode, with too many children, or when it cannot be attached.
    :raise ProcessExit: for a node above, until that was refused: an assertion, as it is drained.
    """
    if bs.is_blkverify:
        raise QmpError("Cannot add a child to a quorum in blkverify mode")
    if len(bs.quorum_children) == MAX_CHILDREN or bs.next_child_index == UINT_MAX:
        raise QmpError("Too many children")
    indexstr = f"children.{bs.next_child_index}"
    bs.next_child_index += 1
    bs.world.drained_begin()
    if CYCLE_REFUSED not in bs.world.switches and bdrv_recurse_has_child(child_bs, bs):
        raise ProcessExit(
            -signal.SIGABRT,
            "bdrv_replace_child_noperm: "
            "Assertion `new_bs->quiesce_counter <= new_bs_quiesce_counter' failed.",
        )
    try:
        child = bdrv_attach_child(bs, child_bs, indexstr)
    except QmpError:
        bs.next_child_index -= 1
        raise
    bs.quorum_children.append(child)
    bs.refresh_flags()


def quorum_del_child(bs: QuorumNode, child: BdrvChild) -> None:
    """quorum_del_child(): the last number is free again when its holder goes.

    :raise QmpError: when fewer children than the threshold would be left.
    """
    assert child in bs.quorum_children
    if len(bs.quorum_children) <= bs.threshold:
        raise QmpError(
            f"The number of children cannot be lower than the vote threshold {bs.threshold}"
        )
    assert not bs.is_blkverify
    if child.name == f"children.{bs.next_child_index - 1}":
        bs.next_child_index -= 1
    bs.world.drained_begin()
    bs.quorum_children.remove(child)
    bdrv_unref_child(child)
    bs.refresh_flags()

# SPDX-License-Identifier: GPL-2.0-or-later
"""quorum_open(): the driver's options, its checks in their order, and opening the children."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qsim.block.error import QmpError
from qsim.block.flags import Req
from qsim.block.node import BdrvChild, BlockDriverState, bdrv_unref_child
from qsim.block.options import qdict_array_entries, qemu_opts_absorb
from qsim.quorum.node import QuorumNode
from qsim.quorum.switches import THRESHOLD_ARTICLE

EINVAL, ERANGE = 22, 34

#: quorum_runtime_opts: name -> type of the option.
RUNTIME_OPTS = {
    "vote-threshold": "number",
    "blkverify": "bool",
    "rewrite-corrupted": "bool",
    "read-pattern": "string",
}

READ_PATTERNS = ("quorum", "fifo")

#: bdrv_open_child(): takes the options of one key out of the dictionary and opens the node.
OpenChild = Callable[[dict[str, Any], str, BlockDriverState], BdrvChild]


def as_int(value: int) -> int:
    """What is left of a 64-bit number in a C ``int``."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


def quorum_valid_threshold(threshold: int, num_children: int, value: str) -> None:
    """quorum_valid_threshold().

    :param value: how it calls what it expects.
    :raise QmpError: below one, or above the number of children.
    """
    if threshold < 1:
        raise QmpError(f"Parameter 'vote-threshold' expects {value} >= 1", -ERANGE)
    if threshold > num_children:
        raise QmpError("threshold may not exceed children count", -ERANGE)


def quorum_open(bs: QuorumNode, options: dict[str, Any], open_child: OpenChild) -> None:
    """quorum_open(): ``options`` are flattened; what it uses is taken out of them.

    :raise QmpError: with the driver's text, or that of the child that failed to open.
    """
    num_children = qdict_array_entries(options, "children.")
    if num_children < 0:
        raise QmpError("Option children is not a valid array", -EINVAL)
    if num_children < 1:
        raise QmpError("Number of provided children must be 1 or more", -EINVAL)
    opts = qemu_opts_absorb(RUNTIME_OPTS, options)

    bs.threshold = as_int(opts.get("vote-threshold", 0))
    value = "a value" if THRESHOLD_ARTICLE in bs.revision.switches else "value"
    quorum_valid_threshold(bs.threshold, num_children, value)

    bs.read_pattern = opts.get("read-pattern", "quorum")
    if bs.read_pattern not in READ_PATTERNS:
        raise QmpError("Please set read-pattern as fifo or quorum", -EINVAL)

    if bs.read_pattern == "quorum":
        bs.is_blkverify = opts.get("blkverify", False)
        if bs.is_blkverify and (num_children != 2 or bs.threshold != 2):
            raise QmpError(
                "blkverify=on can only be set if there are exactly two files "
                "and vote-threshold is 2",
                -EINVAL,
            )
        bs.rewrite_corrupted = opts.get("rewrite-corrupted", False)
        if bs.rewrite_corrupted and bs.is_blkverify:
            raise QmpError("rewrite-corrupted=on cannot be used with blkverify=on", -EINVAL)

    bs.opening = True
    try:
        for i in range(num_children):
            bs.quorum_children.append(open_child(options, f"children.{i}", bs))
    except QmpError as error:
        for edge in bs.quorum_children:
            bdrv_unref_child(edge)
        bs.quorum_children = []
        raise QmpError(error.desc, -EINVAL) from error
    bs.opening = False
    bs.next_child_index = num_children
    bs.supported_write_flags = Req.WRITE_UNCHANGED
    bs.refresh_flags()

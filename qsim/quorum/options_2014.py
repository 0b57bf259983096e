# SPDX-License-Identifier: GPL-2.0-or-later
"""quorum_open() from before the series to mid-2015 (block/quorum.c at a9db86b223)."""

from __future__ import annotations

from typing import Any

from qsim.block.error import QmpError
from qsim.block.node import bdrv_unref_child
from qsim.block.options import (
    UINT64_MAX,
    parse_option_number,
    qdict_array_entries,
    qdict_extract_subqdict,
    qdict_first,
    qemu_opts_absorb,
)
from qsim.quorum.node_2014 import Quorum2014Node
from qsim.quorum.options import EINVAL, ERANGE, RUNTIME_OPTS, OpenChild, as_int
from qsim.quorum.switches import (
    ERROR_WITHOUT_NEWLINE,
    NAMED_FIFO,
    OPEN_IMAGE,
    OPTS_FREED,
    READ_PATTERN,
)


def quorum_valid_threshold(threshold: int, num_children: int) -> None:
    """quorum_valid_threshold().

    :raise QmpError: below one, or above the number of children.
    """
    if threshold < 1:
        raise QmpError("Parameter 'vote-threshold' expects value >= 1", -ERANGE)
    if threshold > num_children:
        raise QmpError("threshold may not exceed children count", -ERANGE)


def qdict_array_split(sub: dict[str, Any]) -> int:
    """qdict_array_split(): take elements 0, 1, … out of ``sub``; how many there were.

    An element is one value or several with its number as prefix, never both.
    """
    i = 0
    while True:
        nested = any(key.startswith(f"{i}.") for key in sub)
        if (str(i) in sub) == nested:
            return i
        sub.pop(str(i), None)
        qdict_extract_subqdict(sub, f"{i}.")
        i += 1


def _count_children(bs: Quorum2014Node, options: dict[str, Any]) -> int:
    """The number of children, by one way or the other.

    :raise QmpError: when ``children`` is no array.
    """
    if OPEN_IMAGE in bs.switches:
        entries = qdict_array_entries(options, "children.")
        if entries < 0:
            raise QmpError("Option children is not a valid array", -EINVAL)
        return entries
    sub = {
        key.removeprefix("children."): value
        for key, value in options.items()
        if key.startswith("children.")
    }
    length = qdict_array_split(sub)
    if sub:
        raise QmpError(f"Invalid option children.{qdict_first(sub)}", -EINVAL)
    return length


def parse_read_pattern(bs: Quorum2014Node, opts: dict[str, Any]) -> str:
    """parse_read_pattern(): quorum unless the option says otherwise.

    :raise QmpError: for a pattern there is not.
    """
    pattern = str(opts.get("read-pattern", "quorum"))
    single = "fifo" if NAMED_FIFO in bs.switches else "single"
    if pattern not in ("quorum", single):
        end = "" if ERROR_WITHOUT_NEWLINE in bs.switches else "\n"
        raise QmpError(f"Please set read-pattern as {single} or quorum{end}", -EINVAL)
    return "quorum" if pattern == "quorum" else "fifo"


def quorum_open(bs: Quorum2014Node, options: dict[str, Any], open_child: OpenChild) -> None:
    """quorum_open(): ``options`` are flattened; what it uses is taken out of them.

    The option list is made once the children are counted, and until 8df3abfcee never freed.

    :raise QmpError: with the driver's text, or that of the child that failed to open.
    """
    num_children = _count_children(bs, options)
    if num_children < 2:
        raise QmpError("Number of provided children must be greater than 1", -EINVAL)
    bs.num_children = num_children
    opts_memory = bs.ledger.alloc("opts")
    try:
        _absorb_options(bs, options)
        _open_children(bs, options, open_child)
    finally:
        if OPTS_FREED in bs.switches:
            bs.ledger.free(opts_memory)


def strtoull(text: str) -> int:
    """A number as parse_option_number() of the time took it: nothing is 0, too much is the most.

    :raise QmpError: for what is no number.
    """
    try:
        return parse_option_number("vote-threshold", text or 0)
    except QmpError as error:
        if "too large" not in error.desc:
            raise QmpError("Parameter 'vote-threshold' expects a number", -EINVAL) from error
        return UINT64_MAX


def _absorb_options(bs: Quorum2014Node, options: dict[str, Any]) -> None:
    """The driver's own options and their checks; those of FIFO end with its name.

    :raise QmpError: for the first that is wrong.
    """
    known = dict(RUNTIME_OPTS)
    if READ_PATTERN not in bs.switches:
        del known["read-pattern"]
    for name, kind in known.items():
        if kind == "bool" and options.get(name, "on") not in (True, False, "on", "off"):
            raise QmpError(f"Parameter '{name}' expects 'on' or 'off'", -EINVAL)
    if "vote-threshold" in options:
        options["vote-threshold"] = strtoull(str(options["vote-threshold"]))
    opts = qemu_opts_absorb(known, options)
    bs.threshold = as_int(opts.get("vote-threshold", 0))
    bs.read_pattern = parse_read_pattern(bs, opts)
    if bs.read_pattern == "fifo":
        return
    quorum_valid_threshold(bs.threshold, bs.num_children)
    # With other numbers blkverify=on is a line on stderr and nothing else.
    bs.is_blkverify = opts.get("blkverify", False) and bs.num_children == 2 and bs.threshold == 2
    bs.rewrite_corrupted = opts.get("rewrite-corrupted", False)
    if bs.rewrite_corrupted and bs.is_blkverify:
        raise QmpError("rewrite-corrupted=on cannot be used with blkverify=on", -EINVAL)


def _open_children(bs: Quorum2014Node, options: dict[str, Any], open_child: OpenChild) -> None:
    """Open one child after the other; all are let go when one fails.

    :raise QmpError: of the child that failed.
    """
    bs.bs_array = bs.ledger.alloc("s->bs")
    opened = bs.ledger.alloc("opened")
    try:
        for i in range(bs.num_children):
            bs.quorum_children.append(open_child(options, f"children.{i}", bs))
    except QmpError:
        for edge in bs.quorum_children:
            bdrv_unref_child(edge)
        bs.quorum_children = []
        bs.ledger.free(bs.bs_array)
        raise
    finally:
        bs.ledger.free(opened)

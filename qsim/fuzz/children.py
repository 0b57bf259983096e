# SPDX-License-Identifier: GPL-2.0-or-later
"""Children of generated scenarios: what they hold, what is odd about them, what fails."""

from __future__ import annotations

from typing import Any

from qsim.block.errno import NBD_ERRNOS
from qsim.fuzz.draws import Draw, of, seldom

#: What a child holds.  The parts before the last end at multiples of its block size where that
#: matters: holes must, and bytes need not.
CONTENTS = (
    *("A",) * 9, "B", "B", "C", "A:512 B", "A:512 B", "A:512 B:512 A", "A:100 B:1 A",
    "A:4095 C:2 A", "0x00", "pat1:512 A", "hole", "hole", "hole:4096 A", "A:4096 hole:4096 A",
    "zero:4096 A", "unallocated:4096 A", "hole:8192 B",
)  # fmt: skip
#: The same for blocks smaller than 4096.
FINE_CONTENTS = ("hole:512 A", "A:1024 hole:512 zero:512 A", "A:512 hole")
#: Those of large children: zeroes over bytes take memory, over zeroes they do not.
LARGE_CONTENTS = ("hole", "hole", "0x00", "A:4096 hole", "hole:4096 zero", "B:8192 0x00")
LARGE = 32 << 20
#: The least that a child with any of these contents has.
LEAST = 8704

#: Sizes of all children; None is the default.
SIZES = (*(None,) * 13, 12288, 66048, "1M", "64M", "6G")
#: Sizes of a child that is not like the others.
OTHER_SIZES = ("128k", 12288)

#: What can be odd about a child.
QUIRKS: tuple[dict[str, Any], ...] = (
    {"block-size": 512},
    {"block-size": 512},
    {"block-size": 4096},
    {"without": ["fua"]},
    {"without": ["flush"]},
    {"without": ["fast-zero"]},
    {"without": ["write-zeroes", "fast-zero"]},
    {"without": ["trim"]},
    {"without": ["block-status"]},
    {"node": {"discard": "unmap"}},
    {"node": {"read-only": True}},
    {"node": {"detect-zeroes": "on"}},
    {"node": {"discard": "unmap", "detect-zeroes": "unmap"}},
)

FAULT_OPS = ("", "read", "read", "write", "flush", "write-zeroes", "block-status")
ERRNOS = (*("EIO",) * 4, "ENOSPC", *(name for name in NBD_ERRNOS if name != "EIO"))
FAULT_PLACES = ("", "", "", "at 0 512", "at 512 512", "at 4096 1", "at 100 50")
FAULT_TIMES = (*("",) * 5, "x1", "x2", "after 1", "x1 after 1")


def fault(draw: Draw) -> str:
    """One fault as a scenario writes it."""
    what = "dies" if seldom(draw, 25) else of(draw, ERRNOS)
    op = of(draw, FAULT_OPS)
    if what == "dies" and not op:
        op = "read"
    words = (op, what, of(draw, FAULT_PLACES), of(draw, FAULT_TIMES))
    return " ".join(word for word in words if word)


def child(draw: Draw, block_size: int, size: int) -> Any:
    """One child.

    :param block_size: what it has unless it has one of its own.
    :param size: its size, unless it is not like the others.
    """
    raw: dict[str, Any] = {}
    for _ in range(of(draw, (0, 0, 0, 0, 0, 0, 1, 1, 2))):
        raw |= of(draw, QUIRKS)
    if raw.get("block-size") == 4096 and size % 4096:
        raw["block-size"] = 512
    block_size = raw.get("block-size", block_size)
    if size > LARGE:
        contents = of(draw, LARGE_CONTENTS)
    else:
        contents = of(draw, CONTENTS if block_size > 512 else CONTENTS + FINE_CONTENTS)
    if seldom(draw, 60):
        raw["size"] = of(draw, OTHER_SIZES)
    if seldom(draw, 25):
        raw["faults"] = fault(draw)
    if not raw:
        return contents
    return raw if contents == "A" else {"contents": contents, **raw}

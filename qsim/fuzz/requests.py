# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest requests of generated scenarios, alone and in flight together."""

from __future__ import annotations

from typing import Any

from qsim.block.io import align_down, align_up
from qsim.fuzz.draws import Draw, below, of, seldom
from qsim.fuzz.setting import Setting

VERBS = (
    *("read",) * 6, *("write",) * 4, "write-zeroes", "write-zeroes", "flush", "flush",
    "block-status", "block-status", "discard",
)  # fmt: skip

#: Where a request begins: (whether counted back from the end, bytes).
OFFSETS = (
    *((False, 0),) * 5, (False, 512), (False, 512), (False, 1024), (False, 4096), (False, 100),
    (False, 511), (False, 1), (False, 4095), (True, 512), (True, 1), (True, 0), (True, 100),
    (True, -512),
)  # fmt: skip
#: How long it is; -1 is to the end, -2 a byte further.
LENGTHS = (*(512,) * 6, 1024, 4096, 1, 100, 511, 513, 1000, 4097, 8192, 0, -1, -2)
#: No more than this many bytes are asked for, with data and without; NBD splits at 32 MiB.
MOST_DATA = 1 << 17
MOST = 40 << 20

WRITTEN = (*("W",) * 6, "A", "B", "0x00", "0x00", "pat2")
FLAGS: dict[str, tuple[list[str], ...]] = {
    "write": (*([],) * 4, ["fua"]),
    "write-zeroes": (
        *([],) * 4, ["fua"], ["no-hole"], ["fast-zero"], ["fua", "no-hole"],
        ["no-hole", "fast-zero"], ["fua", "fast-zero"],
    ),
    "discard": (*([],) * 4, ["fua"]),
    "read": (*([],) * 19, ["fua"]),
    "flush": (*([],) * 19, ["fua"]),
    "block-status": (*([],) * 19, ["fua"]),
}  # fmt: skip
#: Flags where they do not belong.
ANY_FLAGS = (["fua"], ["no-hole"], ["fast-zero"], ["fua", "no-hole", "fast-zero"])

#: Requests that change bytes.
CHANGING = ("write", "write-zeroes")


def request(draw: Draw, setting: Setting) -> dict[str, Any]:
    """One request, as a step or as a part of ``together``."""
    verb = of(draw, VERBS)
    flags = of(draw, ANY_FLAGS) if seldom(draw, 60) else of(draw, FLAGS[verb])
    with_flags = {"flags": flags} if flags else {}
    if verb == "flush":
        return {"flush": True, **with_flags}
    from_end, offset = of(draw, OFFSETS)
    if from_end:
        offset = setting.size - offset
    length = of(draw, LENGTHS)
    if length < 0:
        length = min(max(0, setting.size - offset), MOST) - length - 1
    if verb == "write":
        length = min(length, MOST_DATA)
        return {"write": [offset, length, of(draw, WRITTEN)], **with_flags}
    if verb == "read":
        length = min(length, MOST_DATA)
    return {verb: [offset, length], **with_flags}


def together(draw: Draw, setting: Setting) -> dict[str, Any]:
    """Two or three requests in flight together; one alone where others would wait for it."""
    parts: list[dict[str, Any]] = []
    for _ in range(2 + below(draw, 2)):
        part = request(draw, setting)
        if not any(_may_wait(part, other, setting) for other in parts):
            parts.append(part)
    return parts[0] if len(parts) == 1 else {"together": parts}


def _may_wait(a: dict[str, Any], b: dict[str, Any], setting: Setting) -> bool:
    """Whether the block layer may serialise two requests, which is outside the model: a padded
    write waits for whatever overlaps its blocks.
    """
    if setting.align == 1 or not (setting.rewrites or _changes(a) or _changes(b)):
        return False
    (start_a, end_a), (start_b, end_b) = _blocks(a, setting.align), _blocks(b, setting.align)
    return start_a < end_b and start_b < end_a


def _changes(part: dict[str, Any]) -> bool:
    return any(verb in part for verb in CHANGING)


def _blocks(part: dict[str, Any], align: int) -> tuple[int, int]:
    """The blocks a request touches, as bytes from and to; a flush touches none."""
    ranges = [value for value in part.values() if isinstance(value, list) and len(value) > 1]
    if "flush" in part or not ranges:
        return 0, 0
    offset, length = ranges[0][:2]
    return align_down(offset, align), align_up(offset + length, align)

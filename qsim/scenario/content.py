# SPDX-License-Identifier: GPL-2.0-or-later
"""The short form for bytes: ``"A"``, ``"A:512 B"``, ``"hole:4096 0x41:512 pat1"``.

A content is words; each is a filler, with ``:BYTES`` for how many, and the last without a number
takes the rest.  Fillers: one character (its code), ``0xNN``, ``patN`` (bytes that depend on
their place, different for each N), ``hex=…`` (exactly these bytes), and three that block status
does not call data: ``hole`` (unallocated, reads as zeroes), ``zero`` (allocated zeroes),
``unallocated`` (unallocated, not known to read as zeroes; the bytes are zeroes all the same).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from qsim.block.child import Hole
from qsim.block.sparse import Sparse

_WORD = re.compile(
    r"(?:hex=(?P<hex>(?:[0-9a-fA-F]{2})+)"
    r"|(?P<filler>0x[0-9a-fA-F]{2}|pat\d|hole|zero|unallocated|[^\s:])(?::(?P<bytes>\d+[kMGT]?))?)"
)
_UNITS = {"k": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
#: Fillers that block status tells from data: (hole, zero).
_STATUS = {"hole": (True, True), "zero": (False, True), "unallocated": (True, False)}
#: The largest part that is not one repeated byte, in bytes: it is kept in memory.
MAX_PATTERN = 16 << 20


@dataclass(frozen=True)
class Content:
    """Bytes, and the parts of them that are not plain data."""

    data: Sparse
    holes: tuple[Hole, ...] = ()


def parse_bytes(text: str | int) -> int:
    """A number of bytes: ``512``, ``64k``, ``1M``, ``6G``, ``2T``.

    :raise ValueError: for anything else.
    """
    if isinstance(text, int):
        return text
    if not re.fullmatch(r"\d+[kMGT]?", text):
        raise ValueError(f"{text!r} is no number of bytes; write e.g. 512, 64k or 1M")
    return int(text.rstrip("kMGT")) * _UNITS.get(text[-1], 1)


def parse_content(text: str | int, size: int) -> Content:
    """``size`` bytes as ``text`` says.

    :raise ValueError: for a word that is none, or when the lengths do not add up to ``size``.
    """
    words = str(text).split()
    parts: list[tuple[int, int | bytes]] = []
    holes: list[Hole] = []
    at = 0
    for i, word in enumerate(words):
        match = _WORD.fullmatch(word)
        if not match:
            raise ValueError(
                f"{word!r} is no content; write e.g. A, A:512, 0x41, pat1, hole:4k or hex=00ff"
            )
        if match["hex"]:
            parts.append((at, bytes.fromhex(match["hex"])))
            at += len(match["hex"]) // 2
            continue
        if match["bytes"]:
            length = parse_bytes(match["bytes"])
        elif i == len(words) - 1:
            length = max(0, size - at)
        else:
            raise ValueError(f"{word!r} needs a length: only the last word takes the rest")
        filler = match["filler"]
        if filler in _STATUS:
            holes.append(Hole(at, at + length, *_STATUS[filler]))
        parts.append((at, _fill(filler, at, length)))
        at += length
    if at != size:
        raise ValueError(f"{text!r} is {at} bytes long, {size} are needed")
    return Content(_assemble(parts, size), tuple(holes))


def _fill(filler: str, start: int, length: int) -> int | bytes:
    """The byte that is repeated, or the bytes of a pattern."""
    if filler in _STATUS:
        return 0
    if filler.startswith("pat") and len(filler) == 4:
        if length > MAX_PATTERN:
            raise ValueError(f"{filler} over {length} bytes; a pattern takes at most 16M")
        seed = int(filler[3]) * 29 + 1
        return bytes((seed + i * 7 + i // 251 * 13) & 0xFF for i in range(start, start + length))
    if filler.startswith("0x") and len(filler) == 4:
        return int(filler, 16)
    if ord(filler) > 255:
        raise ValueError(f"{filler!r} is not a single byte")
    return ord(filler)


def _assemble(parts: list[tuple[int, int | bytes]], size: int) -> Sparse:
    """The bytes: the longest repeated byte is the fill, the others are written into it."""
    ends = [at for at, _ in parts[1:]] + [size]
    longest, fill = -1, 0
    for (at, what), end in zip(parts, ends, strict=True):
        if isinstance(what, int) and end - at > longest:
            longest, fill = end - at, what
    data = Sparse(size, fill)
    for (at, what), end in zip(parts, ends, strict=True):
        if isinstance(what, bytes):
            data.write(at, what)
        elif what != fill:
            if end - at > MAX_PATTERN:
                raise ValueError(
                    f"{end - at} bytes of 0x{what:02x} beside a longer part; at most 16M"
                )
            data.write(at, bytes([what]) * (end - at))
    return data


def describe(data: bytes | Sparse) -> str:
    """Bytes as the shortest content that gives them, for outcomes people read."""
    runs: Iterable[tuple[int, int]] = (
        Sparse.of(data).runs() if isinstance(data, bytes) else (data.runs())
    )
    words = []
    for byte, length in runs:
        filler = chr(byte) if chr(byte).isalnum() and byte < 128 else f"0x{byte:02x}"
        words.append(f"{filler}:{length}")
        if len(words) > 8:
            head = data[:16] if isinstance(data, bytes) else data.read(0, 16)
            return f"hex={head.hex()}… ({len(data)} bytes)"
    return " ".join(words) or "nothing"

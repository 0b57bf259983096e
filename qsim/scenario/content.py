# SPDX-License-Identifier: GPL-2.0-or-later
"""The short form for bytes: ``"A"``, ``"A:512 B"``, ``"hole:4096 0x41:512 pat1"``.

A content is words; each is a filler, with ``:BYTES`` for how many, and the last without a number
takes the rest.  Fillers: one character (its code), ``0xNN``, ``patN`` (bytes that depend on
their place, different for each N), ``hole`` (zeroes that block status reports as a hole), and
``hex=…`` (exactly these bytes).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(
    r"(?:hex=(?P<hex>(?:[0-9a-fA-F]{2})+)"
    r"|(?P<filler>0x[0-9a-fA-F]{2}|pat\d|hole|[^\s:])(?::(?P<bytes>\d+[kM]?))?)"
)
_UNITS = {"k": 1024, "M": 1024 * 1024}


@dataclass(frozen=True)
class Content:
    """Bytes and where the holes among them are, as (start, end) in bytes."""

    data: bytes
    holes: tuple[tuple[int, int], ...] = ()


def parse_bytes(text: str | int) -> int:
    """A number of bytes: ``512``, ``64k``, ``1M``.

    :raise ValueError: for anything else.
    """
    if isinstance(text, int):
        return text
    if not re.fullmatch(r"\d+[kM]?", text):
        raise ValueError(f"{text!r} is no number of bytes; write e.g. 512, 64k or 1M")
    return int(text.rstrip("kM")) * _UNITS.get(text[-1], 1)


def parse_content(text: str | int, size: int) -> Content:
    """``size`` bytes as ``text`` says.

    :raise ValueError: for a word that is none, or when the lengths do not add up to ``size``.
    """
    if isinstance(text, int):
        text = str(text)
    data = bytearray()
    holes: list[tuple[int, int]] = []
    words = text.split()
    for i, word in enumerate(words):
        match = _WORD.fullmatch(word)
        if not match:
            raise ValueError(
                f"{word!r} is no content; write e.g. A, A:512, 0x41, pat1, hole:4k or hex=00ff"
            )
        if match["hex"]:
            data += bytes.fromhex(match["hex"])
            continue
        rest = size - len(data)
        if match["bytes"]:
            length = parse_bytes(match["bytes"])
        elif i == len(words) - 1:
            length = rest
        else:
            raise ValueError(f"{word!r} needs a length: only the last word takes the rest")
        if match["filler"] == "hole":
            holes.append((len(data), len(data) + length))
        data += _fill(match["filler"], len(data), length)
    if len(data) != size:
        raise ValueError(f"{text!r} is {len(data)} bytes long, {size} are needed")
    return Content(bytes(data), tuple(holes))


def _fill(filler: str, start: int, length: int) -> bytes:
    if filler == "hole":
        return bytes(length)
    if filler.startswith("pat") and len(filler) == 4:
        seed = int(filler[3]) * 29 + 1
        return bytes((seed + i * 7 + i // 251 * 13) & 0xFF for i in range(start, start + length))
    if filler.startswith("0x") and len(filler) == 4:
        return bytes([int(filler, 16)]) * length
    if ord(filler) > 255:
        raise ValueError(f"{filler!r} is not a single byte")
    return bytes([ord(filler)]) * length


def describe(data: bytes) -> str:
    """Bytes as the shortest content that gives them, for outcomes people read."""
    runs: list[tuple[int, int]] = []
    for byte in data:
        if runs and runs[-1][0] == byte:
            runs[-1] = (byte, runs[-1][1] + 1)
        else:
            runs.append((byte, 1))
        if len(runs) > 8:
            return f"{data[:16].hex()}… ({len(data)} bytes, sum {sum(data) & 0xFFFF:04x})"
    words = []
    for byte, length in runs:
        filler = chr(byte) if chr(byte).isalnum() and byte < 128 else f"0x{byte:02x}"
        words.append(f"{filler}:{length}")
    return " ".join(words) or "nothing"

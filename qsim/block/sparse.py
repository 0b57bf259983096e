# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes of a child, of any size: mostly one fill byte, and pages where it is something else."""

from __future__ import annotations

import re
from collections.abc import Iterator

PAGE = 64 * 1024
#: A byte and those behind it that are the same.
RUN = re.compile(rb"(.)\1*", re.DOTALL)


class Sparse:
    """``size`` bytes of ``fill`` until written.  Compares equal to one with the same bytes."""

    def __init__(self, size: int, fill: int = 0) -> None:
        self.size = size
        self.fill = fill
        # Pages are never changed but replaced, so that copies share them.
        self._pages: dict[int, bytes] = {}

    @classmethod
    def of(cls, data: bytes) -> Sparse:
        """These bytes."""
        new = cls(len(data))
        new.write(0, data)
        return new

    def __len__(self) -> int:
        return self.size

    def pages(self) -> dict[int, bytes]:
        """What was written, by number of the page; for who tells two of them apart."""
        return {number: self._pages[number] for number in sorted(self._pages)}

    def copy(self) -> Sparse:
        """An independent copy, which shares what neither changes."""
        new = Sparse(self.size, self.fill)
        new._pages = dict(self._pages)
        return new

    def read(self, start: int, end: int) -> bytes:
        """The bytes from ``start`` up to ``end``."""
        parts = []
        while start < end:
            number, at = divmod(start, PAGE)
            length = min(end - start, PAGE - at)
            page = self._pages.get(number)
            parts.append(page[at : at + length] if page else bytes([self.fill]) * length)
            start += length
        return b"".join(parts)

    def write(self, start: int, data: bytes) -> None:
        """Put ``data`` at ``start``; it must fit."""
        assert start >= 0 and start + len(data) <= self.size
        done = 0
        while done < len(data):
            number, at = divmod(start + done, PAGE)
            length = min(len(data) - done, PAGE - at)
            page = self._pages.get(number) or bytes([self.fill]) * PAGE
            part = data[done : done + length]
            self._pages[number] = page[:at] + part + page[at + length :]
            done += length

    def zero(self, start: int, end: int) -> None:
        """Write zeroes from ``start`` up to ``end``."""
        while start < end:
            length = min(end - start, PAGE - start % PAGE)
            if self.fill or start // PAGE in self._pages:
                self.write(start, bytes(length))
            start += length

    def runs(self) -> Iterator[tuple[int, int]]:
        """The bytes as (byte, how many), neighbours of one value joined."""
        byte, length = self.fill, 0
        for next_byte, next_length in self._pieces():
            if next_byte == byte:
                length += next_length
            else:
                if length:
                    yield byte, length
                byte, length = next_byte, next_length
        if length:
            yield byte, length

    def _pieces(self) -> Iterator[tuple[int, int]]:
        at = 0
        for number in sorted(self._pages):
            start = number * PAGE
            if start > at:
                yield self.fill, start - at
            page = self._pages[number][: self.size - start]
            if page == page[:1] * len(page):  # Most are, and this is much faster.
                yield page[0], len(page)
            else:
                for run in RUN.finditer(page):
                    yield run[1][0], run.end() - run.start()
            at = start + len(page)
        if at < self.size:
            yield self.fill, self.size - at

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sparse) or self.size != other.size:
            return False
        touched = self._pages.keys() | other._pages.keys()
        if self.fill != other.fill and len(touched) * PAGE < self.size:
            return False  # Somewhere both hold nothing but their fill.
        for number in touched:
            start, end = number * PAGE, min(self.size, (number + 1) * PAGE)
            if self.read(start, end) != other.read(start, end):
                return False
        return True

    def __hash__(self) -> int:
        raise TypeError("the contents of a child change; they cannot be hashed")

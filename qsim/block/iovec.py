# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMUIOVector: a request's buffers, one or several (util/iov.c)."""

from __future__ import annotations

from dataclasses import dataclass, field

from qsim.block.memory import Block, Ledger


@dataclass(frozen=True)
class Iov:
    """struct iovec: ``iov_len`` bytes at ``base`` in a block of the ledger."""

    block: Block
    base: int
    iov_len: int


@dataclass
class QEMUIOVector:
    """A vector of buffers; ``size`` is the sum of the elements' lengths, in bytes."""

    ledger: Ledger
    iov: list[Iov] = field(default_factory=list)

    @property
    def niov(self) -> int:
        """Number of elements."""
        return len(self.iov)

    @property
    def size(self) -> int:
        """Total length in bytes."""
        return sum(element.iov_len for element in self.iov)

    def add(self, block: Block, base: int, iov_len: int) -> None:
        """qemu_iovec_add()."""
        self.iov.append(Iov(block, base, iov_len))

    def element(self, i: int) -> bytes:
        """The bytes of element ``i``."""
        iov = self.iov[i]
        end = iov.base + iov.iov_len
        return bytes(self.ledger.use(iov.block, end).data[iov.base : end])

    def set_element(self, i: int, data: bytes) -> None:
        """memcpy() into element ``i``."""
        iov = self.iov[i]
        end = iov.base + iov.iov_len
        assert len(data) == iov.iov_len
        self.ledger.use(iov.block, end).data[iov.base : end] = data

    def to_bytes(self) -> bytes:
        """qemu_iovec_to_buf() of everything."""
        return b"".join(self.element(i) for i in range(self.niov))

    def from_bytes(self, data: bytes) -> None:
        """qemu_iovec_from_buf() of everything."""
        assert len(data) == self.size
        start = 0
        for i, iov in enumerate(self.iov):
            self.set_element(i, data[start : start + iov.iov_len])
            start += iov.iov_len


def qemu_iovec_init_buf(ledger: Ledger, block: Block, base: int, length: int) -> QEMUIOVector:
    """A vector of one element."""
    qiov = QEMUIOVector(ledger)
    qiov.add(block, base, length)
    return qiov


def qemu_iovec_init_slice(source: QEMUIOVector, offset: int, length: int) -> QEMUIOVector:
    """A vector over ``length`` bytes of ``source`` from ``offset``, sharing its buffers."""
    qiov = QEMUIOVector(source.ledger)
    for iov in source.iov:
        if offset >= iov.iov_len:
            offset -= iov.iov_len
            continue
        part = min(iov.iov_len - offset, length)
        if not part:
            break
        qiov.add(iov.block, iov.base + offset, part)
        length -= part
        offset = 0
    return qiov


def qemu_iovec_clone(source: QEMUIOVector, buf: Block) -> QEMUIOVector:
    """A vector of the same shape over ``buf``."""
    qiov = QEMUIOVector(source.ledger)
    base = 0
    for iov in source.iov:
        qiov.add(buf, base, iov.iov_len)
        base += iov.iov_len
    return qiov


def qemu_iovec_compare(a: QEMUIOVector, b: QEMUIOVector) -> int:
    """The offset of the first byte that differs, or -1."""
    assert a.niov == b.niov
    offset = 0
    for i in range(a.niov):
        left, right = a.element(i), b.element(i)
        assert len(left) == len(right)
        for j, (x, y) in enumerate(zip(left, right, strict=True)):
            if x != y:
                return offset + j
        offset += len(left)
    return -1

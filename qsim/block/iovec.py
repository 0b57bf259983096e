# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMUIOVector: a request's buffers, one or several (util/iov.c)."""

from __future__ import annotations

from dataclasses import dataclass, field

from qsim.block.memory import Block, Ledger, Undefined


@dataclass(frozen=True)
class Iov:
    """struct iovec: ``iov_len`` bytes at ``base`` in a block of the ledger."""

    block: Block
    base: int
    iov_len: int


@dataclass
class QEMUIOVector:
    """A vector of buffers; ``size`` is the sum of the elements' lengths, in bytes.

    ``home`` is the block the struct itself lies in, where its life matters, ``path`` how C writes
    it; ``array`` is the block of its elements, where they were allocated.
    """

    ledger: Ledger
    iov: list[Iov] = field(default_factory=list)
    home: Block | None = None
    path: str = "qiov"
    array: Block | None = None

    def use(self, name: str = "iov") -> None:
        """Look at a field of the struct: it must still be there, and so must its elements.

        :raise Undefined: when one of them is not.
        """
        if self.home is not None:
            self.ledger.use(self.home, what=f"{self.path}.{name}")
        if self.array is not None:
            self.ledger.use(self.array)

    @property
    def niov(self) -> int:
        """Number of elements."""
        self.use("niov")
        return len(self.iov)

    @property
    def size(self) -> int:
        """Total length in bytes."""
        self.use("size")
        return sum(element.iov_len for element in self.iov)

    def add(self, block: Block, base: int, iov_len: int) -> None:
        """qemu_iovec_add()."""
        self.iov.append(Iov(block, base, iov_len))

    def element(self, i: int) -> bytes:
        """The bytes of element ``i``, to be looked at.

        :raise Undefined: when some of them were never given a value.
        """
        block, start, end = self._span(i)
        if block.unset is not None and block.unset.find(1, start, end) >= 0:
            raise Undefined("use of what was never initialised", block.what)
        return bytes(block.data[start:end])

    def set_element(self, i: int, data: bytes) -> None:
        """memcpy() into element ``i``."""
        block, start, end = self._span(i)
        assert len(data) == end - start
        block.data[start:end] = data
        if block.unset is not None:
            block.unset[start:end] = bytes(end - start)

    def copy_element(self, i: int, source: QEMUIOVector) -> None:
        """memcpy() of element ``i`` of ``source``: what was never set stays so, unharmed."""
        block, start, end = self._span(i)
        theirs, first, last = source._span(i)
        assert end - start == last - first
        block.data[start:end] = theirs.data[first:last]
        if theirs.unset is not None or block.unset is not None:
            if block.unset is None:
                block.unset = bytearray(len(block.data))
            unset = bytes(last - first) if theirs.unset is None else theirs.unset[first:last]
            block.unset[start:end] = unset

    def _span(self, i: int) -> tuple[Block, int, int]:
        """The block of element ``i``, its start and its end there."""
        self.use()
        iov = self.iov[i]
        end = iov.base + iov.iov_len
        return self.ledger.use(iov.block, end), iov.base, end

    def to_bytes(self) -> bytes:
        """qemu_iovec_to_buf() of everything."""
        self.use()
        return b"".join(self.element(i) for i in range(self.niov))

    def from_bytes(self, data: bytes) -> None:
        """qemu_iovec_from_buf() of everything."""
        self.use()
        assert len(data) == self.size
        start = 0
        for i, iov in enumerate(self.iov):
            self.set_element(i, data[start : start + iov.iov_len])
            start += iov.iov_len


def qemu_iovec_init(qiov: QEMUIOVector) -> None:
    """An array of its own for the elements to come."""
    qiov.array = qiov.ledger.alloc(f"{qiov.path}.iov")


def qemu_iovec_destroy(qiov: QEMUIOVector) -> None:
    """Free the array of elements; one that was never made is NULL in zeroed memory."""
    if qiov.home is not None:
        qiov.ledger.use(qiov.home, what=qiov.path)
    qiov.ledger.free(qiov.array)
    qiov.array = None
    qiov.iov = []


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

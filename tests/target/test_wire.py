# SPDX-License-Identifier: GPL-2.0-or-later
"""How messages are put together from what arrives."""

from __future__ import annotations

from qsim.target.nbd_wire import Parser, Wire


class _Eights(Wire):
    """Messages of eight bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self._parser = self.parser()
        self._want = next(self._parser)

    def parser(self) -> Parser:
        """Collect them."""
        while True:
            self.seen.append((yield 8))

    def receive(self, data: bytes) -> None:
        """As asyncio does it."""
        self.get_buffer(-1)[: len(data)] = data
        self.buffer_updated(len(data))


def test_what_ends_in_the_middle_of_a_message_is_counted() -> None:
    wire = _Eights()
    wire.receive(b"one is 8")
    assert (wire.partial, wire.pieces) == (False, 0)
    wire.receive(b"two ")
    wire.receive(b"is")
    assert (wire.partial, wire.pieces) == (True, 2)
    # Its end leaves a trace: whoever has looked before and looks again knows that it came.
    wire.receive(b" 8")
    assert (wire.partial, wire.pieces) == (False, 2)
    assert wire.seen == [b"one is 8", b"two is 8"]

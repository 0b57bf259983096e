# SPDX-License-Identifier: GPL-2.0-or-later
"""What the export asks of its node, where no case can be large enough."""

from __future__ import annotations

from typing import Any

import pytest

from qsim.block import export
from qsim.block.export import Export
from qsim.block.flags import BDRV_REQUEST_MAX_BYTES, Req
from qsim.block.node import BdrvChild
from qsim.block.switches import ZEROES_AT_ONCE


class Node:
    """A node that any switch can be given."""

    def __init__(self, *switches: Any) -> None:
        self.world = self
        self.switches = frozenset(switches)
        self.ledger = None

    def bdrv_getlength(self) -> int:
        """Three GiB."""
        return 3 << 30


@pytest.mark.parametrize(
    ("switches", "parts"),
    [
        ((ZEROES_AT_ONCE,), [(512, 3 << 30)]),
        ((), [(512, BDRV_REQUEST_MAX_BYTES), (512 + BDRV_REQUEST_MAX_BYTES, (1 << 30) + 512)]),
    ],
)
def test_many_zeroes_are_one_request_or_two(
    monkeypatch: pytest.MonkeyPatch, switches: tuple[Any, ...], parts: list[tuple[int, int]]
) -> None:
    asked: list[tuple[int, int]] = []

    async def bdrv_co_pwritev(
        root: BdrvChild, offset: int, bytes_: int, qiov: None, flags: Req
    ) -> int:
        asked.append((offset, bytes_))
        return 0

    monkeypatch.setattr(export, "bdrv_co_pwritev", bdrv_co_pwritev)
    root: Any = type("Root", (), {"bs": Node(*switches)})()
    with pytest.raises(StopIteration):
        Export(root)._zero(512, 3 << 30, ()).send(None)
    assert asked == parts

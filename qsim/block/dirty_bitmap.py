# SPDX-License-Identifier: GPL-2.0-or-later
"""Which chunks of a node were written (block/dirty-bitmap.c, 7.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class BdrvDirtyBitmap:
    """BdrvDirtyBitmap: chunks of ``granularity`` bytes, by number.

    :param set_by_write: told when a write has set some.
    """

    granularity: int
    set_by_write: Callable[[], None] = lambda: None
    enabled: bool = True
    chunks: set[int] = field(default_factory=set)

    def _range(self, offset: int, bytes_: int) -> range:
        return range(offset // self.granularity, -(-(offset + bytes_) // self.granularity))

    def set(self, offset: int, bytes_: int) -> None:
        """bdrv_set_dirty_bitmap()."""
        self.chunks.update(self._range(offset, bytes_))

    def reset(self, offset: int, bytes_: int) -> None:
        """bdrv_reset_dirty_bitmap()."""
        self.chunks.difference_update(self._range(offset, bytes_))

    def get(self, offset: int) -> bool:
        """bdrv_dirty_bitmap_get()."""
        return offset // self.granularity in self.chunks

    def after_write(self, offset: int, bytes_: int) -> None:
        """bdrv_set_dirty(): the node was written, failed or not."""
        if self.enabled and bytes_:
            self.set(offset, bytes_)
            self.set_by_write()

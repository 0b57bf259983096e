# SPDX-License-Identifier: GPL-2.0-or-later
"""Fresh node names for every scenario, and the way back.

A scenario says ``c0``; on QEMU the node is ``c0__17``, so that no two scenarios share a window of
the event rate limiter, and a late event says whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


class Names:
    """The node names of one scenario, as scenario and as QEMU know them."""

    def __init__(self, names: Iterable[str], serial: int) -> None:
        self._names = set(names)
        self._suffix = f"__{serial}"
        self._back = re.compile(rf"\b([A-Za-z][A-Za-z0-9]*){re.escape(self._suffix)}\b")

    def real(self, name: str) -> str:
        """The name on QEMU."""
        return name + self._suffix

    def mine(self, name: object) -> bool:
        """Whether a name on QEMU belongs to this scenario."""
        return isinstance(name, str) and name.endswith(self._suffix)

    def out(self, value: Any) -> Any:
        """Arguments for QEMU: every string that is a node's name becomes the real one."""
        if isinstance(value, dict):
            return {key: self.out(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.out(item) for item in value]
        if isinstance(value, str) and value in self._names:
            return self.real(value)
        return value

    def back(self, value: Any) -> Any:
        """What QEMU said, in the scenario's names."""
        if isinstance(value, dict):
            return {self._back.sub(r"\1", key): self.back(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.back(item) for item in value]
        if isinstance(value, str):
            return self._back.sub(r"\1", value)
        return value

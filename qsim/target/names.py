# SPDX-License-Identifier: GPL-2.0-or-later
"""Fresh node names for every scenario, and the way back.

A scenario says ``c0``; on QEMU the node is ``c0__17``, so that no two scenarios share a window of
the event rate limiter, and a late event says whose it is.  A kept node has a name already, which
belongs to the scenario while it is lent to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


class Names:
    """The node names of one scenario, as scenario and as QEMU know them."""

    #: What may follow a name on QEMU and still belong to it, as a regular expression.
    TAIL = ""

    def __init__(self, names: Iterable[str], serial: int) -> None:
        self._names = set(names)
        self._suffix = f"__{serial}"
        self._lent: dict[str, str] = {}
        self._back: re.Pattern[str] | None = None

    def lend(self, name: str, real: str) -> None:
        """The scenario's ``name`` is the node ``real``."""
        self._lent[name] = real
        self._back = None

    def real(self, name: str) -> str:
        """The name on QEMU."""
        return self._lent.get(name) or name + self._suffix

    def mine(self, name: object) -> bool:
        """Whether a name on QEMU belongs to this scenario."""
        return isinstance(name, str) and (
            name.endswith(self._suffix) or name in self._lent.values()
        )

    def _scenario_name(self, match: re.Match[str]) -> str:
        real = match[0]
        for name, lent in self._lent.items():
            if lent == real:
                return name
        return real.partition(self._suffix)[0]

    def _translated(self, text: str) -> str:
        if self._back is None:
            own = rf"[A-Za-z][A-Za-z0-9]*{re.escape(self._suffix)}{self.TAIL}"
            # A job's name can have more in it than letters and digits.
            odd = [re.escape(self.real(name)) for name in self._names if not name.isalnum()]
            self._back = re.compile(rf"\b(?:{'|'.join([*odd, own, *self._lent.values()])})\b")
        return self._back.sub(self._scenario_name, text)

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
            return {self._translated(key): self.back(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.back(item) for item in value]
        if isinstance(value, str):
            return self._translated(value)
        return value

# SPDX-License-Identifier: GPL-2.0-or-later
"""What steps need to know of the scenario they are drawn for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qsim.scenario.content import parse_bytes
from qsim.scenario.load import DEFAULT_SIZE


@dataclass(frozen=True)
class Setting:
    """A scenario without its steps.

    :param names: all children, in order.
    :param spares: those that are not in the quorum at first.
    :param size: of the quorum node, in bytes.
    :param align: the largest block any node asks for, in bytes.
    :param rewrites: whether a read can write.
    :param changeable: whether a child can go.
    """

    names: tuple[str, ...]
    spares: tuple[str, ...]
    size: int
    align: int
    rewrites: bool
    changeable: bool

    @classmethod
    def of(cls, raw: dict[str, Any], names: tuple[str, ...]) -> Setting:
        """The setting of a raw case whose children are a list."""
        children = [child if isinstance(child, dict) else {} for child in raw["children"]]
        blocks = [child.get("block-size", raw.get("block-size", 1)) for child in children]
        above = raw["above"]["align"] if "above" in raw else 1
        return cls(
            names,
            tuple(raw.get("spares", ())),
            parse_bytes(raw.get("size", DEFAULT_SIZE)),
            max([above, *blocks]),
            # A nested node may rewrite too; that its option stands anywhere will do.
            "rewrite-corrupted" in str(raw["quorum"]),
            raw["quorum"].get("vote-threshold") == 1
            and "children" not in raw["quorum"]
            and len(children) - len(raw.get("spares", ())) > 1,
        )

# SPDX-License-Identifier: GPL-2.0-or-later
"""The quorum node of a case, as far as its options and the commands given tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from qsim.block.io import INT_MAX
from qsim.scenario.case import Case, Step


@dataclass(frozen=True)
class Quorum:
    """What the options of a node say: its children in their order, by edge and name."""

    edges: tuple[tuple[str, str], ...]
    next_edge: int
    threshold: int
    fifo: bool
    rewrites: bool

    @property
    def children(self) -> tuple[str, ...]:
        """The names of the children."""
        return tuple(child for _, child in self.edges)

    def after(self, case: Case, step: Step) -> Quorum | None:
        """The same behind a command that succeeded, None when it cannot be told."""
        arguments = step.arguments
        if step.command != "x-blockdev-change" or arguments.get("parent") != "q":
            return self
        if "node" in arguments:
            edge = (f"children.{self.next_edge}", arguments["node"])
            new = replace(self, edges=(*self.edges, edge), next_edge=self.next_edge + 1)
        else:
            gone = arguments.get("child")
            kept = tuple(edge for edge in self.edges if edge[0] != gone)
            last = gone == f"children.{self.next_edge - 1}"
            new = replace(self, edges=kept, next_edge=self.next_edge - last)
        return new if new.plain(case) else None

    def plain(self, case: Case) -> bool:
        """Whether each child is a scripted one that can be written, and there but once."""
        return len(set(self.children)) == len(self.edges) and all(
            isinstance(child, str)
            and child in case.children
            and not case.children[child].node.get("read-only")
            for child in self.children
        )


def quorum_of(case: Case) -> Quorum | None:
    """The quorum node of a case as it is opened, None when it cannot be told."""
    options: dict[str, Any] = case.options or {}
    children, threshold = options.get("children"), options.get("vote-threshold")
    if not isinstance(children, list) or not isinstance(threshold, int) or case.drive is not None:
        return None
    if abs(threshold) > INT_MAX:
        return None
    fifo = options.get("read-pattern", "quorum") != "quorum"
    edges = tuple((f"children.{i}", child) for i, child in enumerate(children))
    rewrites = bool(options.get("rewrite-corrupted")) and not fifo
    quorum = Quorum(edges, len(edges), threshold, fifo, rewrites)
    return quorum if all(isinstance(one, str) for one in children) and quorum.plain(case) else None

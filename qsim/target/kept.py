# SPDX-License-Identifier: GPL-2.0-or-later
"""Children's nodes that outlive a case and serve the next one.

Adding and deleting an NBD node is most of what a short case costs QEMU: a thread, a connection, a
negotiation, a flush.  A kept node is lent to one case after another, each time with a scripted
child of that case behind it.  It is kept only where nothing of the case can be left on it:

- the case adds, changes and deletes no nodes itself (it has no QMP steps);
- the child lives, and was never asked for its block status, of which QEMU keeps a cache, nor would
  have been if it told it;
- it is lent again when the limiter's window of its name is closed and all of the former case's
  events have come, so that no case sees another's window;
- nodes are lent in the order they were made, as QEMU walks them in that order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from qsim.scenario.case import Case, ChildSpec
from qsim.target.limiter import Windows

#: How many nodes of one process wait for a case at most.
MOST_IDLE = 48
#: What their names begin with; the process's number follows and the node's, higher if younger.
PREFIX = "kept"

#: All that QEMU learns of a child when it connects.
Key = tuple[int, int, frozenset[str], str]


def key_of(spec: ChildSpec) -> Key:
    """Children with one key can stand behind one node, one after the other."""
    options = json.dumps(spec.node, sort_keys=True)
    return len(spec.content.data), spec.block_size, spec.features, options


def can_keep(case: Case) -> bool:
    """Whether a case leaves its children's nodes as it found them."""
    steps = [part for step in case.steps for part in (step, *step.parts)]
    # Of a child that does not tell its status, QEMU remembers that it is all data.
    mute = any("block-status" not in child.features for child in case.children.values())
    return case.drive is None and not any(
        step.verb == "qmp" or step.meanwhile or (mute and step.verb == "block-status")
        for step in steps
    )


def number_of(node: str) -> int:
    """The place of a kept node in the order they were made."""
    return int(node.rpartition("x")[2])


@dataclass
class KeptNodes:
    """The kept nodes of one process."""

    #: The number of the process, as names are known to one server of children for all.
    process: int
    made: int = 0
    #: All that exist, by name, lent or not.
    keys: dict[str, Key] = field(default_factory=dict)
    #: Those that wait for a case, oldest first.
    idle: list[str] = field(default_factory=list)

    def lend(self, key: Key, after: int, windows: Windows) -> str | None:
        """A waiting node for a child with ``key``, made after number ``after``."""
        for node in self.idle:
            if (
                self.keys[node] == key
                and number_of(node) > after
                and windows.wait_s([f"QUORUM_REPORT_BAD {node}"]) <= 0
            ):
                self.idle.remove(node)
                return node
        return None

    def new(self, key: Key) -> str:
        """The name for a node to be made now."""
        self.made += 1
        node = f"{PREFIX}{self.process}x{self.made}"
        self.keys[node] = key
        return node

    def forget(self, node: str) -> None:
        """A node that serves nobody any more."""
        del self.keys[node]

    def give_back(self, nodes: list[str]) -> None:
        """A case is over, its late events included."""
        self.idle = sorted([*self.idle, *nodes], key=number_of)

    def surplus(self) -> list[str]:
        """Nodes to delete, as there are too many; they are forgotten here."""
        count = max(0, len(self.idle) - MOST_IDLE)
        gone, self.idle = self.idle[:count], self.idle[count:]
        for node in gone:
            del self.keys[node]
        return gone

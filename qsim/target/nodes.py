# SPDX-License-Identifier: GPL-2.0-or-later
"""The block nodes that a case makes in a process, and how they go again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from qsim.block.child import ScriptedChild
from qsim.scenario.case import ChildSpec
from qsim.target.kept import KeptNodes, key_of, number_of
from qsim.target.limiter import Windows
from qsim.target.names import Names
from qsim.target.nbd_server import Arrival, ChildServer
from qsim.target.process import QemuProcess

#: So many commands are given side by side: each must be answered within the harness's patience.
BATCH = 16


class Nodes:
    """The nodes of one case.

    :param kept: the process's kept nodes, where the case leaves them as they are.
    """

    def __init__(
        self, process: QemuProcess, server: ChildServer, names: Names, kept: KeptNodes | None
    ) -> None:
        self.process = process
        self.server = server
        self.names = names
        self.kept = kept
        #: Those to delete, in the order they were made.
        self.added: list[str] = []

    async def connect(
        self,
        specs: Mapping[str, ChildSpec],
        children: Mapping[str, ScriptedChild],
        arrived: Callable[[Arrival], None],
        windows: Windows,
    ) -> None:
        """Connect the children: to kept nodes where there are any, else to new ones."""
        new: list[str] = []
        youngest = -1
        for name, child in children.items():
            node = None
            if self.kept is not None:
                key = key_of(specs[name])
                node = self.kept.lend(key, youngest, windows) if not new else None
                self.names.lend(name, node or self.kept.new(key))
            if node is not None:
                self.server.lend(node, child, arrived)
                youngest = number_of(node)
            else:
                new.append(name)
                self.server.add(self.names.real(name), child, arrived)
        for some in _batches(new):
            await asyncio.gather(*(self._connect(name, specs[name].node) for name in some))

    async def _connect(self, name: str, options: Mapping[str, Any]) -> None:
        real = self.names.real(name)
        nbd = {
            "driver": "nbd",
            "node-name": real,
            "server": {"type": "unix", "path": self.server.path},
            "export": real,
        }
        await self.add(real, {**nbd, **options})

    async def add(self, real: str, options: dict[str, Any]) -> None:
        """Make a node; it goes when the case is over."""
        await self.process.execute("blockdev-add", options)
        self.added.append(real)

    def changed(self, command: str, arguments: Mapping[str, Any]) -> None:
        """A command of the case has succeeded: what nodes there are to delete in the end."""
        name = str(arguments.get("node-name"))
        if command == "blockdev-add" and name != self.names.real("q"):
            self.added.append(name)
        if command == "blockdev-del":
            self.added = [added for added in self.added if added != name]

    def keep(self, children: Mapping[str, ScriptedChild], examined: Collection[str]) -> list[str]:
        """Children's nodes that can serve another case are not deleted.

        :param examined: children that were asked for their block status.
        :return: the nodes that stay.
        """
        if self.kept is None:
            return []
        lent = []
        for name, child in children.items():
            real = self.names.real(name)
            if not child.dead and name not in examined:
                lent.append(real)
            elif real not in self.added:
                self.added.insert(0, real)
        self.added = [name for name in self.added if name not in lent]
        return lent

    async def delete(self) -> None:
        """Delete what was made, the youngest first, and of kept nodes those that are too many."""
        surplus = self.kept.surplus() if self.kept is not None else []
        for some in _batches([*surplus, *self.added][::-1]):
            commands = (self.process.execute("blockdev-del", {"node-name": one}) for one in some)
            await asyncio.gather(*commands)
        # Not before their nodes, which in 5.2 would connect again, and go at a bad moment for it.
        for name in surplus:
            self.server.remove(name)

    def forget(self, children: Collection[str], lent: Collection[str]) -> None:
        """Serve the children no more, but for those whose nodes stay."""
        for name in children:
            real = self.names.real(name)
            if real not in lent:
                self.server.remove(real)
                if self.kept is not None:
                    self.kept.forget(real)


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Names in groups: the last of very many commands would wait longer than one may."""
    for i in range(0, len(names), BATCH):
        yield names[i : i + BATCH]

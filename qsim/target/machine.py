# SPDX-License-Identifier: GPL-2.0-or-later
"""The process a case is played in: its drivers, its monitor and the guest's way in.

One for the driver with coroutines, one for 2014 with its callbacks; the rest of the model does
not know which it has.
"""

from __future__ import annotations

from typing import Any, Protocol

from qsim.block.blkdebug import BlkdebugNode, blkdebug_parse_perm_list
from qsim.block.coroutine import Coroutine
from qsim.block.error import QmpError
from qsim.block.export import Export, GuestReply
from qsim.block.export_2014 import Export2014
from qsim.block.monitor import Monitor, RunUntilDone
from qsim.block.monitor_2014 import Monitor2014
from qsim.block.nbd_2014 import Nbd2014Node
from qsim.block.nbd_node import NbdNode
from qsim.block.node import BdrvChild, BlockDriverState, World, bdrv_unref_child
from qsim.block.options import qdict_extract_subqdict
from qsim.block.qcow2 import Qcow2Node
from qsim.block.stage import Stage
from qsim.quorum.children import quorum_add_child, quorum_del_child
from qsim.quorum.node import QuorumNode
from qsim.quorum.node_2014 import Quorum2014Node
from qsim.quorum.options import quorum_open
from qsim.quorum.options_2014 import quorum_open as quorum_open_2014
from qsim.quorum.revisions import Revision


class Guest(Protocol):
    """Somebody who sends requests to an exported node."""

    async def request(
        self, op: str, offset: int, bytes_: int, data: bytes | None, flags: tuple[str, ...]
    ) -> GuestReply:
        """Send one request and wait for the reply."""


class Process(Protocol):
    """What a case needs of the process it is played in."""

    monitor: Monitor

    def export(self, name: str, writable: bool) -> Guest:
        """Let the guest in at a node."""

    def close(self) -> None:
        """End in an orderly way."""


class _Leaf:
    """Drivers without changeable children."""

    takes_children = False

    def add_child(self, bs: BlockDriverState, child: BlockDriverState) -> None:
        raise AssertionError("not a driver that takes children")

    def del_child(self, bs: BlockDriverState, child: BdrvChild) -> None:
        raise AssertionError("not a driver that takes children")


#: The classes of a leaf: over a scripted child, with a stage that holds its requests.
NbdClass = type[NbdNode] | type[Nbd2014Node]


class _NbdDriver(_Leaf):
    def __init__(self, world: World, stage: Stage[Any], leaf: NbdClass) -> None:
        self.world = world
        self.stage = stage
        self.leaf = leaf

    def new(self, node_name: str, options: dict[str, Any]) -> BlockDriverState:
        qdict_extract_subqdict(options, "server.")
        name = options.pop("export")
        if name not in self.stage.children:
            raise NotImplementedError(f"the scenario has no child {name!r}")
        child = self.stage.children[name]
        node = self.leaf(self.world, node_name, child, self.stage)
        node.options = {"export": child.name}
        return node

    def open(self, monitor: Monitor, bs: BlockDriverState, options: dict[str, Any]) -> None:
        assert isinstance(bs, NbdNode | Nbd2014Node)
        bs.connected()


class ImageNode(NbdNode):
    """An image whose child dies is found corrupt, and has no driver any more.

    Source: block/qcow2.c qcow2_signal_corruption() with ``fatal``; 7.2.
    """

    @property
    def has_driver(self) -> bool:
        """Whether it is still an image."""
        return not self.child.dead


class _ImageDriver(_Leaf):
    """An image file as a drive opens it: the format is probed, the child stands for both."""

    def __init__(self, world: World, stage: Stage[Any], leaf: NbdClass) -> None:
        self.world = world
        self.stage = stage
        self.leaf = leaf

    def new(self, node_name: str, options: dict[str, Any]) -> BlockDriverState:
        filename = options.pop("file.filename")
        if filename not in self.stage.children:
            raise QmpError(f"Could not open '{filename}': No such file or directory")
        node = self.leaf(self.world, filename, self.stage.children[filename], self.stage)
        if not node_name.startswith("#"):
            # Events name the file, also where the user has named the node.
            node.handle = node_name
        return node

    def open(self, monitor: Monitor, bs: BlockDriverState, options: dict[str, Any]) -> None:
        assert isinstance(bs, NbdNode | Nbd2014Node)
        bs.connected()


class _BlkdebugDriver(_Leaf):
    def __init__(self, world: World) -> None:
        self.world = world

    def new(self, node_name: str, options: dict[str, Any]) -> BlkdebugNode:
        return BlkdebugNode(
            self.world,
            node_name,
            options.pop("align", 0),
            blkdebug_parse_perm_list(options, "take-child-perms."),
            blkdebug_parse_perm_list(options, "unshare-child-perms."),
        )

    def open(self, monitor: Monitor, bs: BlockDriverState, options: dict[str, Any]) -> None:
        assert isinstance(bs, BlkdebugNode)
        monitor.bdrv_open_child(options, "image", bs)
        bs.opened()


class _Qcow2Driver(_Leaf):
    """An image over another node; opening it ends where its backing file is looked for."""

    def __init__(self, world: World) -> None:
        self.world = world

    def new(self, node_name: str, options: dict[str, Any]) -> Qcow2Node:
        return Qcow2Node(self.world, node_name)

    def open(self, monitor: Monitor, bs: BlockDriverState, options: dict[str, Any]) -> None:
        assert isinstance(bs, Qcow2Node)
        monitor.bdrv_open_child(options, "file", bs)
        names: list[str] = []

        async def read() -> None:
            names.append(await bs.read_metadata())

        monitor.run(Coroutine(read))
        try:
            if not names[0].startswith("/") and ":" not in names[0]:
                bs.file.bs.dirname()
            raise NotImplementedError("backing files are outside the model")
        except QmpError:
            monitor.run(Coroutine(bs.co_flush_and_forget))
            monitor.run(Coroutine(bs.inactivate))
            bdrv_unref_child(bs.file)
            raise


class _QuorumDriver:
    takes_children = True

    def __init__(self, world: World, revision: Revision) -> None:
        self.world = world
        self.revision = revision

    def new(self, node_name: str, options: dict[str, Any]) -> QuorumNode:
        node = QuorumNode(self.world, node_name, self.revision)
        node.options = dict(options)
        return node

    def open(self, monitor: Monitor, bs: BlockDriverState, options: dict[str, Any]) -> None:
        assert isinstance(bs, QuorumNode)
        quorum_open(bs, options, monitor.bdrv_open_child)

    def add_child(self, bs: BlockDriverState, child: BlockDriverState) -> None:
        assert isinstance(bs, QuorumNode)
        quorum_add_child(bs, child)

    def del_child(self, bs: BlockDriverState, child: BdrvChild) -> None:
        assert isinstance(bs, QuorumNode)
        quorum_del_child(bs, child)


class _Quorum2014Driver(_Leaf):
    def __init__(self, world: World, revision: Revision) -> None:
        self.world = world
        self.revision = revision

    def new(self, node_name: str, options: dict[str, Any]) -> Quorum2014Node:
        return Quorum2014Node(self.world, node_name, self.revision)

    def open(self, monitor: Monitor, bs: BlockDriverState, options: dict[str, Any]) -> None:
        assert isinstance(bs, Quorum2014Node)
        quorum_open_2014(bs, options, monitor.bdrv_open_child)


class Today:
    """The process of a release with coroutines."""

    def __init__(
        self, world: World, stage: Stage[Any], revision: Revision, run: RunUntilDone
    ) -> None:
        self.monitor = Monitor(
            world,
            {
                "nbd": _NbdDriver(world, stage, NbdNode),
                "blkdebug": _BlkdebugDriver(world),
                "qcow2": _Qcow2Driver(world),
                "": _ImageDriver(world, stage, ImageNode),
                "quorum": _QuorumDriver(world, revision),
            },
            run,
        )

    def export(self, name: str, writable: bool) -> Guest:
        """block-export-add."""
        return Export(self.monitor.export(name, writable))

    def close(self) -> None:
        """Nothing to do: no node holds memory of its own on the heap."""


class Of2014:
    """The process of the series' time."""

    def __init__(
        self, world: World, stage: Stage[Any], revision: Revision, run: RunUntilDone
    ) -> None:
        self.monitor: Monitor = Monitor2014(
            world,
            {
                "nbd": _NbdDriver(world, stage, Nbd2014Node),
                "": _ImageDriver(world, stage, Nbd2014Node),
                "quorum": _Quorum2014Driver(world, revision),
            },
            run,
        )

    def export(self, name: str, writable: bool) -> Guest:
        """nbd-server-add."""
        return Export2014(self.monitor.find(name), writable)

    def close(self) -> None:
        """bdrv_close_all()."""
        self.monitor.close_all()


def process_of(revision: Revision, world: World, stage: Stage[Any], run: RunUntilDone) -> Process:
    """The process a revision runs in."""
    kind = Of2014 if revision.engine == "callback" else Today
    return kind(world, stage, revision, run)

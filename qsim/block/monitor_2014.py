# SPDX-License-Identifier: GPL-2.0-or-later
"""The monitor of 2014: fewer commands, other texts (blockdev.c and block.c at a9db86b223)."""

from __future__ import annotations

from typing import Any

from qsim.block.error import QmpError
from qsim.block.io_2014 import bdrv_co_flush
from qsim.block.monitor import Monitor, no_command
from qsim.block.node import BdrvChild, BlockDriverState
from qsim.block.options import parse_drive, qdict_flatten
from qsim.block.switches import BDRV_CHILD, NODE_IMAGE_INFO, OPEN_ERROR_PLAIN

#: The commands of today's that there were.
COMMANDS_2014 = ("blockdev-add", "query-named-block-nodes")


def bdrv_attach_child(edge: BdrvChild) -> None:
    """bdrv_attach_child(): since 6e93e7c41f an edge has memory of its own."""
    world = edge.bs.world
    if BDRV_CHILD in world.switches:
        edge.memory = world.ledger.alloc("BdrvChild")


class Monitor2014(Monitor):
    """A node's name is also its device's ``id``: blockdev-add made devices."""

    def look_up(self, command: str) -> None:
        """Find a command.

        :raise QmpError: for what came later.
        """
        if command.startswith("block-job-"):
            raise NotImplementedError(f"{command}: there were jobs, which the model has not")
        if command not in COMMANDS_2014:
            raise no_command(command)

    def blockdev_add(self, **options: Any) -> dict[str, Any]:
        """qmp_blockdev_add(): a node and its device have one name here.

        :raise QmpError: of the open, with the device's name before it until e4342ce5a2.
        """
        name = options["node_name"]
        flat = qdict_flatten({key.replace("_", "-"): value for key, value in options.items()})
        self._open_device(flat, name).monitor_owned = True
        return {}

    def drive_add(self, text: str) -> str:
        """drive_new() of a ``-drive`` string; the handle of the node.

        :raise QmpError: with the text QEMU prints before it exits.
        """
        options: dict[str, Any] = dict(parse_drive(text))
        interface = options.pop("if", "ide")
        device = options.pop("id", "none0" if interface == "none" else f"{interface}0-hd0")
        return self._open_device(options, device).handle

    def _open_device(self, options: dict[str, Any], device: str) -> BlockDriverState:
        try:
            return self.open_node(options, device)
        except QmpError as error:
            if OPEN_ERROR_PLAIN in self.world.switches:
                raise
            text = f"could not open disk image {device}: {error.desc}"
            raise QmpError(text, error.ret) from error

    def open_node(
        self, options: dict[str, Any], device: str = "", parent: BlockDriverState | None = None
    ) -> BlockDriverState:
        """bdrv_open(): a node that is given no name has none.

        :raise QmpError: of the driver, or for a name taken or an option nobody used.
        """
        bs = super().open_node(options, device, parent)
        if "node-name" not in options:
            bs.node_name = ""
        return bs

    def query_named_block_nodes(self, flat: bool = False) -> list[dict[str, Any]]:
        """qmp_query_named_block_nodes(): without an image's size until d5a8ee60a0."""
        nodes = [node for node in super().query_named_block_nodes() if node["node-name"]]
        if NODE_IMAGE_INFO in self.world.switches:
            return nodes
        return [{**node, "image": {}} for node in nodes]

    def unsupported(self, bs: BlockDriverState, key: str) -> QmpError:
        """What is said of an option that nobody has used."""
        return QmpError(
            f"Block format '{bs.driver}' used by device '{bs.device_name}' doesn't support the "
            f"option '{key}'"
        )

    def bdrv_open_child(
        self, options: dict[str, Any], key: str, parent: BlockDriverState
    ) -> BdrvChild:
        """bdrv_open() or bdrv_open_image() of a child.

        :raise QmpError: when it cannot be opened.
        """
        edge = super().bdrv_open_child(options, key, parent)
        bdrv_attach_child(edge)
        return edge

    def inherit_options(self, generic: dict[str, Any], parent: BlockDriverState) -> None:
        """Nothing is: the driver passes its flags on to its children, of which none shows."""

    def check_options(self, generic: dict[str, Any]) -> None:
        """What is checked is the device's, in blockdev.c, and outside the model."""

    def forget(self, bs: BlockDriverState) -> None:
        """The free_and_fail path of bdrv_open_common(): the driver's .bdrv_close is not called."""
        del self.nodes[bs.handle]

    async def flush(self, bs: BlockDriverState) -> None:
        """bdrv_flush() of a node that is about to be closed."""
        await bdrv_co_flush(bs)

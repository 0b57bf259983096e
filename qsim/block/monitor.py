# SPDX-License-Identifier: GPL-2.0-or-later
"""The monitor of the model: the commands that build, change and take apart the graph.

Sources: blockdev.c, block.c (bdrv_open_inherit, bdrv_add_child, bdrv_del_child,
check_to_replace_node), block/qapi.c; 7.2.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from qsim.block.coroutine import Coroutine
from qsim.block.errno import number, strerror
from qsim.block.error import QmpError
from qsim.block.flags import Perm
from qsim.block.io import bdrv_co_flush
from qsim.block.job import BlockJob
from qsim.block.mirror import MirrorBlockJob, outside
from qsim.block.node import (
    BdrvChild,
    BlockDriverState,
    World,
    bdrv_attach_child,
    bdrv_root_attach,
    bdrv_root_detach,
    bdrv_unref_child,
)
from qsim.block.options import (
    parse_drive,
    qdict_extract_subqdict,
    qdict_first,
    qdict_flatten,
)
from qsim.block.switches import (
    CHILDREN_CLOSE_TOGETHER,
    CONFLICT_NAMES_BOTH,
    DEL_LOOKS_UP,
    DUPLICATE_NAMES_NODE,
    GRAPH_WRLOCK_FIRST,
    LOOKUP_QUOTES,
    REOPEN,
    REPLACE_LOOKS_UP,
)

#: The QMP commands the model takes.
COMMANDS = (
    "blockdev-add", "blockdev-del", "blockdev-reopen", "x-blockdev-change", "blockdev-mirror",
    "block-job-complete", "block-job-cancel", "query-named-block-nodes",
)  # fmt: skip

#: Runs coroutines (Coroutine) to their end while children are answered.
RunUntilDone = Callable[..., None]


class Driver(Protocol):
    """How the monitor opens a node of one driver and changes its children."""

    #: Whether it has .bdrv_add_child and .bdrv_del_child.
    takes_children: bool

    def new(self, node_name: str, options: dict[str, Any]) -> BlockDriverState:
        """bdrv_new() for the driver; what of ``options`` is used is taken out."""

    def open(self, monitor: Monitor, bs: BlockDriverState, options: dict[str, Any]) -> None:
        """.bdrv_open or .bdrv_file_open; what of ``options`` is used is taken out."""

    def add_child(self, bs: BlockDriverState, child: BlockDriverState) -> None:
        """.bdrv_add_child."""

    def del_child(self, bs: BlockDriverState, child: BdrvChild) -> None:
        """.bdrv_del_child."""


def no_command(command: str) -> QmpError:
    """What is said of a command there is not."""
    return QmpError(f"The command {command} has not been found", klass="CommandNotFound")


def no_add_child(bs: BlockDriverState) -> QmpError:
    """What a driver without .bdrv_add_child answers."""
    return QmpError(f"The node {bs.node_name} does not support adding a child")


def no_del_child(bs: BlockDriverState) -> QmpError:
    """What a driver without .bdrv_del_child answers."""
    return QmpError(f"The node {bs.node_name} does not support removing a child")


#: Options every node takes (bdrv_runtime_opts).
_GENERIC = (
    "node-name", "driver", "read-only", "auto-read-only", "force-share", "discard",
    "detect-zeroes", "cache.direct", "cache.no-flush",
)  # fmt: skip


def _on(options: dict[str, Any], key: str) -> bool:
    """Whether a boolean option is given and on; from a command line it is a word."""
    return options.get(key) in (True, "on")


class Monitor:
    """The graph of one process and the commands on it.

    :param drivers: by name; block itself knows no quorum.
    :param run: carries a coroutine to its end, answering children on the way.
    """

    def __init__(self, world: World, drivers: dict[str, Driver], run: RunUntilDone) -> None:
        self.world = world
        self.drivers = drivers
        self.run = run
        self.nodes: dict[str, BlockDriverState] = {}
        self._anonymous = 0
        self._job: BlockJob | None = None
        #: Those that are being opened, which nobody holds yet.
        self._opening: list[BlockDriverState] = []

    def execute(self, command: str, arguments: dict[str, Any]) -> Any:
        """Run a QMP command and give its return value.

        :raise QmpError: as QEMU would answer.
        """
        self.look_up(command)
        job = self.job
        if job is not None and job.deferred_to_main_loop:
            raise NotImplementedError(f"{command} while a job ends, which is not done before that")
        if job is not None and not job.idle and not command.startswith("block-job-"):
            raise NotImplementedError(f"{command} while a job copies, which would be paused")
        method = getattr(self, command.replace("-", "_"))
        return method(**{key.replace("-", "_"): arg for key, arg in arguments.items()})

    def look_up(self, command: str) -> None:
        """Find a command, which comes before its arguments are looked at.

        :raise QmpError: when the release has none of that name.
        """
        assert command in COMMANDS
        if command == "blockdev-reopen" and REOPEN not in self.world.switches:
            raise no_command(command)

    def find(self, name: str) -> BlockDriverState:
        """bdrv_lookup_bs() of a name that may be a device's or a node's.

        :raise QmpError: when there is none.
        """
        if name in self.nodes:
            return self.nodes[name]
        if LOOKUP_QUOTES in self.world.switches:
            raise QmpError(f"Cannot find device='{name}' nor node-name='{name}'")
        raise QmpError(f"Cannot find device={name} nor node_name={name}")

    def blockdev_add(self, **options: Any) -> dict[str, Any]:
        """qmp_blockdev_add()."""
        flat = qdict_flatten({key.replace("_", "-"): value for key, value in options.items()})
        if "node-name" not in flat:
            raise QmpError("'node-name' must be specified for the root node")
        self.open_node(flat).monitor_owned = True
        return {}

    def drive_add(self, text: str) -> str:
        """drive_new() of a ``-drive`` string; the name of the node.

        :raise QmpError: with the text QEMU prints before it exits.
        """
        options: dict[str, Any] = dict(parse_drive(text))
        device = options.pop("id", "none0")
        options.pop("if", None)
        return self.open_node(options, device).node_name

    def open_node(
        self, options: dict[str, Any], device: str = "", parent: BlockDriverState | None = None
    ) -> BlockDriverState:
        """bdrv_open_inherit() of a node with flattened ``options``.

        :param device: the name of the device it is opened for.
        :param parent: the node whose child it is, defined in place.
        :raise QmpError: of the driver, or for a name taken or an option nobody used.
        """
        options = dict(options)
        generic = {key: options.pop(key) for key in _GENERIC if key in options}
        if parent is not None:
            self.inherit_options(generic, parent)
        self.check_options(generic)
        name = generic.get("node-name")
        if name is None:
            self._anonymous += 1
            name = f"#block{self._anonymous:03d}"
        elif name in self.nodes:
            raise self.duplicate(name)
        # Without a driver it is an image file whose format is probed.
        driver = self.drivers.get(generic.get("driver", ""))
        if driver is None:
            raise NotImplementedError(f"driver {generic['driver']!r}")
        bs = driver.new(name, options)
        bs.read_only = _on(generic, "read-only")
        bs.auto_read_only = _on(generic, "auto-read-only")
        bs.force_share = _on(generic, "force-share")
        bs.unmap = generic.get("discard") in ("unmap", "on")
        bs.no_flush = _on(generic, "cache.no-flush")
        bs.detect_zeroes = generic.get("detect-zeroes", "off")
        bs.device_name = device
        # Known by its name from here on, also to what is opened below it.
        self.nodes[bs.handle] = bs
        self._opening.append(bs)
        try:
            driver.open(self, bs, options)
        except QmpError:
            del self.nodes[bs.handle]
            self._close_orphans()
            raise
        finally:
            self._opening.remove(bs)
        try:
            bs.refresh_total_sectors()
        except QmpError:
            self.forget(bs)
            raise
        try:
            if options:
                raise self.unsupported(bs, qdict_first(options))
        except QmpError:
            self._close(bs)
            raise
        return bs

    def inherit_options(self, generic: dict[str, Any], parent: BlockDriverState) -> None:
        """bdrv_inherited_options(): what a child defined in place has unless it is given.

        bdrv_co_pdiscard() and write-zeroes respect what each node says, so below all may unmap.
        """
        generic.setdefault("read-only", parent.read_only)
        generic.setdefault("auto-read-only", parent.auto_read_only)
        generic.setdefault("force-share", parent.force_share)
        generic.setdefault("cache.no-flush", parent.no_flush)
        generic.setdefault("discard", "unmap")

    def check_options(self, generic: dict[str, Any]) -> None:
        """What bdrv_open_common() checks before the driver is asked.

        :raise QmpError: for options that do not go together.
        """
        if _on(generic, "force-share") and not _on(generic, "read-only"):
            raise QmpError("force-share=on can only be used with read-only images")
        unmap = generic.get("discard") in ("unmap", "on")
        if generic.get("detect-zeroes") == "unmap" and not unmap:
            raise QmpError(
                "setting detect-zeroes to unmap is not allowed without setting discard operation "
                "to unmap"
            )

    def forget(self, bs: BlockDriverState) -> None:
        """Undo the open of a node whose length cannot be told; one that holds itself stays."""
        if not bs.parents:
            self._close(bs)

    def duplicate(self, name: str) -> QmpError:
        """What is said of a name that is taken."""
        if DUPLICATE_NAMES_NODE in self.world.switches:
            return QmpError(f"Duplicate nodes with node-name='{name}'")
        return QmpError("Duplicate node name")

    def unsupported(self, bs: BlockDriverState, key: str) -> QmpError:
        """What is said of an option that nobody has used."""
        return QmpError(f"Block format '{bs.driver}' does not support the option '{key}'")

    def bdrv_open_child(
        self, options: dict[str, Any], key: str, parent: BlockDriverState
    ) -> BdrvChild:
        """bdrv_open_child(): a reference or an inline definition under ``key``.

        :raise QmpError: when it cannot be opened or attached.
        """
        inline = qdict_extract_subqdict(options, f"{key}.")
        reference = options.pop(key, None)
        if reference is not None:
            if inline:
                raise QmpError(
                    "Cannot reference an existing block device with additional options "
                    "or a new filename"
                )
            return bdrv_attach_child(parent, self.find(reference), key)
        bs = self.open_node(inline, parent=parent)
        try:
            return bdrv_attach_child(parent, bs, key)
        except QmpError:
            self._close(bs)
            raise

    def blockdev_del(self, node_name: str) -> dict[str, Any]:
        """qmp_blockdev_del()."""
        if node_name not in self.nodes and DEL_LOOKS_UP not in self.world.switches:
            raise QmpError(f"Cannot find node {node_name}")
        bs = self._named(node_name)
        if any(edge.parent is None for edge in bs.parents):
            raise QmpError(f"Node {node_name} is in use")
        if not bs.monitor_owned:
            raise QmpError(f"Node {node_name} is not owned by the monitor")
        if bs.parents:
            raise QmpError(f"Block device {node_name} is in use")
        self._close(bs)
        return {}

    def _close(self, *closing: BlockDriverState) -> None:
        """bdrv_close(): flush, let the children go, and close those nobody holds."""
        self.run(*(Coroutine(partial(self.flush, bs)) for bs in closing))
        orphans: list[BlockDriverState] = []
        for bs in closing:
            del self.nodes[bs.handle]
            bs.close()
            for edge in list(bs.children)[::-1]:
                bdrv_unref_child(edge)
                if self._unheld(edge.bs):
                    orphans.append(edge.bs)
        self._close_all_of(orphans)

    def _close_all_of(self, orphans: list[BlockDriverState]) -> None:
        """Close nodes nobody holds any more: side by side, or one after the other."""
        if CHILDREN_CLOSE_TOGETHER in self.world.switches:
            if orphans:
                self._close(*orphans)
        else:
            for bs in orphans:
                self._close(bs)

    async def flush(self, bs: BlockDriverState) -> None:
        """bdrv_flush() of a node that is about to be closed."""
        await bdrv_co_flush(bs)

    def close_all(self) -> None:
        """bdrv_close_all(): what is left, parents before children."""
        while free := [bs for bs in self.nodes.values() if not bs.parents]:
            self._close(free[-1])

    def _close_orphans(self) -> None:
        """Close the nodes nobody holds any more after an open that failed."""
        self._close_all_of([bs for bs in self.nodes.values() if self._unheld(bs)])

    def _unheld(self, bs: BlockDriverState) -> bool:
        """Whether nobody has a reference to a node."""
        return not (bs.monitor_owned or bs.parents or bs in self._opening)

    def x_blockdev_change(
        self, parent: str, child: str | None = None, node: str | None = None
    ) -> dict[str, Any]:
        """qmp_x_blockdev_change()."""
        if GRAPH_WRLOCK_FIRST in self.world.switches:
            self.world.drained_begin()
        parent_bs = self.find(parent)
        if (child is None) == (node is None):
            if child is not None:
                raise QmpError("The parameters child and node are in conflict")
            raise QmpError("Either child or node must be specified")
        driver = self.drivers[parent_bs.driver]
        if child is not None:
            for edge in parent_bs.children:
                if edge.name == child:
                    if not driver.takes_children:
                        raise no_del_child(parent_bs)
                    driver.del_child(parent_bs, edge)
                    if self._unheld(edge.bs):
                        self._close(edge.bs)
                    return {}
            raise QmpError(f"Node '{parent}' does not have child '{child}'")
        assert node is not None
        if node not in self.nodes:
            raise QmpError(f"Node '{node}' not found")
        new_bs = self.nodes[node]
        if not driver.takes_children:
            raise no_add_child(parent_bs)
        if new_bs.parents:
            raise QmpError(f"The node {node} already has a parent")
        driver.add_child(parent_bs, new_bs)
        return {}

    def blockdev_reopen(self, options: list[dict[str, Any]]) -> dict[str, Any]:
        """qmp_blockdev_reopen() of nodes whose drivers have no .bdrv_reopen_prepare.

        :raise QmpError: always, as quorum is one of them: but each node is flushed before.
        """
        queue = []
        for one in options:
            if "node-name" not in one:
                raise QmpError("node-name not specified")
            queue.append(self._named(one["node-name"]))
        for bs in queue:
            ret = self._flush_now(bs)
            if ret < 0:
                raise QmpError(f"Error flushing drive: {strerror(-ret)}")
        if not queue or queue[0].driver != "quorum":
            raise NotImplementedError("blockdev-reopen of nothing, or of another node than quorum")
        bs = queue[0]
        raise QmpError(
            f"Block format '{bs.driver}' used by node '{bs.node_name}' does not support "
            "reopening files"
        )

    def _flush_now(self, bs: BlockDriverState) -> int:
        """bdrv_flush(): wait for it here."""
        rets: list[int] = []

        async def flush() -> None:
            rets.append(await bdrv_co_flush(bs))

        self.run(Coroutine(flush))
        return rets[0]

    def _named(self, node_name: str) -> BlockDriverState:
        if node_name not in self.nodes:
            raise QmpError(f"Failed to find node with node-name='{node_name}'")
        return self.nodes[node_name]

    def blockdev_mirror(
        self,
        device: str,
        target: str,
        job_id: str | None = None,
        replaces: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """qmp_blockdev_mirror().

        :raise QmpError: when a check fails.  Mirroring a node into itself is refused only after
            all others, so it tells of them without a job.
        """
        problem = outside(more)
        if problem is not None:
            raise NotImplementedError(problem)
        bs = self.find(device)
        if any(edge.parent is not None for edge in bs.parents):
            raise QmpError("Need a root block node")
        target_bs = self.find(target)
        if replaces is not None:
            if replaces not in self.nodes:
                if REPLACE_LOOKS_UP in self.world.switches:
                    raise QmpError(f"Failed to find node with node-name='{replaces}'")
                raise QmpError(f"Node name '{replaces}' not found")
            to_replace = self.nodes[replaces]
            if not self._recurse_can_replace(bs, to_replace):
                raise QmpError(
                    f"Cannot replace '{replaces}' by a node mirrored from '{device}', because "
                    "it cannot be guaranteed that doing so would not lead to an abrupt change "
                    "of visible data"
                )
            if to_replace.bdrv_getlength() != bs.bdrv_getlength():
                raise QmpError("cannot replace image with a mirror image of different size")
        if bs is target_bs:
            raise QmpError("Can't mirror node into itself")
        if self.job is not None or target_bs.parents:
            raise NotImplementedError("a second job, or a target in use")
        if job_id is None:
            raise NotImplementedError("a mirror without a job-id")
        self._job = MirrorBlockJob(
            job_id,
            bs,
            target_bs,
            replaces,
            more.get("granularity", 0),
            more.get("buf_size", 0),
            more.get("copy_mode") == "write-blocking",
            self.nodes.get,
        )
        self._job.start()
        return {}

    @property
    def job(self) -> BlockJob | None:
        """The block job there is."""
        return None if self._job is None or self._job.status == "null" else self._job

    def _find_job(self, device: str) -> BlockJob:
        """find_block_job().

        :raise QmpError: when there is none of that name.
        """
        if self.job is None or self.job.id != device:
            raise QmpError(f"Block job '{device}' not found", klass="DeviceNotActive")
        return self.job

    def block_job_complete(self, device: str) -> dict[str, Any]:
        """qmp_block_job_complete()."""
        self._find_job(device).user_complete()
        return {}

    def block_job_cancel(self, device: str, force: bool = False) -> dict[str, Any]:
        """qmp_block_job_cancel()."""
        self._find_job(device).user_cancel(force)
        return {}

    @staticmethod
    def _recurse_can_replace(bs: BlockDriverState, to_replace: BlockDriverState) -> bool:
        """bdrv_recurse_can_replace()."""
        return bs is to_replace or bs.recurse_can_replace(to_replace)

    def query_named_block_nodes(self, flat: bool = False) -> list[dict[str, Any]]:
        """The members of qmp_query_named_block_nodes() that a scenario looks at."""
        return [
            {
                "node-name": bs.node_name,
                "drv": bs.driver,
                "ro": bs.read_only,
                "file": "json:" + json.dumps(bs.full_open_options()),
                "image": {"virtual-size": bs.bdrv_getlength()},
            }
            for bs in self.nodes.values()
        ]

    def export(self, node_name: str, writable: bool) -> BdrvChild:
        """block-export-add: a BlockBackend on the node, for the guest.

        :raise QmpError: when the permissions do not allow it.
        """
        bs = self.find(node_name)
        if bs.read_only and writable:
            raise QmpError("Cannot export read-only node as writable", -number("EACCES"))
        perm = Perm.CONSISTENT_READ | (Perm.WRITE if writable else Perm.NONE)
        named = CONFLICT_NAMES_BOTH in self.world.switches
        user = "an unnamed block device" if named else "a block device"
        # nbd_export_create(): as long as there are clients, nobody else may resize it.
        return bdrv_root_attach(bs, user, perm, Perm.ALL & ~Perm.RESIZE)

    def unexport(self, edge: BdrvChild) -> None:
        """block-export-del."""
        bdrv_root_detach(edge)

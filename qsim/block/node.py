# SPDX-License-Identifier: GPL-2.0-or-later
"""Nodes, the edges between them, and the permissions on the edges (block.c)."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qsim.block.aio import AioContext
from qsim.block.coroutine import Coroutine
from qsim.block.dirty_bitmap import BdrvDirtyBitmap
from qsim.block.errno import number, strerror
from qsim.block.error import ProcessExit, QmpError
from qsim.block.events import Event
from qsim.block.flags import (
    BDRV_SECTOR_SIZE,
    DEFAULT_PERM_PASSTHROUGH,
    DEFAULT_PERM_UNCHANGED,
    Perm,
    Req,
    Status,
    bdrv_perm_names,
)
from qsim.block.iovec import QEMUIOVector
from qsim.block.memory import Block, Ledger
from qsim.block.switches import CONFLICT_NAMES_BOTH, CYCLE_REFUSED, NO_PERMISSIONS, Switch


@dataclass(eq=False)
class BdrvChild:
    """An edge of the graph: ``bs`` is used as child ``name`` by a parent node or a user.

    ``parent`` is None for a root edge, i.e. a BlockBackend's, and ``user`` then says whose, in
    the words of error texts.
    """

    bs: BlockDriverState
    name: str
    parent: BlockDriverState | None
    user: str = ""
    perm: Perm = Perm.NONE
    shared_perm: Perm = Perm.ALL
    #: Its own memory, where that shows.
    memory: Block | None = None

    @property
    def desc(self) -> str:
        """bdrv_child_user_desc(): who uses the node, for error texts."""
        return f"node '{self.parent.node_name}'" if self.parent else self.user


@dataclass
class Limits:
    """BlockLimits, in bytes; 0 is no limit."""

    request_alignment: int = 1
    max_transfer: int = 0
    max_pwrite_zeroes: int = 0


@dataclass
class World:
    """What all nodes of one process share: its release's ways, heap, event loop and events."""

    switches: frozenset[Switch] = frozenset()
    ledger: Ledger = field(default_factory=Ledger)
    aio: AioContext = field(default_factory=AioContext)
    events: list[Event] = field(default_factory=list)
    #: bdrv_drained_begin(): returns when no request is in flight.
    drained_begin: Callable[[], None] = lambda: None
    #: How many completions of the step there were so far, where somebody counts.
    completions: Callable[[], int | None] = lambda: None

    def emit(self, name: str, data: dict[str, Any]) -> None:
        """qapi_event_send_*(): an event, before any rate limit."""
        self.events.append(Event.of(name, data, self.completions()))


class BlockDriverState:
    """A node.  A driver is a subclass; what it leaves out, it does not support.

    ``options`` are the node's own options as given, used for its JSON file name.
    """

    driver = ""
    #: Whether the driver has .bdrv_co_pwrite_zeroes.
    has_pwrite_zeroes = False
    #: Whether the driver has .bdrv_co_block_status; without, everything is data.
    has_block_status = True
    #: Whether its flush is .bdrv_co_flush_to_disk, which the children's own follow.
    flushes_to_disk = False
    #: Whether block status is the child's, for the very range asked (BDRV_BLOCK_RAW).
    raw_block_status = False
    #: The strong runtime options, in the driver's order (.strong_runtime_opts).
    strong_runtime_opts: tuple[str, ...] = ()

    def __init__(self, world: World, node_name: str) -> None:
        self.world = world
        self.node_name = node_name
        self.options: dict[str, Any] = {}
        self.children: list[BdrvChild] = []
        self.parents: list[BdrvChild] = []
        self.dirty_bitmaps: list[BdrvDirtyBitmap] = []
        self.limits = Limits()
        self.total_sectors = 0
        #: Whether its driver is still opening it.
        self.opening = False
        self.read_only = False
        self.auto_read_only = False
        self.force_share = False
        self.unmap = False
        self.no_flush = False
        self.detect_zeroes = "off"
        self.supported_write_flags = Req.NONE
        self.supported_zero_flags = Req.NONE
        self.write_gen = 0
        self.flushed_gen = 0
        self.active_flush_req = False
        self.flush_queue: list[Coroutine] = []
        self.monitor_owned = False
        self.device_name = ""
        #: What the monitor knows it by; its name, unless it has none.
        self.handle = node_name

    # The driver's callbacks.

    async def co_preadv(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """.bdrv_co_preadv: 0 or a negative errno."""
        raise NotImplementedError

    async def co_pwritev(self, offset: int, bytes_: int, qiov: QEMUIOVector, flags: Req) -> int:
        """.bdrv_co_pwritev: 0 or a negative errno."""
        raise NotImplementedError

    async def co_pwrite_zeroes(self, offset: int, bytes_: int, flags: Req) -> int:
        """.bdrv_co_pwrite_zeroes: 0 or a negative errno."""
        raise NotImplementedError

    async def co_flush(self) -> int:
        """.bdrv_co_flush, .bdrv_co_flush_to_os or _to_disk: 0 or a negative errno."""
        raise NotImplementedError

    async def co_block_status(
        self, want_zero: bool, offset: int, bytes_: int
    ) -> tuple[int, Status, int]:
        """.bdrv_co_block_status: a negative errno or 0, the status bits and their length."""
        raise NotImplementedError

    def getlength(self) -> int:
        """.bdrv_getlength: bytes or a negative errno."""
        raise NotImplementedError

    def child_perm(self, perm: Perm, shared: Perm) -> tuple[Perm, Perm]:
        """.bdrv_child_perm: what is needed of and shared on each child (7.2 default: filter)."""
        return (
            perm & DEFAULT_PERM_PASSTHROUGH,
            (shared & DEFAULT_PERM_PASSTHROUGH) | DEFAULT_PERM_UNCHANGED,
        )

    def gather_child_options(self, target: dict[str, Any]) -> None:
        """.bdrv_gather_child_options: put the children's full options into ``target``."""
        for child in self.children:
            target[child.name] = child.bs.full_open_options()

    def dirname(self) -> str:
        """.bdrv_dirname.

        :raise QmpError: when the node has no base directory.
        """
        raise QmpError(f"Cannot generate a base directory for {self.driver} nodes")

    def close(self) -> None:
        """.bdrv_close: free what the driver holds; the children are let go by the caller."""

    def recurse_can_replace(self, to_replace: BlockDriverState) -> bool:
        """.bdrv_recurse_can_replace."""
        return False

    def bsc_invalidate_range(self, offset: int, bytes_: int) -> None:
        """bdrv_bsc_invalidate_range(): only nodes that cache block status care."""

    # Generic parts.

    @property
    def has_driver(self) -> bool:
        """Whether bs->drv is set."""
        return True

    @property
    def inserted(self) -> bool:
        """bdrv_is_inserted(): whether it has a driver, and so have all below it."""
        return all(bs.has_driver for bs in topological(self))

    def bdrv_getlength(self) -> int:
        """bdrv_getlength(): the cached length in bytes; not asked of the driver again."""
        if not self.inserted:
            return -number("ENOMEDIUM")
        return self.total_sectors * BDRV_SECTOR_SIZE

    def refresh_total_sectors(self) -> None:
        """refresh_total_sectors() on open.

        :raise QmpError: when the driver has no length.
        """
        length = self.getlength()
        if length < 0:
            raise QmpError(with_errno("Could not refresh total sector count", -length), length)
        self.total_sectors = -(-length // BDRV_SECTOR_SIZE)

    def full_open_options(self) -> dict[str, Any]:
        """bs->full_open_options after bdrv_refresh_filename(): strong options and children."""
        options: dict[str, Any] = {}
        for key in self.strong_runtime_opts:
            if key in self.options:
                options[key] = self.options[key]
        options["driver"] = self.driver
        self.gather_child_options(options)
        return options


def with_errno(text: str, errno: int) -> str:
    """error_setg_errno(): the text and what strerror() says."""
    return f"{text}: {strerror(errno)}"


def bdrv_get_cumulative_perm(bs: BlockDriverState) -> tuple[Perm, Perm]:
    """What all parents together need of a node, and what all of them share."""
    perm, shared = Perm.NONE, Perm.ALL
    for edge in bs.parents:
        perm |= edge.perm
        shared &= edge.shared_perm
    return perm, shared


def _conflict(bs: BlockDriverState) -> str | None:
    """bdrv_parent_perms_conflict(): the error text of the first pair that disagrees."""
    for a in bs.parents:
        for b in bs.parents:
            if a is b or (b.perm & a.shared_perm) == b.perm:
                continue
            names = bdrv_perm_names(b.perm & ~a.shared_perm)
            return (
                f"Permission conflict on node '{bs.node_name}': permissions '{names}' are "
                f"both required by {b.desc} (uses node '{bs.node_name}' as '{b.name}' child) "
                f"and unshared by {a.desc} (uses node '{bs.node_name}' as '{a.name}' child)."
            )
    return None


def bdrv_refresh_perms(bs: BlockDriverState) -> None:
    """Compute the permissions of everything below ``bs``; all of it or, on an error, nothing.

    :raise QmpError: on a conflict or a node that cannot be written.
    """
    if NO_PERMISSIONS in bs.world.switches:
        return
    saved: list[tuple[BdrvChild, Perm, Perm]] = []
    try:
        for node in topological(bs):
            _refresh_node(node, saved)
    except QmpError:
        for edge, perm, shared in reversed(saved):
            edge.perm, edge.shared_perm = perm, shared
        raise


def topological(bs: BlockDriverState) -> list[BlockDriverState]:
    """bdrv_topological_dfs(): parents before children, as the list is walked for permissions."""
    order: list[BlockDriverState] = []
    seen: set[int] = set()

    def visit(node: BlockDriverState) -> None:
        if id(node) in seen:
            return
        seen.add(id(node))
        for edge in node.children:
            visit(edge.bs)
        order.insert(0, node)

    visit(bs)
    return order


def _refresh_node(bs: BlockDriverState, saved: list[tuple[BdrvChild, Perm, Perm]]) -> None:
    conflict = _conflict(bs)
    if conflict:
        raise QmpError(conflict, -number("EPERM"))
    perm, shared = bdrv_get_cumulative_perm(bs)
    _check_writable(bs, perm)
    for edge in bs.children:
        saved.append((edge, edge.perm, edge.shared_perm))
        edge.perm, edge.shared_perm = bdrv_child_perm(bs, edge.bs, perm, shared)


def bdrv_child_perm(
    bs: BlockDriverState, child_bs: BlockDriverState, perm: Perm, shared: Perm
) -> tuple[Perm, Perm]:
    """bdrv_child_perm(): what the driver says, but a child with force-share is for everybody."""
    nperm, nshared = bs.child_perm(perm, shared)
    return nperm, Perm.ALL if child_bs.force_share else nshared


def _check_writable(bs: BlockDriverState, perm: Perm) -> None:
    """What bdrv_check_perm() and bdrv_node_check_perm() ask of a node that is to be written.

    :raise QmpError: when it cannot be.
    :raise ProcessExit: when it is still being opened and has no alignment yet: a division by zero.
    """
    if perm & (Perm.WRITE | Perm.WRITE_UNCHANGED):
        if bs.read_only:
            raise QmpError("Block node is read-only", -number("EPERM"))
        if not perm & Perm.RESIZE and bs.opening:
            raise ProcessExit(-signal.SIGFPE, "")
        if not perm & Perm.RESIZE and bs.bdrv_getlength() % bs.limits.request_alignment:
            raise QmpError(
                "Cannot get 'write' permission without 'resize': Image size is not a multiple "
                "of request alignment",
                -number("EPERM"),
            )


def _check_update_perm(
    bs: BlockDriverState, perm: Perm, shared: Perm, ignored: tuple[BdrvChild, ...] = ()
) -> None:
    """bdrv_check_update_perm() of 5.2: a new demand on ``bs`` is held against one user after the
    other, and what follows from it against those of its children, the newest first.

    :param ignored: the edges by which it came down here.
    :raise QmpError: naming the first user that does not allow it, or that it does not allow.
    :raise ProcessExit: where the demand does not share WRITE_UNCHANGED: an assertion.
    """
    if not shared & Perm.WRITE_UNCHANGED:
        raise ProcessExit(
            -signal.SIGABRT,
            "bdrv_check_update_perm: "
            "Assertion `new_shared_perm & BLK_PERM_WRITE_UNCHANGED' failed.",
        )
    cumulative, cumulative_shared = perm, shared
    for edge in bs.parents:
        if edge in ignored:
            continue
        user = edge.parent.node_name if edge.parent else edge.user
        text = f"Conflicts with use by {user} as '{edge.name}', which"
        if perm & ~edge.shared_perm:
            names = bdrv_perm_names(perm & ~edge.shared_perm)
            raise QmpError(f"{text} does not allow '{names}' on {bs.node_name}", -number("EPERM"))
        if edge.perm & ~shared:
            names = bdrv_perm_names(edge.perm & ~shared)
            raise QmpError(f"{text} uses '{names}' on {bs.node_name}", -number("EPERM"))
        cumulative |= edge.perm
        cumulative_shared &= edge.shared_perm
    _check_writable(bs, cumulative)
    for edge in bs.children:
        below = bdrv_child_perm(bs, edge.bs, cumulative, cumulative_shared)
        _check_update_perm(edge.bs, *below, (edge, *ignored))


def _check_attach(bs: BlockDriverState, perm: Perm, shared: Perm) -> None:
    """What is checked of a new user before it is one; nothing since 7.2, which then looks."""
    if not {NO_PERMISSIONS, CONFLICT_NAMES_BOTH} & bs.world.switches:
        _check_update_perm(bs, perm, shared)


def bdrv_attach_child(parent: BlockDriverState, bs: BlockDriverState, name: str) -> BdrvChild:
    """Make ``bs`` the child ``name`` of ``parent``.

    :raise QmpError: when it is above ``parent``, or the permissions do not allow it; nothing has
        changed then.
    """
    if CYCLE_REFUSED in parent.world.switches and bdrv_recurse_has_child(bs, parent):
        raise QmpError(
            f"Making '{bs.node_name}' a {name} child of '{parent.node_name}' would create a cycle"
        )
    _check_attach(bs, *bdrv_child_perm(parent, bs, *bdrv_get_cumulative_perm(parent)))
    edge = BdrvChild(bs, name, parent)
    # Both lists are LIFO in QEMU (QLIST_INSERT_HEAD).
    bs.parents.insert(0, edge)
    parent.children.insert(0, edge)
    try:
        bdrv_refresh_perms(parent)
    except QmpError:
        bs.parents.remove(edge)
        parent.children.remove(edge)
        raise
    return edge


def bdrv_recurse_has_child(bs: BlockDriverState, child: BlockDriverState) -> bool:
    """bdrv_recurse_has_child(): whether ``child`` is ``bs`` or below it."""
    return child in topological(bs)


def bdrv_unref_child(edge: BdrvChild) -> None:
    """Take a child away from its parent and let its permissions go."""
    assert edge.parent is not None
    edge.parent.children.remove(edge)
    edge.bs.parents.remove(edge)
    bdrv_refresh_perms(edge.bs)


def bdrv_replace_node(old: BlockDriverState, new: BlockDriverState) -> None:
    """bdrv_replace_node(): whoever uses ``old`` uses ``new`` instead, but for ``new`` itself.

    :raise QmpError: when the permissions do not allow it.
    """
    for edge in list(old.parents):
        if edge.parent is not new:
            old.parents.remove(edge)
            new.parents.insert(0, edge)
            edge.bs = new
    bdrv_refresh_perms(old)
    bdrv_refresh_perms(new)


def bdrv_append(new: BlockDriverState, top: BlockDriverState, name: str) -> None:
    """bdrv_append(): put ``new`` over ``top``, as its child ``name``, for all who use it.

    :raise QmpError: when the permissions do not allow it.
    """
    edge = BdrvChild(top, name, new)
    top.parents.insert(0, edge)
    new.children.insert(0, edge)
    bdrv_replace_node(top, new)


def bdrv_root_attach(bs: BlockDriverState, user: str, perm: Perm, shared: Perm) -> BdrvChild:
    """A BlockBackend takes the node.

    :raise QmpError: when the permissions do not allow it.
    """
    _check_attach(bs, perm, shared)
    edge = BdrvChild(bs, "root", None, user, perm, shared)
    bs.parents.insert(0, edge)
    try:
        bdrv_refresh_perms(bs)
    except QmpError:
        bs.parents.remove(edge)
        raise
    return edge


def bdrv_root_detach(edge: BdrvChild) -> None:
    """The BlockBackend lets the node go."""
    edge.bs.parents.remove(edge)
    bdrv_refresh_perms(edge.bs)

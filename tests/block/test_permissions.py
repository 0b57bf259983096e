# SPDX-License-Identifier: GPL-2.0-or-later
"""Permissions on the edges of the graph: who may write, and what a conflict is told as."""

from __future__ import annotations

from typing import Any

import pytest

from qsim.block.error import ProcessExit, QmpError
from qsim.block.flags import Perm
from qsim.block.node import (
    BdrvChild,
    BlockDriverState,
    World,
    bdrv_attach_child,
    bdrv_get_cumulative_perm,
    bdrv_root_attach,
    bdrv_root_detach,
    bdrv_unref_child,
)
from qsim.block.switches import CONFLICT_NAMES_BOTH, Switch

#: As 5.2 has it.
USER_BY_USER: frozenset[Switch] = frozenset()

READ, WRITE, RESIZE = Perm.CONSISTENT_READ, Perm.WRITE, Perm.RESIZE


class Leaf(BlockDriverState):
    """A node without children, 4096 bytes long."""

    driver = "leaf"

    def getlength(self) -> int:
        return 4096

    def gather_child_options(self, target: dict[str, Any]) -> None:
        """None."""


class Picky(Leaf):
    """A parent that shares neither writing nor resizing, as quorum does."""

    def child_perm(self, perm: Perm, shared: Perm) -> tuple[Perm, Perm]:
        return perm, shared & ~(WRITE | RESIZE)


def node(
    name: str,
    kind: type[BlockDriverState] = Leaf,
    switches: frozenset[Switch] = frozenset({CONFLICT_NAMES_BOTH}),
    **attributes: Any,
) -> BlockDriverState:
    """An opened node."""
    bs = kind(World(switches), name)
    for key, value in attributes.items():
        setattr(bs, key, value)
    bs.refresh_total_sectors()
    return bs


def guest(bs: BlockDriverState, perm: Perm = READ | WRITE, shared: Perm = Perm.ALL) -> BdrvChild:
    """A user of the node."""
    return bdrv_root_attach(bs, f"guest of {bs.node_name}", perm, shared)


def refusal(act: Any, *arguments: Any) -> str:
    """The text something is refused with."""
    with pytest.raises(QmpError) as caught:
        act(*arguments)
    return caught.value.desc


def test_users_that_share_all_can_be_many() -> None:
    bs = node("n")
    guest(bs)
    guest(bs, READ)
    assert bdrv_get_cumulative_perm(bs) == (READ | WRITE, Perm.ALL)


def test_user_that_does_not_share_what_another_needs_is_refused() -> None:
    bs = node("n")
    guest(bs)
    assert refusal(guest, bs, READ, Perm.ALL & ~WRITE) == (
        "Permission conflict on node 'n': permissions 'write' are both required by guest of n "
        "(uses node 'n' as 'root' child) and unshared by guest of n (uses node 'n' as 'root' child)."
    )


def test_user_that_needs_what_another_does_not_share_is_refused() -> None:
    bs = node("n")
    guest(bs, READ, READ)
    assert "permissions 'write, resize' are both required by" in refusal(
        guest, bs, READ | WRITE | RESIZE
    )


def test_refused_user_leaves_nothing_behind() -> None:
    bs = node("n")
    first = guest(bs, READ, READ)
    refusal(guest, bs)
    assert bs.parents == [first]
    bdrv_root_detach(first)
    guest(bs)


def test_writer_of_a_read_only_node_is_refused() -> None:
    bs = node("n", read_only=True)
    assert refusal(guest, bs) == "Block node is read-only"
    guest(bs, READ)


def test_writer_of_a_node_that_ends_within_a_block_is_refused() -> None:
    bs = node("n")
    bs.limits.request_alignment = 8192
    assert refusal(guest, bs) == (
        "Cannot get 'write' permission without 'resize': Image size is not a multiple of "
        "request alignment"
    )
    guest(bs, READ | WRITE | RESIZE)


def test_permissions_go_down_to_the_children_and_are_given_back() -> None:
    parent, below = node("p", Picky), node("n")
    edge = bdrv_attach_child(parent, below, "file")
    assert (edge.perm, edge.shared_perm & WRITE) == (Perm.NONE, Perm.NONE)
    user = guest(parent)
    assert edge.perm == READ | WRITE
    bdrv_root_detach(user)
    assert edge.perm == Perm.NONE


def test_writing_through_one_parent_conflicts_with_another_that_does_not_share() -> None:
    left, right, below = node("l", Picky), node("r", Picky), node("n")
    bdrv_attach_child(left, below, "children.0")
    bdrv_attach_child(right, below, "children.1")
    assert refusal(guest, left) == (
        "Permission conflict on node 'n': permissions 'write' are both required by node 'l' "
        "(uses node 'n' as 'children.0' child) and unshared by node 'r' "
        "(uses node 'n' as 'children.1' child)."
    )
    guest(left, READ)
    guest(right, READ)


def test_attaching_to_a_parent_that_does_not_share_what_others_need_is_refused() -> None:
    left, right, below = node("l", Picky), node("r", Picky), node("n")
    bdrv_attach_child(left, below, "file")
    guest(left)
    assert refusal(bdrv_attach_child, right, below, "file").startswith("Permission conflict on")
    assert (right.children, len(below.parents)) == ([], 1)


def test_refused_write_leaves_the_permissions_below_as_they_were() -> None:
    left, right, below = node("l", Picky), node("r", Picky), node("n")
    edges = [bdrv_attach_child(parent, below, "file") for parent in (left, right)]
    guest(left, READ)
    before = [(edge.perm, edge.shared_perm) for edge in edges]
    refusal(guest, right)
    assert [(edge.perm, edge.shared_perm) for edge in edges] == before


def test_one_node_twice_below_one_parent_conflicts_with_itself_when_written() -> None:
    parent, below = node("p", Picky), node("n")
    for i in range(2):
        bdrv_attach_child(parent, below, f"children.{i}")
    guest(parent, READ)
    text = refusal(guest, parent)
    assert text.startswith("Permission conflict on node 'n': permissions 'write' are both required")


def test_attaching_a_child_that_cannot_be_written_to_a_written_parent_is_refused() -> None:
    parent, below = node("p", Picky), node("n", read_only=True)
    guest(parent)
    assert refusal(bdrv_attach_child, parent, below, "file") == "Block node is read-only"
    assert (parent.children, below.parents) == ([], [])


def test_child_taken_away_can_be_written_by_others_again() -> None:
    left, right, below = node("l", Picky), node("r", Picky), node("n")
    edge = bdrv_attach_child(left, below, "file")
    bdrv_attach_child(right, below, "file")
    refusal(guest, right)
    bdrv_unref_child(edge)
    guest(right)
    assert len(below.parents) == 1


# User by user, as up to 5.2.


def test_the_first_user_a_demand_conflicts_with_is_named() -> None:
    bs = node("n", switches=USER_BY_USER)
    guest(bs)
    assert refusal(guest, bs, READ, Perm.ALL & ~WRITE) == (
        "Conflicts with use by guest of n as 'root', which uses 'write' on n"
    )


def test_what_a_user_does_not_share_comes_before_what_it_needs() -> None:
    bs = node("n", switches=USER_BY_USER)
    guest(bs, READ | WRITE, READ | Perm.WRITE_UNCHANGED)
    assert refusal(guest, bs, READ | WRITE | RESIZE, READ | Perm.WRITE_UNCHANGED) == (
        "Conflicts with use by guest of n as 'root', which does not allow 'write, resize' on n"
    )


def test_who_cannot_bear_unchanged_writes_ends_the_process() -> None:
    with pytest.raises(ProcessExit, match="BLK_PERM_WRITE_UNCHANGED' failed"):
        guest(node("n", switches=USER_BY_USER), READ, READ)
    guest(node("n"), READ, READ)


def test_a_demand_is_followed_down_to_the_node_it_conflicts_on() -> None:
    left, right, below = (
        node(name, kind, USER_BY_USER) for name, kind in (("l", Picky), ("r", Picky), ("n", Leaf))
    )
    edge = bdrv_attach_child(left, below, "children.0")
    bdrv_attach_child(right, below, "children.1")
    assert refusal(guest, left) == (
        "Conflicts with use by r as 'children.1', which does not allow 'write' on n"
    )
    assert (left.parents, edge.perm) == ([], Perm.NONE)
    guest(left, READ)


def test_a_node_that_cannot_be_written_is_met_on_the_way_down() -> None:
    parent, below = (
        node("p", Picky, USER_BY_USER),
        node("n", switches=USER_BY_USER, read_only=True),
    )
    bdrv_attach_child(parent, below, "file")
    assert refusal(guest, parent) == "Block node is read-only"

# SPDX-License-Identifier: GPL-2.0-or-later
"""Behaviours that differ between releases, each named once, with where it was seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Switch:
    """A behaviour a revision can have.

    :param name: what it does, for reports.
    :param source: the function and release, or the commit, that brought it.
    """

    name: str
    source: str


UNMAP_AT_EVERY_NODE = Switch(
    "write-zeroes loses MAY_UNMAP at every node opened without discard=unmap, not only where "
    "bdrv_co_pwrite_zeroes() is called",
    "block/io.c bdrv_co_do_pwrite_zeroes(), between 7.2 and 10.0",
)

CHILDREN_CLOSE_TOGETHER = Switch(
    "the children that go with a node are closed side by side, not one after the other: each "
    "waits for its flush in a loop that starts the next",
    "block.c bdrv_unref_child() and bdrv_schedule_unref(), seen on 10.0",
)

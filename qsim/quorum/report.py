# SPDX-License-Identifier: GPL-2.0-or-later
"""The events of the driver, with their fields as C computes them (block/quorum.c, 7.2)."""

from __future__ import annotations

from qsim.block.errno import strerror
from qsim.block.flags import BDRV_SECTOR_SIZE
from qsim.block.node import World


def _sectors(offset: int, bytes_: int) -> tuple[int, int]:
    """First sector and number of sectors an event names: rounded out, in 512-byte sectors."""
    start = offset // BDRV_SECTOR_SIZE
    end = -(-(offset + bytes_) // BDRV_SECTOR_SIZE)
    return start, end - start


def quorum_report_bad(
    world: World, op_type: str, offset: int, bytes_: int, node_name: str, ret: int
) -> None:
    """quorum_report_bad(): QUORUM_REPORT_BAD, with an error text when ``ret`` is an errno."""
    start, count = _sectors(offset, bytes_)
    data: dict[str, object] = {
        "type": op_type,
        "node-name": node_name,
        "sector-num": start,
        "sectors-count": count,
    }
    if ret < 0:
        data["error"] = strerror(-ret)
    world.emit("QUORUM_REPORT_BAD", data)


def quorum_report_failure(world: World, reference: str, offset: int, bytes_: int) -> None:
    """quorum_report_failure(): QUORUM_FAILURE, naming the device or else the node."""
    start, count = _sectors(offset, bytes_)
    world.emit(
        "QUORUM_FAILURE",
        {"reference": reference, "sector-num": start, "sectors-count": count},
    )


def quorum_report_bad_2014(
    world: World, sector_num: int, nb_sectors: int, node_name: str, ret: int
) -> None:
    """quorum_report_bad() up to mid-2015: in sectors as asked, and what failed is not said."""
    data: dict[str, object] = {
        "node-name": node_name,
        "sector-num": sector_num,
        "sectors-count": nb_sectors,
    }
    if ret < 0:
        data["error"] = strerror(-ret)
    world.emit("QUORUM_REPORT_BAD", data)


def quorum_report_failure_2014(
    world: World, reference: str, sector_num: int, nb_sectors: int
) -> None:
    """quorum_report_failure() up to mid-2015: the device's name, else the node's."""
    world.emit(
        "QUORUM_FAILURE",
        {"reference": reference, "sector-num": sector_num, "sectors-count": nb_sectors},
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""The shapes a QEMU comes in: the system emulator and the storage daemon.

Both have the block layer, QMP and exports.  The daemon has no command line for drives and no
human monitor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from qsim.scenario.case import Case
from qsim.target.spawn import end, spawn

#: How long a binary may take to say its version, in seconds; one that does not is tried anyway.
VERSION_S = 1.5


@dataclass(frozen=True)
class Shape:
    """How a kind of binary is started without a guest, with QMP on a socket of ours.

    :param says: how its answer to ``--version`` begins.
    :param export: what every export of it has besides.
    :param no_drive: why it cannot play ``-drive`` cases, "" when it can.
    """

    name: str
    says: str
    arguments: Callable[[str], list[str]]
    export: Mapping[str, Any] = field(default_factory=dict)
    no_drive: str = ""

    def unsupported(self, case: Case) -> str:
        """Why a case cannot be played on it; "" when it can."""
        return self.no_drive if case.drive is not None else ""


SYSTEM = Shape(
    "qemu-system",
    "QEMU emulator",
    lambda path: [
        *("-M", "none", "-nodefaults", "-display", "none"),
        *("-chardev", f"socket,id=qmp,path={path}"),
        *("-mon", "chardev=qmp,mode=control"),
    ],
)
DAEMON = Shape(
    "qemu-storage-daemon",
    "qemu-storage-daemon",
    lambda path: [
        *("--chardev", f"socket,id=qmp,path={path}"),
        *("--monitor", "chardev=qmp"),
    ],
    no_drive="qemu-storage-daemon has no -drive",
)


def in_iothread(shape: Shape) -> Shape:
    """The same kind of binary, with every export in an IOThread, its nodes with it."""
    return replace(
        shape,
        arguments=lambda path: ["--object", "iothread,id=io", *shape.arguments(path)],
        export={"iothread": "io", "fixed-iothread": True},
    )


async def shape_of(binary: str) -> Shape:
    """What kind of binary this is, by what it says to ``--version``.

    Whatever says nothing is taken for a system emulator; its start will tell.
    """
    try:
        process = await spawn(
            binary,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return SYSTEM
    try:
        async with asyncio.timeout(VERSION_S):
            said, _ = await process.communicate()
    except TimeoutError:
        return SYSTEM
    finally:
        await end(process)
    return DAEMON if said.decode(errors="replace").startswith(DAEMON.says) else SYSTEM

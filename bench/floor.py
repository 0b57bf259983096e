# SPDX-License-Identifier: GPL-2.0-or-later
"""The floor: the QMP commands and NBD connections of one scenario, nothing held or checked.

Three children, a quorum node, an export, a guest that connects and reads once, and all of it
taken down again.  The children answer at once, in whatever order QEMU asks.
"""

from __future__ import annotations

import asyncio
import time

from qsim.block.child import ScriptedChild
from qsim.block.sparse import Sparse
from qsim.target.nbd_client import GuestConnection
from qsim.target.nbd_server import Arrival, ChildServer
from qsim.target.process import QemuProcess
from qsim.target.workdir import WorkDir

SIZE = 64 * 1024
CHILDREN = 3


async def floor(binary: str, processes: int, runs: int) -> float:
    """Runs per second over ``processes`` side by side, ``runs`` each."""
    workdir = WorkDir()
    server = ChildServer(str(workdir.path / "children.sock"))
    await server.start()
    started = [QemuProcess(binary, workdir, number) for number in range(processes)]
    try:
        for process in started:
            await process.start()
            await process.prepare()
        began = time.perf_counter()
        await asyncio.gather(*(_many(process, server, runs) for process in started))
        return processes * runs / (time.perf_counter() - began)
    finally:
        for process in started:
            await process.stop()
        await server.close()
        workdir.close()


async def _many(process: QemuProcess, server: ChildServer, runs: int) -> None:
    for i in range(runs):
        await _once(process, server, f"{process.number}x{i}")


async def _once(process: QemuProcess, server: ChildServer, serial: str) -> None:
    names = [f"c{i}__{serial}" for i in range(CHILDREN)]
    for name in names:
        child = ScriptedChild(name, Sparse(SIZE, 65))

        def answer(arrival: Arrival, child: ScriptedChild = child) -> None:
            arrival.answer(child.complete(arrival.request))

        server.add(name, child, answer)
    for name in names:
        await process.execute(
            "blockdev-add",
            {
                "driver": "nbd",
                "node-name": name,
                "server": {"type": "unix", "path": server.path},
                "export": name,
            },
        )
    top = f"q__{serial}"
    await process.execute(
        "blockdev-add",
        {"driver": "quorum", "node-name": top, "children": names, "vote-threshold": 2},
    )
    await process.execute(
        "block-export-add",
        {"type": "nbd", "id": top, "node-name": top, "name": top, "writable": True},
    )
    guest = await GuestConnection.connect(process.nbd_path, top, 10)
    await guest.submit("read", 0, 512)
    guest.close()
    mark = process.events.mark()
    await process.execute("block-export-del", {"id": top, "mode": "hard"})
    while not any(event.data.get("id") == top for event in process.events.since(mark)):
        process.changed.clear()
        await process.changed.wait()
    process.events.forget(process.events.mark())
    for name in [top, *names]:
        await process.execute("blockdev-del", {"node-name": name})
    for name in names:
        server.remove(name)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Nodes that outlive a case, when there are too many of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from qsim.scenario import Case
from qsim.target import kept
from qsim.target.nbd_server import ChildServer
from qsim.target.pool import Pool
from qsim.target.process import QemuProcess

#: Children of another size in each case: no node can serve another one.
CASES = "".join(
    f"""
    - name: size {size}
      children: [{{contents: A, size: {size}}}]
      quorum: {{vote-threshold: 1}}
      steps:
      - read: [0, 512]
        expect: {{ret: 0, data: A, requests: all}}
    """
    for size in (512, 1024, 1536)
)


def test_a_node_goes_before_what_serves_it(
    qemu: str, load: Callable[[str], list[Case]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # 5.2 connects again as soon as its server has gone, and an assertion of qemu_set_nonblock()
    # fails when the node goes at that moment (block/nbd.c nbd_free_connect_thread()).
    monkeypatch.setattr(kept, "MOST_IDLE", 1)
    seen: list[tuple[str, str]] = []
    execute, remove = QemuProcess.execute, ChildServer.remove

    async def noted(self: QemuProcess, command: str, arguments: dict[str, Any]) -> Any:
        reply = await execute(self, command, arguments)
        if command == "blockdev-del":
            seen.append((command, arguments["node-name"]))
        return reply

    def removed(self: ChildServer, export: str) -> None:
        seen.append(("remove", export))
        remove(self, export)

    monkeypatch.setattr(QemuProcess, "execute", noted)
    monkeypatch.setattr(ChildServer, "remove", removed)

    async def run() -> None:
        pool = Pool(qemu, 1)
        try:
            await pool.start()
            for case in load(CASES):
                await pool.run(case)
        finally:
            await pool.close()

    asyncio.run(run())
    gone = [node for what, node in seen if what == "remove" and node.startswith(kept.PREFIX)]
    assert gone
    for node in gone:
        assert ("blockdev-del", node) in seen[: seen.index(("remove", node))]

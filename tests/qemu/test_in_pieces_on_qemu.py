# SPDX-License-Identifier: GPL-2.0-or-later
"""A large reply that a socket takes in pieces, and a harness that is slow between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from qsim.outcome import between
from qsim.quorum.revisions import nearest
from qsim.scenario import Case
from qsim.target import nbd_proto as nbd
from qsim.target.model import run_model
from qsim.target.nbd_server import Connection
from qsim.target.pool import Pool

#: Who has read its reply waits for who reads next: c1 is flushed only when the write is answered.
#: A reader that has seen only the beginning of its reply lets it go on before.
THREE_AT_ONCE = """
    - name: a large read among others
      children: [A, B]
      size: 1M
      quorum: {vote-threshold: 1}
      steps:
      - together: [{flush: true}, {read: [0, 131072]}, {write: [512, 512, B]}]
        expect:
          answers: [{ret: 0}, {ret: 0, data: B}, {ret: 0}]
          finish: [1, 2, 0]
          requests:
          - c0 flush, c0 read 0 131072, c0 write 512 512, c1 read 0 131072, c1 write 512 512
          - c1 flush
          events: [QUORUM_REPORT_BAD read c0 0 256]
      contents: {c0: A:512 B:512 A, c1: B}
"""


def test_a_reply_is_seen_whole_or_not_at_all(
    qemu: str, load: Callable[[str], list[Case]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (case,) = load(THREE_AT_ONCE)
    whole = Connection._send_chunk

    def in_pieces(self: Connection, cookie: int, kind: int, payload: bytes) -> None:
        if len(payload) < 65536:
            whole(self, cookie, kind, payload)
            return
        head = nbd.CHUNK.pack(nbd.CHUNK_MAGIC, nbd.CHUNK_DONE, kind, cookie, len(payload))
        self.transport.write(head + payload[:4096])
        time.sleep(0.05)
        self.transport.write(payload[4096:])

    monkeypatch.setattr(Connection, "_send_chunk", in_pieces)

    async def run() -> list[str]:
        pool = Pool(qemu, 1)
        try:
            await pool.start()
            outcome = await pool.run(case)
            model = run_model(case, nearest(pool.version))
            return [str(one) for one in between(model, outcome)]
        finally:
            await pool.close()

    assert asyncio.run(run()) == []

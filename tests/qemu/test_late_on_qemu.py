# SPDX-License-Identifier: GPL-2.0-or-later
"""Events that QEMU's rate limiter holds, and a harness that is late to look at the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from qsim.scenario import Case
from qsim.target.limiter import MARGIN_S
from qsim.target.pool import Pool
from qsim.target.process import QemuProcess

TWO_LIKE_EVENTS = """
    - name: two like events
      children: [A, B]
      quorum: {vote-threshold: 1, children: [c0, c0, c1]}
      guest: read-only
      steps:
      - read: [0, 512]
        faults: {c0: EIO x2}
        expect:
          ret: 0
          data: B
          requests: all
          events: [QUORUM_REPORT_BAD read c0 0 1 EIO, QUORUM_REPORT_BAD read c0 0 1 EIO]
"""


def test_the_second_of_two_like_events_is_never_missed(
    qemu: str, load: Callable[[str], list[Case]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (case,) = load(TWO_LIKE_EVENTS)
    timers_ran = QemuProcess.timers_ran

    async def run() -> list[str]:
        pool = Pool(qemu, 1)
        try:
            await pool.start()
            windows = pool._slots.first.windows

            async def at_a_bad_moment(self: QemuProcess) -> None:
                """Just before the window's end, and who waited is woken only after it."""
                await asyncio.sleep(max(0.0, windows.wait_all_s() - MARGIN_S - 0.005))
                await timers_ran(self)
                time.sleep(2 * MARGIN_S)

            monkeypatch.setattr(QemuProcess, "timers_ran", at_a_bad_moment)
            outcome = await pool.run(case)
            return [str(event) for event in outcome.steps[-1].events]
        finally:
            await pool.close()

    events = asyncio.run(run())
    assert events == ["QUORUM_REPORT_BAD read c0 0 1 EIO"] * 2


DRIVE = """
    - name: reported once too often, at the end
      images: {0.qcow2: {contents: A, faults: read EIO}, 1.qcow2: B}
      drive: driver=quorum,children.0.file.filename=0.qcow2,children.1.file.filename=1.qcow2,read-pattern=fifo,vote-threshold=1
      steps:
      - read: [0, 512]
        expect: {ret: 0, data: B, events: [QUORUM_REPORT_BAD read 0.qcow2 0 1 EIO]}
      - read: [512, 512]
        expect: {ret: 0, data: B}
"""


def test_an_event_nobody_expects_is_not_lost_with_the_process(
    qemu: str, load: Callable[[str], list[Case]]
) -> None:
    """The process of a -drive case ends with it; the limiter held the last event then."""
    (case,) = load(DRIVE)

    async def run() -> list[str]:
        pool = Pool(qemu, 1)
        try:
            await pool.start()
            return [str(event) for event in (await pool.run(case)).steps[-1].events]
        finally:
            await pool.close()

    assert asyncio.run(run()) == ["QUORUM_REPORT_BAD read 0.qcow2 1 1 EIO"]

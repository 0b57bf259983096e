# SPDX-License-Identifier: GPL-2.0-or-later
"""Block jobs on a binary: a job that is left is ended, a process that is killed leaves nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from qsim.outcome import Outcome, against_fixture, between
from qsim.scenario import Case
from qsim.target.job import Job
from qsim.target.pool import Pool
from qsim.target.process import QemuProcess

Load = Callable[[str], list[Case]]

MIRROR = """{execute: blockdev-mirror,
      arguments: {job-id: j, device: q, target: s0, replaces: c1, sync: full, buf-size: 65536}}"""
CASES = f"""
- name: left ready
  size: 256k
  children: {{c0: A, c1: A, s0: S}}
  spares: [s0]
  quorum: {{vote-threshold: 1}}
  steps:
  - qmp: {MIRROR}
    expect: {{events: [BLOCK_JOB_READY j]}}
  contents: {{s0: A}}
- name: killed
  size: 256k
  children: {{c0: A, c1: A, s0: S}}
  spares: [s0]
  quorum: {{vote-threshold: 1}}
  steps:
  - qmp: {MIRROR}
    stop-after: s0 write x2
    expect: {{}}
  - kill: true
  contents: {{s0: "A:128k S"}}
- name: killed and killed again
  size: 256k
  children: {{c0: A, c1: A, s0: S}}
  spares: [s0]
  quorum: {{vote-threshold: 1, read-pattern: fifo}}
  steps:
  - read: [0, 512]
    faults: {{c0: EIO}}
    expect:
      {{ret: 0, data: A, requests: [c0 read 0 512, c1 read 0 512], events: [QUORUM_REPORT_BAD read c0 0 1 EIO]}}
  - read: [512, 512]
    faults: {{c0: EIO}}
    expect:
      {{ret: 0, data: A, requests: [c0 read 512 512, c1 read 512 512], events: [QUORUM_REPORT_BAD read c0 1 1 EIO]}}
  - kill: true
  - read: [0, 512]
    faults: {{c0: EIO}}
    expect:
      {{ret: 0, data: A, requests: [c0 read 0 512, c1 read 0 512], events: [QUORUM_REPORT_BAD read c0 0 1 EIO]}}
  - qmp: {MIRROR}
    expect: {{events: [BLOCK_JOB_READY j]}}
  - kill: true
  - write: [0, 512, X]
    expect: {{ret: 0, requests: all}}
  contents: {{c0: "X:512 A", c1: "X:512 A", s0: A}}
- name: killed while its main loop waits for a child
  size: 256k
  children: {{c0: A, c1: A, s0: S}}
  spares: [s0]
  quorum: {{vote-threshold: 1}}
  steps:
  - qmp: {MIRROR}
    expect: {{events: [BLOCK_JOB_READY j]}}
  - qmp: {{execute: block-job-complete, arguments: {{device: j}}}}
    stop-after: s0 flush
    expect: {{}}
  - kill: true
  contents: {{s0: A}}
- name: killed while a child holds a write
  size: 256k
  children: {{c0: A, c1: A, s0: S}}
  spares: [s0]
  quorum: {{vote-threshold: 1, read-pattern: fifo}}
  steps:
  - qmp: {MIRROR}
    stop-after: c0 read x2
    expect: {{}}
  - kill: true
  - read: [0, 512]
    expect: {{ret: 0, data: A, requests: [c0 read 0 512]}}
  contents: {{s0: "A:64k S"}}
- name: reports before, beside and after a job
  size: 256k
  children: {{c0: A, c1: A, c2: A, s0: S}}
  spares: [s0]
  quorum: {{vote-threshold: 1, read-pattern: fifo}}
  steps:
  - read: [0, 512]
    faults: {{c0: EIO}}
    expect:
      {{ret: 0, data: A, requests: [c0 read 0 512, c1 read 0 512], events: [QUORUM_REPORT_BAD read c0 0 1 EIO]}}
  - qmp: {MIRROR}
    expect: {{events: [BLOCK_JOB_READY j]}}
  - read: [0, 512]
    faults: {{c0: EIO, c1: EIO}}
    expect: {{ret: 0, data: A, events: [QUORUM_REPORT_BAD read c0 0 1 EIO, QUORUM_REPORT_BAD read c1 0 1 EIO]}}
  - qmp: {{execute: block-job-complete, arguments: {{device: j}}}}
    expect: {{events: [BLOCK_JOB_COMPLETED j]}}
  - read: [0, 512]
    faults: {{c0: EIO, s0: EIO}}
    expect:
      ret: 0
      data: A
      requests: [c0 read 0 512, s0 read 0 512, c2 read 0 512]
      events: [QUORUM_REPORT_BAD read c0 0 1 EIO, QUORUM_REPORT_BAD read s0 0 1 EIO]
  contents: {{s0: A}}
- name: killed at rest, with reports of before
  size: 64k
  children: {{c0: A, c1: A, s0: S}}
  spares: [s0]
  quorum: {{vote-threshold: 1, read-pattern: fifo}}
  steps:
  - qmp: {MIRROR}
    faults: {{c0: EIO}}
    expect: {{events: [QUORUM_REPORT_BAD read c0 0 128 EIO, QUORUM_REPORT_BAD read c0 0 128 EIO, BLOCK_JOB_READY j]}}
  - kill: true
  contents: {{s0: A}}
- name: killed in a wait, with reports of before
  size: 128k
  children: {{c0: A, c1: A, s0: S}}
  spares: [s0]
  quorum: {{vote-threshold: 1, read-pattern: fifo}}
  steps:
  - qmp: {MIRROR}
    faults: {{c0: EIO}}
    expect:
      events:
      - QUORUM_REPORT_BAD read c0 0 128 EIO
      - QUORUM_REPORT_BAD read c0 0 128 EIO
      - QUORUM_REPORT_BAD read c0 128 128 EIO
      - QUORUM_REPORT_BAD read c0 128 128 EIO
      - BLOCK_JOB_READY j
  - qmp: {{execute: block-job-complete, arguments: {{device: j}}}}
    stop-after: s0 flush
    expect: {{}}
  - kill: true
  contents: {{s0: A}}
- name: killed in a wait, with reports of just before
  size: 256k
  children: {{c0: A, c1: A, c2: A, s0: S}}
  spares: [s0]
  quorum: {{vote-threshold: 1, read-pattern: fifo}}
  steps:
  - qmp: {MIRROR}
    expect: {{events: [BLOCK_JOB_READY j]}}
  - write: [0, 64k, W]
    stop-after: c0 write
    expect: {{ret: 0}}
  - qmp: {{execute: block-job-complete, arguments: {{device: j}}}}
    faults: {{c0: EIO}}
    stop-after: c0 flush
    expect:
      events:
      - QUORUM_REPORT_BAD read c0 0 128 EIO
      - QUORUM_REPORT_BAD read c0 0 128 EIO
      - QUORUM_REPORT_BAD flush c0 0 0 EIO
  - kill: true
  contents: {{c0: "W:64k A", c1: "W:64k A", c2: "W:64k A", s0: "W:64k A"}}
- name: a report in a wait
  size: 256k
  children: {{c0: A, c1: A, s0: S}}
  spares: [s0]
  quorum: {{vote-threshold: 1, read-pattern: fifo}}
  steps:
  - qmp: {MIRROR}
    expect: {{events: [BLOCK_JOB_READY j]}}
  - read: [0, 512]
    faults: {{c0: EIO}}
    expect: {{ret: 0, data: A, events: [QUORUM_REPORT_BAD read c0 0 1 EIO]}}
  - qmp: {{execute: block-job-complete, arguments: {{device: j}}}}
    stop-after: s0 flush
    expect: {{}}
  - read: [0, 512]
    faults: {{c0: read EIO}}
    expect: {{ret: 0, data: A, events: [QUORUM_REPORT_BAD read c0 0 1 EIO, BLOCK_JOB_COMPLETED j]}}
  contents: {{s0: A}}
- name: read
  steps:
  - read: [0, 512]
    expect: {{ret: 0, data: A, requests: all}}
  quorum: {{vote-threshold: 1}}
"""


@pytest.fixture
def cases(load: Load) -> dict[str, Case]:
    return {case.name: case for case in load(CASES)}


def on_pool(binary: str, work: Callable[[Pool], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        pool = Pool(binary, 1)
        try:
            await pool.start()
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


def test_a_job_that_is_left_is_gone_before_the_next_case(
    qemu: str, cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[list[Any]] = []
    execute = QemuProcess.execute

    async def noted(self: QemuProcess, command: str, arguments: dict[str, Any]) -> Any:
        if command == "blockdev-del":
            jobs.append(await execute(self, "query-block-jobs", {}))
        return await execute(self, command, arguments)

    monkeypatch.setattr(QemuProcess, "execute", noted)

    async def work(pool: Pool) -> list[Outcome]:
        outcomes = [await pool.run(cases[name]) for name in ("left ready", "left ready", "read")]
        assert len(pool.pids()) == 1
        return outcomes

    outcomes = on_pool(qemu, work)
    for name, outcome in zip(("left ready", "left ready", "read"), outcomes, strict=True):
        assert against_fixture(cases[name], outcome) == []
    assert jobs
    assert not any(jobs)


@pytest.mark.parametrize(
    "name",
    [
        "killed",
        "killed and killed again",
        "killed while its main loop waits for a child",
        "killed while a child holds a write",
    ],
)
def test_a_killed_process_is_the_scenarios_own_and_leaves_nothing(
    qemu: str,
    name: str,
    cases: dict[str, Case],
    qemus: Callable[[], dict[int, str]],
    tmpdir_here: Path,
    play: Callable[[Case], Outcome],
) -> None:
    async def work(pool: Pool) -> tuple[Outcome, Outcome]:
        before = set(qemus())
        killed = await pool.run(cases[name])
        # The one that was there goes on, the one that was killed is gone, and who came after it.
        assert set(qemus()) == before == set(pool.pids())
        (folder,) = tmpdir_here.iterdir()
        numbers = {path.name.rpartition("-")[2] for path in folder.glob("exp-*.sock")}
        assert numbers == {"0.sock"}
        return killed, await pool.run(cases["read"])

    killed, read = on_pool(qemu, work)
    assert against_fixture(cases[name], killed) == []
    assert against_fixture(cases["read"], read) == []
    assert not any(step.exit for step in killed.steps)
    assert between(play(cases[name]), killed) == []
    assert qemus() == {}
    assert os.listdir(tmpdir_here) == []


def test_where_an_event_was_made_is_known_but_beside_a_job(
    qemu: str, cases: dict[str, Case], play: Callable[[Case], Outcome]
) -> None:
    case = cases["reports before, beside and after a job"]
    for outcome in (play(case), on_pool(qemu, lambda pool: pool.run(case))):
        assert against_fixture(case, outcome) == []
        places = [[event.after for event in step.events] for step in outcome.steps]
        assert places == [[], [1], [None], [None, None], [None], [1, 2]]


@pytest.mark.parametrize(
    ("name", "withheld"),
    [
        # What the limiter holds is waited for.
        ("killed at rest, with reports of before", []),
        # It is there before the main loop can wait.
        ("killed in a wait, with reports of before", [2, 3]),
        # What it holds by then is lost, and that is no difference.
        ("killed in a wait, with reports of just before", [3, 4]),
        # The limiter's window is closed before, so nobody waits for a timer that cannot run.
        ("a report in a wait", [3, 4]),
    ],
)
def test_no_event_is_missed_where_qemus_main_loop_waits_for_a_child(
    qemu: str,
    name: str,
    withheld: list[int],
    cases: dict[str, Case],
    play: Callable[[Case], Outcome],
) -> None:
    outcome = on_pool(qemu, lambda pool: pool.run(cases[name]))
    assert against_fixture(cases[name], play(cases[name])) == []
    assert against_fixture(cases[name], outcome) == []
    assert between(play(cases[name]), outcome) == []
    assert [i for i, step in enumerate(outcome.steps) if step.withheld] == withheld


def test_a_job_that_never_rests_is_a_hang_that_says_so(
    qemu: str, cases: dict[str, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it was told to end and did not.
    monkeypatch.setattr("qsim.target.job.PATIENCE_S", 0.2)
    monkeypatch.setattr(Job, "goes_on", lambda self: setattr(self, "ending", True))
    start = Job.__init__

    def told(self: Job, name: str) -> None:
        start(self, name)
        self.ending = True

    monkeypatch.setattr(Job, "__init__", told)
    outcome = on_pool(qemu, lambda pool: pool.run(cases["left ready"]))
    assert len(outcome.trouble) == 1
    assert outcome.trouble[0].startswith(
        "qmp blockdev-mirror: QEMU hangs: waited 0 s for the job, which is ready"
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMUs that die or hang in the middle of a case: the outcome says so, the pool goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from qsim.block.child import Reply, Request, ScriptedChild
from qsim.block.stage import Stage
from qsim.outcome import Outcome, against_fixture
from qsim.scenario import Case
from qsim.target import process
from qsim.target import qemu as target
from qsim.target.error import QemuDied
from qsim.target.nbd_server import ChildServer
from qsim.target.pool import Pool
from qsim.target.workdir import WorkDir

Load = Callable[[str], list[Case]]
Qemus = Callable[[], dict[int, str]]

CASES = """
- name: victim
  children: {victim: A, c1: A}
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
  - write: [0, 512, W]
    expect: {ret: 0, requests: all}
  - read: [512, 512]
    expect: {ret: 0, data: A, requests: all}
  contents: {victim: "W:512 A", c1: "W:512 A"}
- name: next
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
"""
#: What a hang may take, in seconds, once it is there.
PATIENCE_S = 0.5


@pytest.fixture
def cases(load: Load) -> list[Case]:
    """The case that suffers, and one after it."""
    return load(CASES)


def play(binary: str, work: Callable[[Pool], Awaitable[Any]], jobs: int = 1) -> Any:
    """Start a pool, do the work, close it."""

    async def run() -> Any:
        pool = Pool(binary, jobs)
        try:
            await pool.start()
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


def one_after_the_other(cases: list[Case]) -> Callable[[Pool], Awaitable[list[Outcome]]]:
    """Work that plays the cases in order."""

    async def work(pool: Pool) -> list[Outcome]:
        return [await pool.run(case) for case in cases]

    return work


@pytest.fixture
def strike(qemus: Qemus) -> Callable[[signal.Signals], None]:
    """Send a signal to every QEMU of this test."""

    def send(number: signal.Signals) -> None:
        for pid in qemus():
            os.kill(pid, number)

    return send


@pytest.fixture
def when_victim_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str, Callable[[], None]], None]:
    """Do something when the victim holds a request of this operation, before any answer."""

    def arrange(op: str, act: Callable[[], None]) -> None:
        complete_next = Stage.complete_next

        def first_act(stage: Stage[Any]) -> list[Any]:
            if any((h.request.child, h.request.op) == ("victim", op) for h in stage.held):
                act()
            return complete_next(stage)

        monkeypatch.setattr(Stage, "complete_next", first_act)

    return arrange


def assert_as_if_nothing_happened(outcome: Outcome, case: Case) -> None:
    assert [str(one) for one in against_fixture(case, outcome)] == []


@pytest.fixture
def nothing_left(tmpdir_here: Path, qemus: Qemus) -> Callable[[], None]:
    """Assert that no process and no file is left."""

    def check() -> None:
        assert qemus() == {}
        assert os.listdir(tmpdir_here) == []

    return check


@pytest.mark.parametrize(("op", "step"), [("read", 1), ("write", 2)])
def test_death_in_a_request_is_the_exit_of_its_step_and_the_pool_goes_on(
    qemu: str,
    cases: list[Case],
    strike: Callable[[signal.Signals], None],
    when_victim_is_asked: Callable[[str, Callable[[], None]], None],
    nothing_left: Callable[[], None],
    op: str,
    step: int,
) -> None:
    when_victim_is_asked(op, lambda: strike(signal.SIGKILL))
    victim, after = play(qemu, one_after_the_other(cases))
    assert len(victim.steps) == step + 1
    assert victim.steps[step].exit == (-signal.SIGKILL, "")
    assert all(earlier.exit is None for earlier in victim.steps[:step])
    found = against_fixture(cases[0], victim)[0]
    assert (found.label, found.what) == (str(cases[0].steps[step - 1]), "exit")
    assert_as_if_nothing_happened(after, cases[1])
    nothing_left()


def test_ping_of_a_process_that_is_dead_is_its_death(
    qemu: str, tmpdir_here: Path, strike: Callable[[signal.Signals], None]
) -> None:
    async def run() -> None:
        workdir = WorkDir()
        one = process.QemuProcess(qemu, workdir, 0)
        try:
            await one.start()
            await one.prepare()
            strike(signal.SIGKILL)
            while one.alive:
                await asyncio.sleep(0.01)
            with pytest.raises(QemuDied) as caught:
                await one.ping()
            assert caught.value.status == -signal.SIGKILL
        finally:
            await one.stop()
            workdir.close()

    asyncio.run(run())


def test_hang_in_a_request_is_trouble_that_names_its_step_and_the_pool_goes_on(
    qemu: str,
    cases: list[Case],
    strike: Callable[[signal.Signals], None],
    when_victim_is_asked: Callable[[str, Callable[[], None]], None],
    nothing_left: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patient = process.PATIENCE_S

    def freeze() -> None:
        for module in (process, target):
            monkeypatch.setattr(module, "PATIENCE_S", PATIENCE_S)
        strike(signal.SIGSTOP)

    async def work(pool: Pool) -> list[Outcome]:
        first = await pool.run(cases[0])
        for module in (process, target):
            monkeypatch.setattr(module, "PATIENCE_S", patient)
        return [first, await pool.run(cases[1])]

    when_victim_is_asked("write", freeze)
    victim, after = play(qemu, work)
    assert len(victim.trouble) == 1
    assert victim.trouble[0].startswith("write 0 512: QEMU hangs: ")
    assert against_fixture(cases[0], victim)[0].right == victim.trouble[0]
    assert victim.steps[1].ret == "0"
    assert_as_if_nothing_happened(after, cases[1])
    nothing_left()


def test_death_while_children_are_added_is_trouble_that_says_when(
    qemu: str,
    cases: list[Case],
    strike: Callable[[signal.Signals], None],
    nothing_left: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add = ChildServer.add

    def strike_first(server: ChildServer, export: str, child: ScriptedChild, *more: Any) -> None:
        if child.name == "victim":
            strike(signal.SIGKILL)
        add(server, export, child, *more)

    monkeypatch.setattr(ChildServer, "add", strike_first)
    victim, after = play(qemu, one_after_the_other(cases))
    assert len(victim.trouble) == 1
    assert "set-up" in victim.trouble[0]
    assert_as_if_nothing_happened(after, cases[1])
    nothing_left()


def test_death_while_all_is_taken_down_is_not_lost(
    qemu: str,
    cases: list[Case],
    strike: Callable[[signal.Signals], None],
    nothing_left: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    complete = ScriptedChild.complete

    def strike_first(child: ScriptedChild, request: Request) -> Reply:
        # No step flushes; deleting the nodes does.
        if (child.name, request.op) == ("victim", "flush"):
            strike(signal.SIGKILL)
        return complete(child, request)

    monkeypatch.setattr(ScriptedChild, "complete", strike_first)
    victim, after = play(qemu, one_after_the_other(cases))
    found = against_fixture(cases[0], victim)
    assert len(found) == 1
    assert "killed by SIGKILL" in found[0].right
    assert_as_if_nothing_happened(after, cases[1])
    nothing_left()


def test_wrapper_that_dies_takes_its_qemu_with_it(
    qemu: str,
    cases: list[Case],
    qemus: Qemus,
    tmp_path: Path,
    when_victim_is_asked: Callable[[str, Callable[[], None]], None],
    nothing_left: Callable[[], None],
) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\n"{qemu}" "$@"\nexit $?\n', "utf-8")
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)

    def kill_the_wrapper() -> None:
        for pid, line in qemus().items():
            if line.startswith("/bin/sh "):
                os.kill(pid, signal.SIGKILL)

    when_victim_is_asked("read", kill_the_wrapper)
    victim, after = play(str(wrapper), one_after_the_other(cases))
    assert any(step.exit == (-signal.SIGKILL, "") for step in victim.steps)
    assert_as_if_nothing_happened(after, cases[1])
    nothing_left()


def test_cases_that_end_qemu_and_drives_leave_the_pool_working_and_no_folder(
    qemu: str, load: Load, tmpdir_here: Path, nothing_left: Callable[[], None]
) -> None:
    cases = load("""
        - name: blkverify
          children: [A, B]
          quorum: {vote-threshold: 2, blkverify: true}
          steps:
          - read: [0, 512]
            expect:
              exit: {status: 1, stderr: "quorum: offset=0 bytes=512 contents mismatch at offset 0"}
        - name: drive
          images: {0.qcow2: A, 1.qcow2: {contents: B, faults: read EIO}}
          drive: driver=quorum,children.0.file.filename=1.qcow2,children.1.file.filename=0.qcow2,read-pattern=fifo,vote-threshold=1
          steps:
          - read: [0, 512]
            expect: {ret: 0, data: A, events: [QUORUM_REPORT_BAD read 1.qcow2 0 1 EIO]}
        - name: drive refused
          images: {0.qcow2: A}
          drive: driver=quorum,children.0.file.filename=0.qcow2,vote-threshold=2
          open: {error: threshold may not exceed children count}
        - name: after them
          children: [A, B, A]
          quorum: {vote-threshold: 2}
          steps:
          - read: [0, 512]
            expect: {ret: 0, data: A, requests: all, events: [QUORUM_REPORT_BAD read c1 0 1]}
        """)

    async def work(pool: Pool) -> tuple[list[Outcome], list[str]]:
        outcomes = [
            *await asyncio.gather(*(pool.run(case) for case in cases[:3])),
            await pool.run(cases[3]),
        ]
        return outcomes, [path.name for path in tmpdir_here.rglob("drive-*")]

    outcomes, drives = play(qemu, work, jobs=2)
    for case, outcome in zip(cases, outcomes, strict=True):
        assert_as_if_nothing_happened(outcome, case)
    assert drives == []
    nothing_left()


def test_pool_closed_while_a_drive_case_runs_ends_it(
    qemu: str, load: Load, qemus: Qemus, nothing_left: Callable[[], None]
) -> None:
    (case,) = load("""
        - name: drive
          images: {0.qcow2: A}
          drive: driver=quorum,children.0.file.filename=0.qcow2,vote-threshold=1
          steps:
          - read: [0, 512]
            expect: {ret: 0, data: A}
        """)

    async def run() -> BaseException | Outcome:
        pool = Pool(qemu, 1)
        await pool.start()
        running = asyncio.create_task(pool.run(case))
        while not any("-drive" in line for line in qemus().values()):
            await asyncio.sleep(0.01)
        await pool.close()
        running.cancel()
        (result,) = await asyncio.gather(running, return_exceptions=True)
        return result

    result = asyncio.run(run())
    assert isinstance(result, asyncio.CancelledError), repr(result)
    nothing_left()

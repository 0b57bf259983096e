# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a job rests, as QEMU says it, and as it does not when it is busy."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qsim.block.child import Request, ScriptedChild
from qsim.block.sparse import Sparse
from qsim.block.stage import Stage
from qsim.target.error import QemuHung
from qsim.target.job import Job
from qsim.target.rounds import Rounds

READY = {"device": "j", "status": "ready"}


class Asked:
    """A process that answers what the test says."""

    def __init__(self, jobs: list[dict[str, Any]], counts: list[int] | None = None) -> None:
        self.jobs = jobs
        self.bitmaps = [{"count": count} for count in counts or ()]
        self.answers = asyncio.Event()
        self.answers.set()

    async def execute(self, command: str, arguments: dict[str, Any]) -> Any:
        await self.answers.wait()
        if command == "query-block-jobs":
            return self.jobs
        # One that a user has named is nobody's job.
        named = {"name": "mine", "count": 512}
        return [{}, {"dirty-bitmaps": [named, *self.bitmaps]}]

    async def bounded(self, what: Any, timeout_s: float, name: str) -> Any:
        return await what


@pytest.mark.parametrize(
    ("jobs", "counts", "ending", "rests", "gone"),
    [
        ([], [], False, True, True),
        ([{"device": "i", "status": "running"}], [], False, True, True),
        ([READY], [0], False, True, False),
        ([READY], [], False, True, False),
        ([READY], [65536], False, False, False),
        ([READY], [0], True, False, False),
        ([{"device": "j", "status": "running"}], [0], False, False, False),
    ],
    ids=["gone", "another", "ready", "no bitmap", "to copy", "told to end", "not ready"],
)
def test_it_rests_when_nothing_will_come_of_it(
    jobs: list[dict[str, Any]], counts: list[int], ending: bool, rests: bool, gone: bool
) -> None:
    async def run() -> None:
        job = Job("j")
        job.ending = ending
        assert await job.rests(Asked(jobs, counts)) is rests
        assert job.gone is gone

    asyncio.run(run())


def test_one_that_does_not_come_to_rest_is_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.target.job.PATIENCE_S", -1.0)
    job = Job("j")
    with pytest.raises(QemuHung, match="for the job, which is running"):
        asyncio.run(job.rests(Asked([{"device": "j", "status": "running"}])))


def test_a_refused_command_does_not_end_it() -> None:
    async def run() -> None:
        job = Job("j")
        for error, ending in ((ValueError(), False), (None, True)):
            told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            told.set_exception(error) if error else told.set_result(None)
            job.told(told)
            assert job.ending is ending
            told.exception()
        # What is refused later takes nothing back.
        told = asyncio.get_running_loop().create_future()
        told.set_exception(ValueError())
        job.told(told)
        assert job.ending
        told.exception()

    asyncio.run(run())


def test_while_qemu_answers_nothing_a_child_that_is_asked_is_seen() -> None:
    # A job that ends flushes its node, and QEMU's main loop waits in that for the child.
    async def run() -> None:
        process = Asked([])
        process.answers.clear()
        rounds = Rounds.__new__(Rounds)
        rounds.job, rounds.process, rounds.asked = Job("j"), process, asyncio.Event()
        rounds.stage = Stage({"c0": ScriptedChild("c0", Sparse(512, 65))})
        settled: list[int] = []

        async def settle() -> None:
            settled.append(1)

        rounds._settle = settle
        for _ in range(2):
            looking = asyncio.ensure_future(rounds._job_rests())
            await asyncio.sleep(0)
            assert not looking.done()
            rounds.stage.arrive(Request("c0", "flush"), object())
            rounds.asked.set()
            assert await looking is False
            rounds.stage.settle()
            rounds.stage.complete_next()
        assert settled == []
        # It was asked once, and has its answer now.
        process.answers.set()
        assert await rounds._job_rests() is True
        assert rounds.job is None

    asyncio.run(run())

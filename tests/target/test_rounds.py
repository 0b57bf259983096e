# SPDX-License-Identifier: GPL-2.0-or-later
"""Children answered one by one, and what of that is noted: on a QEMU that is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from qsim.block.child import Reply, Request
from qsim.outcome import StepOutcome
from qsim.scenario import Case
from qsim.target.error import QemuHung
from qsim.target.job import Job
from qsim.target.names import Names
from qsim.target.process import PATIENCE_S
from qsim.target.rounds import Rounds

CASE = "- {name: a, children: 2, quorum: {vote-threshold: 1}}"


class Idle:
    """A process, and what listens for it, that has nothing to do."""

    version = "0"

    async def ping(self) -> None:
        pass

    def unfinished(self, children: list[str]) -> tuple[int, int]:
        return 0, 0

    def unsent(self) -> int:
        return 0


class Arrived:
    """A request of a child; ``heard`` is told when it is answered."""

    def __init__(self, child: str, heard: Callable[[], None] = lambda: None) -> None:
        self.request = Request(child, "read", 0, 512)
        self.connection = Idle()
        self.heard = heard

    def answer(self, reply: Reply) -> None:
        self.heard()


@pytest.fixture
def rounds(load: Callable[[str], list[Case]]) -> Rounds:
    """A run that has just begun with a step."""
    (case,) = load(CASE)
    made = Rounds(case, Idle(), Idle(), Names(case.children, 0))
    made.played.completed = [[]]
    return made


@pytest.mark.parametrize(
    ("beside_job", "early"), [(False, ("c1 read 0 512",)), (True, ())], ids=["alone", "beside"]
)
def test_what_children_hold_when_the_guest_is_answered_is_noted(
    rounds: Rounds, beside_job: bool, early: tuple[str, ...]
) -> None:
    async def run() -> StepOutcome:
        shown = StepOutcome("read 0 512", beside_job=beside_job)
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for one in (Arrived("c0", lambda: answered.set_result(None)), Arrived("c1")):
            rounds.stage.arrive(one.request, one)
        await rounds._until(answered, "the read", shown)
        return shown

    shown = asyncio.run(run())
    assert shown.early == early
    assert rounds.stage.held == []


def test_a_job_whose_children_are_answered_has_time_again(
    rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("qsim.target.job.time", SimpleNamespace(monotonic=lambda: now[0]))
    looks: list[float] = []

    async def execute(command: str, arguments: object) -> object:
        """It is seen at work once; after that nobody answers it, and a long time goes by."""
        looks.append(now[0])
        now[0] += 1.5 * PATIENCE_S * (len(looks) > 1)
        return [{"device": "j", "status": "running"}]

    def slowly() -> None:
        now[0] += 0.8 * PATIENCE_S

    async def run() -> None:
        rounds.job = Job("j")
        rounds.process.execute = execute
        rounds.process.bounded = lambda what, *_: what
        for _ in range(3):
            one = Arrived("c0", slowly)
            rounds.stage.arrive(one.request, one)
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answered.set_result(None)
        with pytest.raises(QemuHung, match="for the job, which is running"):
            await rounds._until(answered, "the read", StepOutcome("read", beside_job=True))

    asyncio.run(run())
    # Three answers took longer than anybody's patience, and were no reason to lose it.
    assert looks == pytest.approx([2.4 * PATIENCE_S] * 2)

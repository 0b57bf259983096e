# SPDX-License-Identifier: GPL-2.0-or-later
"""Many generated scenarios in a row (``python -m bench.sustained``): speed, flakes, memory.

The scenarios are drawn, by a seed, from every request on every quorum of two and three children
(:mod:`qsim.explore.grid`), each child answering or failing; the model says what must come out.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from bench.floor import floor
from qsim.explore.grid import grid, patterns_of
from qsim.outcome import Outcome, between
from qsim.quorum.revisions import Revision, nearest
from qsim.scenario import Case
from qsim.scenario.case import Expectation
from qsim.target.model import run_model
from qsim.target.pool import Pool

#: Memory is compared between the first and the last so many runs.
WINDOW = 1000
PAGE_KIB = 4
ERRNOS = ("EIO", "ENOSPC")
#: One scenario in so many ends in QUORUM_FAILURE.
ONE_IN = 8


def mix(runs: int, seed: int, version: str) -> Iterator[tuple[Case, Outcome]]:
    """``runs`` cases and what the model says of each, which also tells what events to expect.

    One in :data:`ONE_IN` ends in QUORUM_FAILURE: a process sends one a second.
    """
    wanted = nearest(version)
    drawn = random.Random(seed)
    every = [_known(case, run_model(case, wanted)) for case in _small_world(wanted)]
    failing = [one for one in every if _fails(one[1])]
    others = [one for one in every if not _fails(one[1])]
    for _ in range(runs):
        yield drawn.choice(failing if drawn.randrange(ONE_IN) == 0 else others)


def _small_world(wanted: Revision) -> list[Case]:
    return grid((2, 3), patterns_of(wanted), ERRNOS)


def _known(case: Case, model: Outcome) -> tuple[Case, Outcome]:
    """The case with the events it must be given time for."""
    (step,) = case.steps
    expect = Expectation(step.line, events=tuple(model.steps[-1].events), requests=None)
    return replace(case, steps=(replace(step, expect=expect),)), model


def _fails(model: Outcome) -> bool:
    return any(event.name == "QUORUM_FAILURE" for event in model.steps[-1].events)


def _resident_kib(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * PAGE_KIB
    except (OSError, IndexError):
        return 0


class Sustained:
    """One run of the mix on a pool."""

    def __init__(self, pool: Pool, at_once: int) -> None:
        self.pool = pool
        self.places = asyncio.Semaphore(at_once)
        self.done = 0
        self.wrong: list[str] = []
        #: By thousand: the harness's and the processes' resident memory, in KiB.
        self.memory: list[tuple[int, int]] = []

    async def one(self, case: Case, model: Outcome) -> None:
        """Play one and compare."""
        try:
            outcome = await self.pool.run(case)
        finally:
            self.places.release()
        found = between(model, outcome)
        if found:
            self.wrong.append(f"{case.id}: {found[0]}")
        self.done += 1
        if self.done % WINDOW == 0:
            self.memory.append((_resident_kib(os.getpid()), self._processes_kib()))

    def _processes_kib(self) -> int:
        return max((_resident_kib(pid) for pid in self.pool.pids()), default=0)

    async def play(self, cases: Iterator[tuple[Case, Outcome]]) -> None:
        """Play all, so many at a time."""
        async with asyncio.TaskGroup() as group:
            for case, model in cases:
                await self.places.acquire()
                group.create_task(self.one(case, model))


async def _measure(qemu: str, jobs: int, runs: int, seed: int) -> tuple[Sustained, float, str]:
    pool = Pool(qemu, jobs)
    try:
        await pool.start()
        cases = list(mix(runs, seed, pool.version))
        told = Counter(event.name for _, model in cases for event in model.steps[-1].events)
        failing = sum(_fails(model) for _, model in cases)
        verbs = Counter(case.steps[0].verb for case, _ in cases)
        text = (
            f"{runs} scenarios, seed {seed}: "
            + ", ".join(f"{count} {verb}" for verb, count in sorted(verbs.items()))
            + f"; {failing} end in QUORUM_FAILURE, {told['QUORUM_REPORT_BAD']} reports"
        )
        run = Sustained(pool, 16 * jobs)
        began = time.perf_counter()
        await run.play(iter(cases))
        return run, runs / (time.perf_counter() - began), text
    finally:
        await pool.close()


@click.command()
@click.option("--qemu", required=True, help="The binary.")
@click.option("--jobs", default=24, help="QEMU processes side by side.")
@click.option("--runs", default=10_000, help="Scenarios to play.")
@click.option("--seed", default=2014, help="Which scenarios.")
def main(qemu: str, jobs: int, runs: int, seed: int) -> None:
    """Play a mix of generated scenarios without a pause; 1 if any differs from the model."""
    before = asyncio.run(floor(qemu, 4, 250))
    run, rate, text = asyncio.run(_measure(qemu, jobs, runs, seed))
    after = asyncio.run(floor(qemu, 4, 250))
    base = (before + after) / 2
    click.echo(text)
    click.echo(f"sustained {rate:.0f}/s   floor {base:.0f}/s   floor / sustained {base / rate:.2f}")
    if run.memory:
        (mine, its), (mine_last, its_last) = run.memory[0], run.memory[-1]
        click.echo(
            f"memory after the first and the last {WINDOW}: harness {mine / 1024:.0f} and "
            f"{mine_last / 1024:.0f} MiB, largest QEMU {its / 1024:.1f} and "
            f"{its_last / 1024:.1f} MiB"
        )
        click.echo(
            "  harness, by thousand: " + " ".join(f"{one / 1024:.0f}" for one, _ in run.memory)
        )
    for line in run.wrong[:20]:
        click.echo(line)
    click.echo(f"{len(run.wrong)} differ from the model")
    sys.exit(1 if run.wrong else 0)


if __name__ == "__main__":
    main()

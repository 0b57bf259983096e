# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios per second: the floor, the pool on a binary, and the model, in one run."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from bench.floor import floor
from qsim.quorum.revisions import REVISIONS, revision
from qsim.scenario import Case, load_file
from qsim.target.model import run_model
from qsim.target.pool import Pool

HERE = Path(__file__).parent


async def _checked(binary: str, jobs: int, case: Case, runs: int) -> float:
    """Scenarios per second on the pool: held, ordered, recorded, settled."""
    pool = Pool(binary, jobs)
    try:
        await pool.start()
        # The processes are started before the clock runs, as those of the floor are.
        await asyncio.gather(*(pool.run(case) for _ in range(jobs)))
        began = time.perf_counter()
        await asyncio.gather(*(pool.run(case) for _ in range(runs)))
        return runs / (time.perf_counter() - began)
    finally:
        await pool.close()


def _model(case: Case, runs: int) -> float:
    began = time.perf_counter()
    for _ in range(runs):
        run_model(case, revision("7.2"))
    return runs / (time.perf_counter() - began)


@click.command()
@click.option("--qemu", required=True, help="The qemu-system binary.")
@click.option("--jobs", default=4, help="QEMU processes side by side.")
@click.option("--runs", default=100, help="Scenarios a process and round.")
@click.option("--rounds", default=3, help="The two are measured in turn, this often.")
def main(qemu: str, jobs: int, runs: int, rounds: int) -> None:
    """Measure, and print ratios: the machine's own speed cancels out in them."""
    cases = load_file(HERE / "read.yaml", [one.name for one in REVISIONS])
    ratios = []
    for i in range(rounds):
        base = asyncio.run(floor(qemu, jobs, runs))
        ours = asyncio.run(_checked(qemu, jobs, cases[0], jobs * runs))
        ratios.append(base / ours)
        click.echo(
            f"round {i + 1}: floor {base:6.0f}/s   checked {ours:6.0f}/s   ratio {ratios[-1]:.2f}"
        )
    click.echo(f"floor / checked: {sorted(ratios)[len(ratios) // 2]:.2f} (median of {rounds})")
    click.echo(f"model: {_model(cases[0], 2000):.0f} scenarios/s")


if __name__ == "__main__":
    main()

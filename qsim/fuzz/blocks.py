# SPDX-License-Identifier: GPL-2.0-or-later
"""Blocks of generated scenarios: block ``k`` of a seed is the same wherever it is generated.

``python -m qsim.fuzz.blocks SEED FIRST COUNT`` prints blocks, one a line, as JSON.  A campaign
reads them from such a process, so that generating does not take its turns from playing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from dataclasses import asdict

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from qsim.fuzz.strategy import Drawn, scenarios

#: How many scenarios a block has.
BLOCK = 100
#: A block is generated in short runs: from its tenth example on Hypothesis mostly varies the
#: last one, five times over.  The first two of each run are next to the simplest there is.
RUN = 10
SKIPPED = 2

#: Everything that decides what is generated; nothing is left to a profile.
GENERATE = settings(
    max_examples=RUN,
    phases=[Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=False,
    report_multiple_bugs=False,
    backend="hypothesis",
)


def seed_of(seed: int, number: int, run: int) -> int:
    """Hypothesis' seed for a run of a block."""
    return (seed << 40) + (number << 8) + run


def run_of(index: int) -> int:
    """The run in which a block's scenario is generated."""
    return index // (RUN - SKIPPED)


def block(seed: int, number: int) -> list[Drawn]:
    """The scenarios of a block."""
    found: list[Drawn] = []
    for run in range(run_of(BLOCK - 1) + 1):
        found += _run(seed_of(seed, number, run))[SKIPPED:]
    return found[:BLOCK]


def _run(seed: int) -> list[Drawn]:
    found: list[Drawn] = []

    @seeded(seed)
    @GENERATE
    @given(scenarios())
    def collect(drawn: Drawn) -> None:
        found.append(drawn)

    collect()
    # Fewer only if the first ones were alike; the places of the others must not move.
    return found + found[:1] * (RUN - len(found))


def blocks(seed: int, first: int, count: int) -> Generator[tuple[int, list[Drawn]], None, None]:
    """Blocks and their numbers, generated in a process of its own.

    :raise RuntimeError: when that fails.
    """
    command = [sys.executable, "-m", "qsim.fuzz.blocks", str(seed), str(first), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for number in range(first, first + count):
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(f"generating ended before block {number} of seed {seed}")
                yield number, [Drawn(**one) for one in json.loads(line)]
        finally:
            process.kill()


def main(seed: int, first: int, count: int) -> None:
    """Print blocks."""
    for number in range(first, first + count):
        print(json.dumps([asdict(one) for one in block(seed, number)]), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

# SPDX-License-Identifier: GPL-2.0-or-later
"""One read of every quorum, explored completely: by qsim with and without reduction, and by SPIN.

Each child answers with A or B, or fails with EIO or ENOSPC; every order, every threshold, both
patterns.  All must come to the same set of outcomes: how each child answers, what the guest gets,
and which events.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import click

from bench.spin.run import Outcome as Told
from bench.spin.run import SpinRun, verify
from qsim.explore.search import Reduction, Search, Way
from qsim.outcome import StepOutcome
from qsim.quorum.revisions import Revision, revision
from qsim.scenario import Case
from qsim.scenario.asked import load_asked
from qsim.scenario.content import describe

ANSWERS = ("A", "B", "EIO", "ENOSPC")
CONTENTS, FAULTS = ("A", "B"), ("ok", "EIO", "ENOSPC")


@dataclass(frozen=True)
class Row:
    """What one search cost, and what it found; seconds of one core."""

    executions: int
    states: int
    seconds: float
    outcomes: frozenset[Told]


def quorum(children: int, threshold: int, fifo: bool) -> Case:
    """The quorum, with everything left open."""
    pattern = {"read-pattern": "fifo"} if fifo else {}
    return load_asked(
        {
            "name": "read",
            "children": [{"contents": f"any of {', '.join(CONTENTS)}"} for _ in range(children)],
            "quorum": {"vote-threshold": threshold, **pattern},
            "steps": [
                {
                    "read": [0, 512],
                    "faults": {f"c{i}": f"any of {', '.join(FAULTS)}" for i in range(children)},
                }
            ],
        }
    )


def search(case: Case, wanted: Revision, reduction: Reduction) -> Row:
    """Explore, and tell the outcomes as the Promela model does."""
    began = time.process_time()
    one = Search(case, wanted, reduction, cancel=False)
    outcomes: set[Told] = set()
    for way in one.ways():
        outcomes.update(_told(way, list(case.children)))
    seconds = time.process_time() - began
    return Row(one.figures.executions, one.figures.states, seconds, frozenset(outcomes))


def _told(way: Way, children: list[str]) -> Iterator[Told]:
    """A way's outcome; a child that was not asked could have answered anything."""
    answers: dict[str, str] = {}
    for edge in way.path:
        picked = {pick.place: pick.choice for pick in edge.picks}
        failed = FAULTS[picked[1]]
        answers[edge.word] = failed if failed != "ok" else CONTENTS[picked[-2]]
    step: StepOutcome = way.outcome.steps[1]
    data = "none" if step.data is None else describe(step.data).partition(":")[0]
    events = tuple(sorted(map(str, step.events)))
    for all_answers in product(*([answers[c]] if c in answers else ANSWERS for c in children)):
        yield ",".join(all_answers), str(step.ret), data, events


@click.command()
@click.option("--children", default=5, show_default=True)
@click.option("--revision", "name", default="7.2", show_default=True)
@click.option("--unreduced/--reduced-only", default=True, help="Also play every order.")
@click.option("--spin/--no-spin", default=True, help="Also verify the Promela model.")
def main(children: int, name: str, unreduced: bool, spin: bool) -> None:
    """Print a row for each quorum; 1 when two do not come to the same."""
    wanted = revision(name)
    click.echo(
        f"{children} children, model {name}\n"
        f"{'':17}{'outcomes':>9}{'reduced: runs':>15}{'states':>8}{'s':>7}"
        f"{'every order: runs':>19}{'s':>8}{'SPIN: states':>14}{'s':>7}{'no p.o.r.':>11}{'s':>7}"
    )
    same = True
    total = [0.0, 0.0, 0.0, 0.0]
    for fifo, threshold in [
        *((False, threshold) for threshold in range(1, children + 1)),
        *((True, threshold) for threshold in range(1, children + 1)),
    ]:
        case = quorum(children, threshold, fifo)
        full = search(case, wanted, Reduction.FULL)
        cells = f"{len(full.outcomes):>9}{full.executions:>15}{full.states:>8}{full.seconds:>7.2f}"
        total[0] += full.seconds
        if unreduced:
            every = search(case, wanted, Reduction.ORDERS)
            same = same and every.outcomes == full.outcomes
            total[1] += every.seconds
            cells += f"{every.executions:>19}{every.seconds:>8.2f}"
        else:
            cells += f"{'-':>19}{'-':>8}"
        if spin:
            for i, reduced in enumerate((True, False), 2):
                run: SpinRun = verify(children, threshold, fifo, reduced)
                same = same and run.outcomes == full.outcomes
                total[i] += run.seconds
                cells += (
                    f"{run.states:>14}{run.seconds:>7.2f}"
                    if reduced
                    else (f"{run.states:>11}{run.seconds:>7.2f}")
                )
        pattern = "fifo" if fifo else "quorum"
        click.echo(f"{pattern:<7}threshold {threshold}{cells}")
    click.echo(
        f"seconds in all: reduced {total[0]:.1f}, every order {total[1]:.1f}, "
        f"SPIN {total[2]:.1f}, SPIN without partial-order reduction {total[3]:.1f}"
    )
    click.echo("the sets of outcomes are the same" if same else "THE SETS OF OUTCOMES DIFFER")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()

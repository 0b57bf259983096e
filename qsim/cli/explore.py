# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim explore``: every way a case can go, what can come of it, and what is wrong with any."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import click

from qsim.cli.common import REVISION, cases_argument, cases_named, reports, where_to_work
from qsim.cli.ends import WRONG, ends
from qsim.cluster.engine import Where, connected
from qsim.cluster.explore import explore_spread
from qsim.explore.checkpoint import CheckpointError, restore, save
from qsim.explore.exploration import Exploration
from qsim.explore.grid import grid, patterns_of
from qsim.explore.paths import Defect
from qsim.explore.search import UNBOUNDED, Bounds, Reduction
from qsim.progress import Tell, progress
from qsim.quorum.revisions import DEFAULT, revision
from qsim.report.explored import render_outcomes
from qsim.report.saved import Head, asked, saved

#: So many runs of the model lie between two states of the checkpoint file.
SAVE_EVERY = 2000


@click.command(
    "explore",
    epilog=ends(
        "1  there is a defect, or an outcome the scenario does not allow",
        WRONG,
        "3  the cluster cannot be used",
        "5  a bound was reached before everything was known",
        "130  it was interrupted; with --checkpoint the same command goes on",
        fine="everything is known, and nothing is wrong",
    ),
)
@cases_argument(none="without any, every request on small quorums")
@click.option(
    "--revision",
    "revision_name",
    type=REVISION,
    default=DEFAULT,
    show_default=True,
    help="The driver's revision, of which every way is gone.",
)
@click.option(
    "--children",
    type=click.Choice(["2", "3"]),
    help="Without CASE or FILE: only quorums of so many children.  Default: both.",
)
@click.option("--cancel/--no-cancel", default=True, help="Also cancel requests, at every point.")
@click.option(
    "--reduction",
    type=click.Choice([one.value for one in Reduction]),
    default=Reduction.FULL.value,
    help="none: play every order; states: enter each state once; full (default): and leave out "
    "what only exchanges independent completions.",
)
@click.option(
    "--max-executions",
    type=click.IntRange(min=1),
    default=UNBOUNDED.executions,
    show_default=True,
    help="Runs of the model for one case.",
)
@click.option(
    "--max-states",
    type=click.IntRange(min=1),
    default=UNBOUNDED.states,
    show_default=True,
    help="States of one case.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Go on from this file if it is there, and write to it how far it has come.",
)
@where_to_work
@reports
def explore_cases(
    selectors: tuple[str, ...],
    revision_name: str,
    children: str | None,
    cancel: bool,
    reduction: str,
    max_executions: int,
    max_states: int,
    checkpoint: Path | None,
    workers: int | None,
    scheduler: str,
) -> None:
    """Go every way a request can go: what can come of it, and what is wrong with any.

    \b
    Examples:
      qsim explore any-order/three-versions
      qsim explore --revision v4 2014-fifo
      qsim explore --revision v4 --children 2
      qsim explore fixtures/fifo.yaml --max-executions 100000 --checkpoint fifo.json

    Every order in which children answer, every point at which to cancel, every fault and content
    a scenario leaves open.  Of each CASE the set of outcomes is shown.  Without CASE or FILE:
    every request on quorums of two and three children, each child answering or failing with one
    of three errnos.  Each defect comes with the shortest scenario that shows it.
    """
    wanted = revision(revision_name)
    if selectors:
        # Image files are not ours to answer for, so there is no order to choose; nor is a job's.
        cases = [
            case
            for case in cases_named(selectors)
            if case.steps and not (case.images or case.runs_job or case.is_killed)
        ]
    else:
        cases = grid((int(children),) if children else (2, 3), patterns_of(wanted))
    exploration = Exploration(
        cases, wanted, Reduction(reduction), cancel, Bounds(max_executions, max_states)
    )
    where = Where(workers or 0, scheduler)
    if where and checkpoint:
        raise click.UsageError("--checkpoint: an exploration on a cluster has none; leave it out")
    _explore(exploration, checkpoint, where)
    wrong = False
    if selectors:
        for number, outcomes in enumerate(exploration.outcomes):
            whole = number not in exploration.bounded
            text, allowed = render_outcomes(cases[number], outcomes, wanted, whole)
            click.echo(text)
            wrong = wrong or not allowed
    defects = exploration.defects
    for number, defect in enumerate(defects, 1):
        _show(number, defect, wanted.name)
    figures = exploration.figures
    click.echo(
        f"{len(cases)} cases, {figures.executions} executions, {figures.states} states, "
        f"{sum(map(len, exploration.outcomes))} outcomes, {len(defects)} defects "
        f"(model {wanted.name})"
    )
    if exploration.bounded:
        ids = ", ".join(cases[number].id for number in exploration.bounded)
        click.echo(f"NOT ALL WAYS ARE KNOWN, a bound was reached: {ids}")
    sys.exit(1 if defects or wrong else 5 if exploration.bounded else 0)


def _explore(exploration: Exploration, checkpoint: Path | None, where: Where) -> None:
    """Explore with progress on a terminal; what was done is kept when it is interrupted."""
    if checkpoint is not None and checkpoint.exists():
        try:
            restore(exploration, checkpoint)
        except CheckpointError as error:
            raise click.UsageError(f"--checkpoint: {error}") from None
    stop = Event()
    usual = signal.signal(signal.SIGINT, lambda *_: _stop(stop, usual))
    try:
        with progress("exploring", len(exploration.cases), exploration.number) as tell:
            tick = _tick(exploration, tell, checkpoint, stop)
            if where:
                with connected(where) as client:
                    explore_spread(exploration, client, tick)
            else:
                exploration.run(tick)
    except KeyboardInterrupt:
        if checkpoint is None:
            raise
        save(exploration, checkpoint)
        click.echo(f"interrupted; the same command goes on from {checkpoint}", err=True)
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, usual)
    if checkpoint is not None:
        save(exploration, checkpoint)


def _tick(
    exploration: Exploration, tell: Tell, checkpoint: Path | None, stop: Event
) -> Callable[[], None]:
    def tick() -> None:
        figures = exploration.figures
        tell(exploration.number, f"{figures.executions} executions, {figures.states} states")
        if checkpoint is not None and not figures.executions % SAVE_EVERY:
            save(exploration, checkpoint)
        if stop.is_set():
            raise KeyboardInterrupt

    return tick


def _stop(stop: Event, usual: Any) -> None:
    """Ctrl-C: the exploration stops after the run that is being made, at once for the second."""
    signal.signal(signal.SIGINT, usual)
    stop.set()


def _show(number: int, defect: Defect, revision_name: str) -> None:
    """A defect as a scenario file."""
    name = f"way {number}"
    raw = {"name": name, **asked(defect.case.raw) | {"name": name}}
    head = Head(
        f"explored {number}", defect.what, f"an exploration of {defect.case.id}", revision_name
    )
    click.echo(f"# {number}. {defect.what}\n{saved(raw, defect.outcome, head)}")

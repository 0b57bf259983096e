# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim explore``: every way a case can go."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from qsim.cli.common import REVISION, cases_named, reports
from qsim.explore.grid import grid, patterns_of
from qsim.explore.paths import Defect, defects_on, paths, shortest
from qsim.quorum.revisions import DEFAULT, revision
from qsim.report.scenario import is_plain, scenario_text
from qsim.report.terminal import render_outcome


@click.command("explore")
@click.argument("selectors", nargs=-1, metavar="[CASE|FILE]...")
@click.option("--revision", "revision_name", type=REVISION, default=DEFAULT)
@click.option("--children", type=click.Choice(["2", "3"]), help="Only so many. Default: both.")
@click.option("--cancel/--no-cancel", default=True, help="Also cancel requests, at every point.")
@reports
def explore_cases(
    selectors: tuple[str, ...], revision_name: str, children: str | None, cancel: bool
) -> None:
    """Look for memory and callback defects on every way a request can go.

    Every order in which children answer, every point at which to cancel.  Without CASE or FILE:
    every request on quorums of two and three children, each child answering or failing with one
    of three errnos.  Each defect comes with the shortest scenario that shows it; 1 if any.
    """
    wanted = revision(revision_name)
    if selectors:
        # Image files are not ours to answer for, so there is no order to choose.
        cases = [
            case for case in cases_named(selectors) if len(case.steps) == 1 and not case.images
        ]
    else:
        counts = (int(children),) if children else (2, 3)
        cases = grid(counts, patterns_of(wanted))
    ways = 0
    found: list[Defect] = []
    with click.progressbar(cases, label="exploring", file=sys.stderr) as bar:
        for case in bar:
            for path in paths(case, wanted, cancel):
                ways += 1
                found += defects_on(case, path)
    found = shortest(found)
    for number, defect in enumerate(found, 1):
        click.echo(f"# {number}. {defect.what}")
        if not is_plain(defect.case):
            words = ", ".join(defect.case.steps[0].complete)
            click.echo(f"{defect.case.id} with complete: [{words}]")
            click.echo(render_outcome(defect.outcome) + "\n")
            continue
        named = replace(defect.case, name=f"way {number}", source="an exploration")
        text = scenario_text(named, defect.outcome, f"explored {number}", defect.what, wanted.name)
        click.echo(f"{text}")
    click.echo(f"{len(cases)} cases, {ways} ways, {len(found)} defects (model {wanted.name})")
    sys.exit(1 if found else 0)

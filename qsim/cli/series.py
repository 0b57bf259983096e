# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim series``: the patch series, and what changed between two revisions."""

from __future__ import annotations

import sys

import click

from qsim.cli.common import REVISION, cases_named, reports
from qsim.quorum.revisions import rank, revision
from qsim.report.series import differing_steps, render_diff, render_series
from qsim.scenario import Case
from qsim.series.diff import changes


@click.group(invoke_without_command=True)
@click.pass_context
def series(context: click.Context) -> None:
    """The patch series: its versions, the state after every patch, and what followed."""
    if context.invoked_subcommand is None:
        click.echo(render_series())


@series.command("diff")
@click.argument("left", type=REVISION, metavar="FROM")
@click.argument("right", type=REVISION, metavar="TO")
@click.argument("selectors", nargs=-1, metavar="[CASE|FILE]...")
@reports
def series_diff(left: str, right: str, selectors: tuple[str, ...]) -> None:
    """Which scenarios come out differently from one revision to a later one, how, and why.

    Without CASE or FILE: the scenarios of 2014, or between two releases all others.
    """
    a, b = sorted((revision(left), revision(right)), key=lambda one: rank(one.name))
    cases = cases_named(selectors)
    if not selectors:
        of_2014 = "callback" in (a.engine, b.engine)
        cases = [case for case in cases if _is_of_2014(case) == of_2014]
    steps = differing_steps(a.name, b.name)
    if steps:
        click.echo(f"{steps}\n")
    found = list(changes(cases, a, b))
    click.echo(render_diff(a, b, found, len(cases)))
    sys.exit(1 if any(not change.causes for change in found) else 0)


def _is_of_2014(case: Case) -> bool:
    return case.until is not None and revision(case.until).engine == "callback"

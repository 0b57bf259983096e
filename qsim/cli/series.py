# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim series``: the patch series, and what changed between two revisions."""

from __future__ import annotations

import sys

import click

from qsim.cli.common import REVISION, cases_argument, cases_named, reports
from qsim.cli.ends import WRONG, ends
from qsim.progress import counted
from qsim.quorum.revisions import rank, revision
from qsim.report.series import differing_steps, render_diff, render_series
from qsim.scenario import Case
from qsim.series.diff import changes


@click.group(invoke_without_command=True)
@click.pass_context
def series(context: click.Context) -> None:
    """The patch series: its versions, the state after every patch, and what followed.

    \b
    Examples:
      qsim series
      qsim series diff v3 v4

    Without a subcommand all of it is told: of each state what the schema takes and what the driver
    takes, its name for --revision, its commit, and what nothing at hand determines.
    """
    if context.invoked_subcommand is None:
        click.echo(render_series())


@series.command(
    "diff",
    epilog=ends(
        "1  something comes out differently and no reason for it is known",
        WRONG,
        fine="every difference has its reason, or there is none",
    ),
)
@click.argument("left", type=REVISION, metavar="FROM", help="A revision, or its upstream commit.")
@click.argument("right", type=REVISION, metavar="TO", help="Another one, later or earlier.")
@cases_argument(none="without any, the scenarios of 2014, or between two releases all others")
@reports
def series_diff(left: str, right: str, selectors: tuple[str, ...]) -> None:
    """Which scenarios come out differently from one revision to a later one, how, and why.

    \b
    Examples:
      qsim series diff v3 v4
      qsim series diff v4 v4-merged 2014-drive
      qsim series diff 7.2 10.0 no-flush

    Each is played on both states of the model.  A reason is a behaviour that one has and the other
    has not, of the driver or of the block layer below it, with where it comes from; the scenarios
    that it makes come out differently stand under it.
    """
    a, b = sorted((revision(left), revision(right)), key=lambda one: rank(one.name))
    cases = cases_named(selectors)
    if not selectors:
        of_2014 = "callback" in (a.engine, b.engine)
        cases = [case for case in cases if _is_of_2014(case) == of_2014]
    steps = differing_steps(a.name, b.name)
    if steps:
        click.echo(f"{steps}\n")
    found = list(changes(counted("comparing", cases, len(cases)), a, b))
    click.echo(render_diff(a, b, found, len(cases)))
    sys.exit(1 if any(not change.causes for change in found) else 0)


def _is_of_2014(case: Case) -> bool:
    return case.until is not None and revision(case.until).engine == "callback"

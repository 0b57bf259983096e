# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim trace``: what happened, as a sequence diagram."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial

import click

from qsim.cli.asked import asked_or_named, closed, node_options, title
from qsim.cli.common import (
    REVISION,
    cases_argument,
    iothread_option,
    on_binary,
    qemu_option,
    reports,
    revision_option,
)
from qsim.cli.ends import NO_BINARY, WRONG, ends
from qsim.cli.format import format_option, here
from qsim.outcome import Outcome
from qsim.quorum.revisions import DEFAULT, Revision, revision
from qsim.report import mail
from qsim.report.lanes import DRAWN, TYPED, WIDTH, Look, beside, draw
from qsim.scenario import Case
from qsim.trace.diagram import Diagram, diagram
from qsim.trace.watch import watched


@click.command(
    epilog=ends("1  two runs part, or a run went wrong", WRONG, NO_BINARY, fine="all is drawn")
)
@cases_argument(scenarios=True, none="at least one")
@revision_option
@qemu_option
@iothread_option
@click.option(
    "--against",
    "other",
    type=REVISION,
    help="Side by side with the model of this revision; the first difference is marked.",
)
@click.option("--why", is_flag=True, help="Tell why the driver does it, and in which C function.")
@node_options
@format_option
@reports
def trace(
    selectors: tuple[str, ...],
    revision_name: str | None,
    qemu: str | None,
    iothread: bool,
    other: str | None,
    why: bool,
    drive: str | None,
    blockdev: str | None,
    format_: str,
) -> None:
    """Draw what happens in a case: requests, completions, votes, events, answers.

    \b
    Examples:
      qsim trace fifo/second-child-answers
      qsim trace --why 'children=A,B,B threshold=2; read 0 512'
      qsim trace --revision v4 2014-fifo/no-child-answers
      qsim trace --revision 5.2 --against 10.0 'children=2; read 0 512'
      qsim trace fifo --qemu /usr/bin/qemu-system-x86_64 --against 7.2

    On the model, or with --qemu on a binary, which shows no votes: only what follows from them.
    In a terminal lines and colours, else plain text of 80 columns.
    """
    named = asked_or_named(selectors, drive, blockdev)
    if not named:
        raise click.UsageError("name a case or a file, or say what is to be done")
    about: list[str] = []
    if qemu is None:
        wanted = revision(revision_name or DEFAULT)
        cases, shown = _on_model(named, wanted)
        about.append(mail.of_model(wanted))
    else:
        version, _, cases, outcomes = on_binary(
            qemu, partial(closed, named), revision_name, iothread
        )
        shown = [diagram(case, outcome) for case, outcome in zip(cases, outcomes, strict=True)]
        about.append(mail.of_binary(version, qemu))
    look = _look(why, format_)
    parted = False
    drawn = []
    for case, one in zip(cases, shown, strict=True):
        drawn.append(title(case))
        if other is None:
            drawn += [draw(one, look), ""]
            continue
        about.insert(0, mail.of_model(revision(other)))
        text, differs = beside(_of_model(case, revision(other)), one, look)
        parted = parted or differs
        drawn += [text, ""]
    here("\n".join(drawn), format_, dict.fromkeys(about))
    sys.exit(1 if parted or any(one.trouble for one in shown) else 0)


def _on_model(named: Sequence[Case], wanted: Revision) -> tuple[list[Case], list[Diagram]]:
    cases = closed(named, wanted)
    return cases, [_of_model(case, wanted) for case in cases]


def _of_model(case: Case, wanted: Revision) -> Diagram:
    outcome: Outcome
    outcome, remarks = watched(case, wanted)
    return diagram(case, outcome, remarks)


def _look(why: bool, format_: str) -> Look:
    """How it looks here: in a terminal drawn and in colour, else plain and 80 columns wide."""
    if format_ == "mail":
        return Look(mail.WIDTH, TYPED, False, why)
    if not sys.stdout.isatty():
        return Look(WIDTH, TYPED, False, why)
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Look(max(WIDTH, width), DRAWN if utf8 else TYPED, colour, why)

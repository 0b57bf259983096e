# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim export``: a scenario for who has no qsim."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import click

from qsim.cli.asked import asked_or_named, closed, is_asked, node_options, title
from qsim.cli.common import reports, revision_option
from qsim.cli.completion import complete_cases
from qsim.cli.ends import ends
from qsim.export.iotest import iotest_text, reference_text
from qsim.export.plan import Plan, plan
from qsim.export.reach import BeyondReach
from qsim.export.shell import script_text
from qsim.quorum.revisions import DEFAULT, Revision, revision
from qsim.report.mail import ours
from qsim.report.saved import Head, saved
from qsim.scenario import Case
from qsim.scenario.asked import load_asked
from qsim.target.model import run_model


@click.command(
    "export",
    epilog=ends(
        "2  the command line is wrong, or the case cannot be exported, and why",
        fine="it is written",
    ),
)
@click.argument(
    "selector",
    metavar="CASE|SCENARIO",
    shell_complete=complete_cases,
    help="FAMILY/NAME, FILE::NAME, or a scenario in one line.",
)
@click.option("--qemu-io", is_flag=True, help="A shell script of QEMU's tools.")
@click.option("--iotest", is_flag=True, help="A test for tests/qemu-iotests/tests/.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="Where to: the script's file (else it is printed); the test's file, or its folder (else "
    "here), where nothing is overwritten.",
)
@revision_option
@node_options
@reports
def export(
    selector: str,
    qemu_io: bool,
    iotest: bool,
    output: Path | None,
    revision_name: str | None,
    drive: str | None,
    blockdev: str | None,
) -> None:
    """Write a case down so that it can be tried without qsim.

    \b
    Examples:
      qsim export --qemu-io fifo/second-child-answers
      qsim export --qemu-io 'children=A,B pattern=fifo; c0: EIO; read 0 512' -o retry.sh
      qsim export --iotest 'children=A,B,B threshold=2; read 0 512'

    It expects what the model of the revision shows. What files, blkdebug and one order of
    completion cannot express is refused with the reason, and with the nearest scenario that can be
    exported.  In QEMU's own tree, -o tests/qemu-iotests/tests is the place of an iotest.
    """
    if qemu_io == iotest:
        raise click.UsageError("say what is to be written: --qemu-io or --iotest")
    wanted = revision(revision_name or DEFAULT)
    if wanted.engine == "callback":
        raise click.UsageError(
            f"no QEMU that takes -blockdev has the driver of {wanted.name}: it is of 2014; see "
            "'qsim trace --format=mail'"
        )
    cases = closed(asked_or_named([selector], drive, blockdev), wanted)
    if len(cases) != 1:
        raise click.UsageError(f"{selector!r} is {len(cases)} cases; name one: FAMILY/NAME")
    (case,) = cases
    if is_asked(case):
        # Whoever reads it elsewhere wants to know what was asked.
        asked = selector if blockdev is None else f"-blockdev {blockdev}; {selector}"
        case = replace(case, name=asked, source=f"block/quorum.c ({wanted.name})")
    try:
        made = plan(case, run_model(case, wanted))
    except BeyondReach as beyond:
        _refuse(case, beyond, wanted)
    origin = f"Made by {ours()}."
    if not is_asked(case):
        origin = f"Made from {title(case)} by {ours()}."
    if qemu_io:
        _script(made, origin, output)
    else:
        _iotest(made, origin, output or Path())


def _script(made: Plan, origin: str, output: Path | None) -> None:
    text = script_text(made, origin)
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, "utf-8")
    output.chmod(0o755)
    click.echo(f"written: {output}")


def _iotest(made: Plan, origin: str, output: Path) -> None:
    test = output
    if output.is_dir():
        test = output / _name(made.case)
        if test.exists():
            raise click.UsageError(f"{test} is there already; name another file with -o")
    reference = test.with_name(f"{test.name}.out")
    test.write_text(iotest_text(made, origin), "utf-8")
    test.chmod(0o755)
    reference.write_text(reference_text(made), "utf-8")
    click.echo(f"written: {test}, {reference}")


def _name(case: Case) -> str:
    """A name as tests there have: words and dashes."""
    words = "asked" if is_asked(case) else f"{case.family} {case.name}"
    return f"quorum-{re.sub(r'[^a-z0-9]+', '-', words.lower()).strip('-')}"


def _refuse(case: Case, beyond: BeyondReach, wanted: Revision) -> None:
    click.echo(f"qsim: {case.id} cannot be exported:", err=True)
    for reason in beyond.reasons:
        click.echo(f"  - {reason}", err=True)
    if beyond.nearest is not None:
        nearest = load_asked(beyond.nearest)
        head = Head("nearest", f"Like {case.id}, as far as it can be exported.", case.source,
                    wanted.name)  # fmt: skip
        click.echo("the nearest that can be, as a scenario file:\n", err=True)
        click.echo(saved(beyond.nearest, run_model(nearest, wanted), head), err=True)
    sys.exit(2)

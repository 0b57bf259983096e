# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim claims``: what the cover letter says, put to the test."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from qsim.claims.finding import Finding
from qsim.claims.parts import PARTS, Asked
from qsim.claims.written import LibraryMissing, look_for_libraries, write
from qsim.cli.common import look_at, qemu_option_with, reports
from qsim.cli.ends import NO_BINARY, ends
from qsim.progress import progress


@click.command(
    "claims",
    epilog=ends(
        "1  a prediction, the model or the binary disagrees with another",
        "2  the command line is wrong, a library is missing, a file not writable",
        NO_BINARY,
        "130  it was interrupted; what was found so far is told, and written whole",
        fine="they agree; whether a claim holds is what the lines say",
    ),
)
@click.argument(
    "names",
    nargs=-1,
    metavar="[PART]...",
    type=click.Choice(list(PARTS)),
    help=f"{', '.join(PARTS)}; without any, all of them.",
)
@qemu_option_with("  It is looked at first, whatever the parts; availability runs no QEMU.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False, writable=True),
    default=Path("claims"),
    show_default=True,
    help="Write tables and plots to this folder.",
)
@click.option(
    "--reads",
    type=click.IntRange(min=1),
    default=400,
    show_default=True,
    help="Guest reads in each setting.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=2014,
    show_default=True,
    help="Of all that is drawn.",
)
@reports
def claims(names: tuple[str, ...], qemu: str | None, out: Path, reads: int, seed: int) -> None:
    """Put the cover letter's claims to the test: one line for each, with tables and plots.

    \b
    Examples:
      qsim claims --qemu /usr/bin/qemu-system-x86_64
      qsim claims reading --reads 100 --out reading

    Predicted by the model, and with --qemu measured on a binary.  Tables are written as CSV,
    plots as SVG and PNG.  The same seed draws the same, on any machine.
    """
    try:
        look_for_libraries()
    except LibraryMissing as error:
        raise click.UsageError(str(error)) from None
    # A binary that cannot be used, and a folder that cannot be, are told now and not after minutes.
    if qemu is not None:
        look_at(qemu)
    out.mkdir(parents=True, exist_ok=True)
    asked = Asked(qemu, reads, seed)
    found: dict[str, Finding] = {}
    try:
        for name in dict.fromkeys(names or PARTS):
            part = PARTS[name]
            with progress(name, part.steps()) as tell:
                found[name] = part.find(asked, tell)
            for path in write(found[name], out):
                click.echo(str(path))
    finally:
        # What is interrupted, or fails, has found what it has found.
        _say(found)
    sys.exit(1 if any(finding.differences for finding in found.values()) else 0)


def _say(found: Mapping[str, Finding]) -> None:
    """A line for each claim, then one for each difference, and last how many there are."""
    if found:
        click.echo()
    for finding in found.values():
        for verdict in finding.verdicts:
            click.echo(str(verdict))
    for finding in found.values():
        for difference in finding.differences:
            click.echo(f"DIFFERS: {difference}")
    if total := sum(len(finding.differences) for finding in found.values()):
        each = ", ".join(_count(name, one) for name, one in found.items() if one.differences)
        click.echo(f"{total} {'difference' if total == 1 else 'differences'}: {each}")


def _count(name: str, finding: Finding) -> str:
    differing = f" ({finding.differing})" if finding.differing else ""
    return f"{len(finding.differences)} in {name}{differing}"

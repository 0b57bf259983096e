# SPDX-License-Identifier: GPL-2.0-or-later
"""Releases of QEMU side by side: ``python -m tools.releases unpack``, or ``check``.

Exit status: 0 all agree; 1 something differs; 2 the command line is wrong; 3 a release cannot be
unpacked or compared.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click

from qsim.cli.ends import ends
from tools.catalogue import PLAYS, RELEASES
from tools.error import ToolError
from tools.play import Row, play, status_of, table
from tools.unpack import Unpacked, check_machine, default_folder, unpack

NAMES = [release.name for release in RELEASES]

UNPACKED = ends(
    "2  the command line is wrong",
    "3  a release cannot be unpacked",
    fine="all that were asked for are there",
)
CHECKED = ends(
    "1  something differs",
    "2  the command line is wrong",
    "3  a release cannot be unpacked or compared",
    fine="all agree",
)

_folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_folder,
    envvar="QSIM_RELEASES",
    help="Where the releases are.  Default: qsim/releases in the user's cache.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Have QEMU 5.2, 7.2, 10.0 and 11.1 side by side, and compare all of them.

    \b
    Examples:
      python -m tools.releases check
      python -m tools.releases unpack 7.2

    They are Debian's own builds; nothing is installed.
    """


def _have(names: Sequence[str], folder: Path) -> tuple[dict[str, Unpacked], dict[str, str]]:
    """The releases that can be had, and what is wrong with the others."""
    there: dict[str, Unpacked] = {}
    wrong: dict[str, str] = {}
    try:
        check_machine()
    except ToolError as error:
        click.echo(f"releases: {error}", err=True)
        sys.exit(3)
    for release in RELEASES:
        if names and release.name not in names:
            continue
        try:
            there[release.name] = unpack(release, folder, _say)
        except ToolError as error:
            wrong[release.name] = str(error)
            _say(f"{release.name} ({release.suite}): {error}")
    return there, wrong


def _say(text: str) -> None:
    click.echo(f"releases: {text}", err=True)


def is_terminal() -> bool:
    """Whether somebody is looking."""
    return sys.stdout.isatty()


def _place(done: int, count: int, seconds: float) -> str:
    """How far it has come, for a terminal; in a log the heads of the runs are enough."""
    if not is_terminal():
        return ""
    left = f", {timedelta(seconds=round(seconds / done * (count - done)))} left" if done else ""
    return f" ({done + 1} of {count}{left})"


@main.command("unpack", epilog=UNPACKED)
@click.argument(
    "names",
    nargs=-1,
    type=click.Choice(NAMES),
    metavar="[RELEASE]...",
    help=f"{', '.join(NAMES)}; without any, all of them.",
)
@_folder_option
def unpack_releases(names: tuple[str, ...], folder: Path) -> None:
    """Unpack what is missing, and print the folders the programs are in.

    \b
    Examples:
      python -m tools.releases unpack
      python -m tools.releases unpack 7.2 --folder /tmp/releases
    """
    there, wrong = _have(names, folder)
    for unpacked in there.values():
        click.echo(f"{unpacked.version:<9}{unpacked.bin}")
    sys.exit(3 if wrong else 0)


@main.command(context_settings={"ignore_unknown_options": True}, epilog=CHECKED)
@click.option(
    "--release", "names", multiple=True, type=click.Choice(NAMES), help="Only this one, or these."
)
@_folder_option
@click.argument(
    "arguments",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[PYTEST ARGUMENT]...",
    help="Options of the suite, given to every run; see 'pytest conformance --help'.",
)
def check(names: tuple[str, ...], folder: Path, arguments: tuple[str, ...]) -> None:
    """Run the suite on every release, and end with one table.

    \b
    Examples:
      python -m tools.releases check
      python -m tools.releases check --release=5.2 -k fifo
      python -m tools.releases check --repeat=10
    """
    there, wrong = _have(names, folder)
    catalogue = {release.name: release for release in RELEASES}
    rows = []
    count, done, began = sum(name in there for name, _ in PLAYS), 0, time.monotonic()
    for name, program in PLAYS:
        if name in there:
            place = _place(done, count, time.monotonic() - began)
            click.secho(f"\n{there[name].bin / program}{place}", bold=True)
            done += 1
            rows.append(play(there[name], program, arguments))
        elif name in wrong:
            rows.append(Row(catalogue[name], program, trouble="could not be unpacked, see above"))
    click.echo()
    for line in table(rows):
        click.echo(line)
    sys.exit(status_of(rows))


if __name__ == "__main__":
    main()

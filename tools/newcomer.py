# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m tools.newcomer [URL]``: the reviewer's five minutes, as somebody new has them.

In an empty folder, in one shell, types every command of docs/five-minutes.md from ``git clone``
on, and compares what is printed with what the page of the clone shows.  Needs a package index.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import click

from tools.pages import Shell, Shown, sessions

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/five-minutes.md"
#: Where the page has to be had from before it can be read.
CLONE = "git clone URL qsim"
#: What would lead to another Python or qsim than the one that is installed on the way.
OURS = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
#: What pip says of itself and of a machine's indexes, which no page can know.
PIPS = ("WARNING: ", "[notice] ")


@click.command()
@click.argument("url", default=str(ROOT))
def main(url: str) -> None:
    """Follow docs/five-minutes.md from nothing, in a clone of URL (default: this checkout)."""
    environ = {name: value for name, value in os.environ.items() if name not in OURS}
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="newcomer-") as folder,
        Shell(Path(folder), environ) as shell,
    ):
        clone = CLONE.replace("URL", url)
        click.echo(f"$ {clone}\n" + "\n".join(shell.enter(clone)))
        typed = [shown for session in sessions(Path(folder, "qsim", PAGE)) for shown in session]
        assert typed[0].command == CLONE
        differing = sum(not _as_shown(shell, shown) for shown in typed[1:])
    minutes = (time.monotonic() - started) / 60
    click.echo(f"{len(typed)} commands, {differing} differ, {minutes:.1f} minutes")
    sys.exit(1 if differing else 0)


def _as_shown(shell: Shell, shown: Shown) -> bool:
    began = time.monotonic()
    told = [line for line in shell.enter(shown.command) if not line.startswith(PIPS)]
    click.echo(f"$ {shown.command}   # {time.monotonic() - began:.1f} s")
    if shown.agrees(told):
        return True
    click.echo("\n".join(["-- the page:", *shown.output, "-- printed:", *told, "--"]))
    return False


if __name__ == "__main__":
    main()

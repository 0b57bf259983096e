# SPDX-License-Identifier: GPL-2.0-or-later
"""For a reply on the list: 72 columns, plain text, and all it takes to see the same again."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import qsim
from qsim.quorum.revisions import Revision
from qsim.report.lanes import wrapped

#: Columns, so that it still fits when it has been quoted a few times.
WIDTH = 72


def letter(body: str, about: Sequence[str], again: str) -> str:
    """``body`` with what was involved above it, and below it the command that shows it again."""
    head = [
        fill(one, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
        for one in (*about, ours())
    ]
    lines = [line for text in body.splitlines() for line in wrapped(text, WIDTH, 4)]
    # A command must survive being copied, so it stays on one line.
    return "\n".join([*head, "", *lines, "", f"  $ {again}"])


def of_model(revision: Revision) -> str:
    """A revision of the driver, and the commit it was read from."""
    commit = f", commit {revision.commit}" if revision.commit else ""
    return f"Model {revision.name}: {revision.describes}{commit}"


def of_binary(version: str, path: str) -> str:
    """A binary, by its version and its path."""
    return f"Binary: QEMU {version} ({path})"


def ours() -> str:
    """This program, and the commit when it runs from a checkout of its own."""
    place = Path(qsim.__file__).resolve().parent
    commit = ""
    if (place.parent / ".git").exists():
        asked = subprocess.run(
            ["git", "-C", str(place), "rev-parse", "--short=10", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        )
        commit = f", commit {asked.stdout.strip()}" if asked.returncode == 0 else ""
    return f"qsim {qsim.__version__}{commit}"

# SPDX-License-Identifier: GPL-2.0-or-later
"""For a reply on the list: 72 columns, plain text, and all it takes to see the same again."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill

import qsim
from qsim.quorum.revisions import Revision
from qsim.report.lanes import wrapped

#: Columns, so that it still fits when it has been quoted a few times.
WIDTH = 72


def letter(body: str, about: Sequence[str], again: Sequence[str]) -> str:
    """``body`` with what was involved above it, and below it the command that shows it again.

    :param again: the words of that command.
    """
    head = [
        fill(one, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
        for one in (*about, ours())
    ]
    lines = [line for text in body.splitlines() for line in wrapped(text, WIDTH, 4)]
    return "\n".join([*head, "", *lines, "", *command(again)])


def command(words: Sequence[str]) -> list[str]:
    """A command as a shell takes it when it is copied, in lines that go on behind a backslash.

    A word that is longer than a line goes on at the beginning of the next, as blanks there would
    end it.
    """
    lines = ["  $"]
    for i, word in enumerate(words):
        quoted = shlex.quote(word)
        # Behind all but the last there must be room for a backslash.
        room = WIDTH - 2 * (i + 1 < len(words))
        if len(lines[-1]) + 1 + len(quoted) <= room:
            lines[-1] += f" {quoted}"
        elif 6 + len(quoted) <= room:
            lines[-1] += " \\"
            lines.append(f"      {quoted}")
        else:
            lines[-1] += " \\"
            lines += _in_pieces(word)
    return lines


#: The longest piece of a word, so that its quotes and two backslashes have room.
_PIECE = 60


def _in_pieces(word: str) -> Iterator[str]:
    """A word in quoted pieces, which end behind a blank, a comma or a hyphen where there is one."""
    indent = "      "
    while len(shlex.quote(word)) > _PIECE:
        end = _PIECE - 2
        while len(shlex.quote(word[:end])) > _PIECE:
            end -= 1
        nice = re.match(r".*[ ,-]", word[:end], re.DOTALL)
        if nice is not None:
            end = nice.end()
        yield f"{indent}{shlex.quote(word[:end])}\\"
        word, indent = word[end:], ""
    yield f"{indent}{shlex.quote(word)}"


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

# SPDX-License-Identifier: GPL-2.0-or-later
"""For whom a command prints: who is here, or who reads the list."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from qsim.report import mail

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "mail"]),
    default="text",
    show_default=True,
    help="mail: 72 columns, no colour, with all versions, for a reply on the list.",
)


def here(text: str, format_: str, about: Iterable[str]) -> None:
    """Print ``text``, or a letter with it.

    :param about: what was involved, a line each.
    """
    if format_ == "mail":
        text = mail.letter(text.rstrip(), [*about], again())
    click.echo(text)


def again() -> list[str]:
    """The words of the command that was given, but for its format."""
    words = [word for word in sys.argv[1:] if word != "--format=mail"]
    if "--format" in words:
        at = words.index("--format")
        del words[at : at + 2]
    return ["qsim", *words]

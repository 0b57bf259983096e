# SPDX-License-Identifier: GPL-2.0-or-later
"""A group of commands each of which is imported when it is asked for, and not before.

What the shell asks at every Tab, and the list of commands, need a sentence of each, no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem


@dataclass(frozen=True)
class Lazy:
    """Where a command is, and its first sentence."""

    module: str
    attribute: str
    sentence: str

    def load(self) -> click.Command:
        """The command itself."""
        command = getattr(import_module(self.module), self.attribute)
        assert isinstance(command, click.Command)
        return command


class LazyGroup(click.Group):
    """A group whose commands are named by a table; they are listed in its order."""

    def __init__(self, *args: Any, table: Mapping[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = self.table.get(cmd_name)
        return None if found is None else found.load()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.sentence) for name, one in self.table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [
            CompletionItem(name, help=one.sentence)
            for name, one in self.table.items()
            if name.startswith(incomplete)
        ]
        # Without those of a group, which imports them all.
        return names + click.Command.shell_complete(self, ctx, incomplete)

# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim completion``, and the values that are completed: cases here, revisions by their type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from qsim.cli.ends import ends
from qsim.data import fixtures_path

SHELLS = ("bash", "zsh", "fish")

#: Where a family and a case have their names, in the files that ship.
_NAME = re.compile(r"^(?:family|- name): (.*)$|^- \{name: ([^,}]*)", re.MULTILINE)


@click.command(epilog=ends("2  the command line is wrong", fine="it is printed"))
@click.argument("shell", type=click.Choice(SHELLS), help="The shell it is for.")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete the commands, options, cases and revisions of qsim.

    \b
    Examples:
      qsim completion bash >> ~/.bashrc
      qsim completion zsh >> ~/.zshrc
      qsim completion fish > ~/.config/fish/completions/qsim.fish

    Then begin a new shell.  To try it in this one: source <(qsim completion bash).
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "qsim", "_QSIM_COMPLETE").source())


def complete_cases(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Families, and the cases of the one that is begun; where none is, files.

    A scenario file is not checked, only its names are looked for: that takes too long for a key.
    """
    families = dict(_families(fixtures_path()))
    begun = [name for name in families if name.startswith(incomplete)]
    if "/" in incomplete or len(begun) == 1:
        begun += [
            case
            for family, cases in families.items()
            for case in cases
            if case.startswith(incomplete)
        ]
    return [CompletionItem(name) for name in begun] or [CompletionItem(incomplete, type="file")]


def _families(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Every family with the ids of its cases."""
    for path in sorted(folder.rglob("*.yaml")):
        found = ["".join(names) for names in _NAME.findall(path.read_text("utf-8", "replace"))]
        family, *cases = [name.strip("\"' ").replace(" ", "-") for name in found] or [""]
        yield family, [f"{family}/{name}" for name in cases]

# SPDX-License-Identifier: GPL-2.0-or-later
"""The exit statuses of docs/ci.md that tests of what a command does have no reason to look at."""

from __future__ import annotations

import asyncio
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from qsim import cli
from qsim.cli.common import reports
from qsim.outcome import Outcome
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.target.background import Background
from qsim.target.model import run_model

ROOT = Path(__file__).parent.parent
#: A command is loaded when it is asked for.
CONTEXT = click.Context(cli.main)


def qsim(*words: str) -> Result:
    return CliRunner().invoke(cli.main, words)


def leaves(group: click.Group, prefix: str = "") -> list[str]:
    """The names of all commands that do something."""
    found = []
    for name in group.list_commands(CONTEXT):
        command = group.get_command(CONTEXT, name)
        assert command is not None
        if isinstance(command, click.Group):
            found += leaves(command, f"{prefix}{name} ")
        if not isinstance(command, click.Group) or command.invoke_without_command:
            found.append(prefix + name)
    return found


def documented() -> dict[str, set[int]]:
    """The table of docs/ci.md: the statuses of each command."""
    text = (ROOT / "docs" / "ci.md").read_text("utf-8").partition("## Exit status")[2]
    return {
        name: {int(number) for number in re.findall(r"\*\*(\d+)\*\*", cell)}
        for name, cell in re.findall(r"^\| `([a-z ]+)` \| (.*) \|$", text, re.MULTILINE)
        if name != "qsim"
    }


def test_the_table_has_every_command_and_no_other() -> None:
    assert sorted(documented()) == sorted(leaves(cli.main))


def test_the_table_says_3_of_every_command_that_takes_a_binary() -> None:
    for name, statuses in documented().items():
        command: click.Command = cli.main
        for word in name.split():
            assert isinstance(command, click.Group)
            found = command.get_command(CONTEXT, word)
            assert found is not None
            command = found
        takes = {"qemu", "workers"} & {param.name for param in command.params}
        assert (3 in statuses) == bool(takes), name


class Pool:
    """The model in the place of a binary.

    :param wrong: whether it returns EIO where that is 0.
    """

    version = "7.2.0"

    def __init__(self, wrong: bool) -> None:
        self._wrong = wrong

    async def run(self, case: Case) -> Outcome:
        outcome = run_model(case, revision("7.2"))
        outcome.leaks = None
        for step in outcome.steps:
            if self._wrong and step.ret == "0":
                step.ret = "EIO"
        return outcome


@pytest.mark.parametrize("status", [0, 1])
def test_fuzz_ends_with_1_where_anything_differs(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Background, "open", lambda *_, **__: Pool(bool(status)))
    words = ["--qemu", "x", "--count", "3", "--seed", "7", "--save", str(tmp_path / "found")]
    result = qsim("fuzz", *words)
    assert result.exit_code == status, result.output


def test_fuzz_needs_a_binary_that_can_be_used(tmpdir_here: Path) -> None:
    assert qsim("fuzz").exit_code == 2
    assert qsim("fuzz", "--qemu", "/nosuch").exit_code == 3
    assert qsim("trace", "fifo", "--qemu", "/nosuch").exit_code == 3


def test_fuzz_that_is_interrupted_ends_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> Any:
        def tick(tally: Any) -> bool:
            raise KeyboardInterrupt

        return tick

    monkeypatch.setattr(Background, "open", lambda *_, **__: Pool(False))
    monkeypatch.setattr("qsim.cli.fuzz._tick", stop)
    result = qsim("fuzz", "--qemu", "x", "--count", "3", "--save", str(tmp_path / "found"))
    assert result.exit_code == 130, result.output


def test_export_ends_with_2_where_there_is_nothing_to_write(tmp_path: Path) -> None:
    script = str(tmp_path / "x.sh")
    assert qsim("export", "--qemu-io", "children=2; read 0 512", "-o", script).exit_code == 0
    later = "children=A,B pattern=fifo; read 0 512; c0: EIO; read 0 512"
    refused = qsim("export", "--qemu-io", later)
    assert refused.exit_code == 2
    assert "cannot be exported" in refused.output


def test_schema_compare_ends_with_1_where_a_difference_has_no_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def introspect(qemu: str) -> tuple[str, list[Any]]:
        await asyncio.sleep(0)
        return "7.2.0", [{"meta-type": "object", "name": "0", "members": []}]

    # The package has a command of the module's name.
    monkeypatch.setattr(import_module("qsim.cli.schema"), "_introspect", introspect)
    assert qsim("schema", "compare", "--qemu", "x").exit_code == 1


def test_interrupted_is_not_different() -> None:
    @click.command()
    @reports
    def command() -> None:
        raise KeyboardInterrupt

    result = CliRunner().invoke(command)
    assert (result.exit_code, result.output) == (130, "qsim: interrupted\n")


def test_every_command_answers_mistakes_and_interruptions_alike() -> None:
    for name in leaves(cli.main):
        command: click.Command = cli.main
        for word in name.split():
            assert isinstance(command, click.Group)
            found = command.get_command(CONTEXT, word)
            assert found is not None
            command = found
        # 'qsim series' alone prints what it has and cannot fail.
        assert hasattr(command.callback, "__wrapped__") or name == "series", name

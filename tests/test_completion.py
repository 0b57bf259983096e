# SPDX-License-Identifier: GPL-2.0-or-later
"""What a shell is offered at Tab."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete
from click.testing import CliRunner

from qsim import cli
from qsim.cli.completion import SHELLS, complete_cases
from qsim.quorum.revisions import REVISIONS
from qsim.scenario import Case

ROOT = Path(__file__).parent.parent
KINDS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the checkout."""
    monkeypatch.chdir(ROOT)


def offered(line: str) -> list[CompletionItem]:
    """What is offered at the end of a line."""
    *words, incomplete = line.split(" ")[1:]
    return BashComplete(cli.main, {}, "qsim", "_QSIM_COMPLETE").get_completions(words, incomplete)


def values(line: str) -> list[str]:
    return [item.value for item in offered(line)]


def test_commands_come_with_their_sentences() -> None:
    assert values("qsim ") == list(cli.COMMANDS)
    assert values("qsim ex") == ["export", "explore"]
    assert values("qsim series ") == ["diff"]
    assert {item.value: item.help for item in offered("qsim l")} == {
        "list": cli.COMMANDS["list"].sentence
    }


def test_options() -> None:
    assert values("qsim explore --max") == ["--max-executions", "--max-states"]
    assert values("qsim explore --reduction ") == ["none", "states", "full"]
    assert values("qsim --ver") == ["--version"]


def test_every_case_that_ships_can_be_completed(shipped_cases: list[Case]) -> None:
    families = list(dict.fromkeys(case.id.partition("/")[0] for case in shipped_cases))
    for command in ("list", "run", "trace", "compare", "export --iotest", "explore"):
        assert values(f"qsim {command} ") == families
    ids = [value for family in families for value in values(f"qsim run {family}/")]
    assert ids == [case.id for case in shipped_cases]


def test_a_family_that_is_certain_shows_its_cases() -> None:
    begun = values("qsim run fif")
    assert begun[0] == "fifo"
    assert "fifo/second-child-answers" in begun
    assert all(value.startswith("fifo") for value in begun)
    assert values("qsim run fifo/sec") == ["fifo/second-child-answers"]
    assert values("qsim series diff v3 v4 2014-vo")[0] == "2014-vote"


def test_a_family_that_is_completed_is_one_that_is_taken() -> None:
    (first, *cases) = values("qsim list 2014-fil")
    result = CliRunner().invoke(cli.main, ["list", first])
    assert [line.split()[0] for line in result.output.splitlines()] == cases


def test_where_no_case_begins_so_there_are_files() -> None:
    for line in ("qsim run fixtures/fi", "qsim compare ./mine", "qsim explore /tmp/"):
        assert [item.type for item in offered(line)] == ["file"]


@pytest.mark.parametrize(
    "line",
    [
        "qsim run --revision ",
        "qsim trace --against ",
        "qsim explore --revision ",
        "qsim series diff ",
        "qsim series diff v3 ",
    ],
)
def test_revisions(line: str) -> None:
    assert [(item.value, item.help) for item in offered(line)] == [
        (one.name, one.describes) for one in REVISIONS
    ]
    assert values(f"{line}v4-") == ["v4-1", "v4-merged"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("qsim run --qemu ", "file"),
        ("qsim schema compare --qemu ", "file"),
        ("qsim schema check ", "file"),
        ("qsim run --save ", "file"),
        ("qsim explore --checkpoint ", "file"),
        ("qsim export -o ", "file"),
        ("qsim fuzz --known ", "file"),
        ("qsim fuzz --save ", "dir"),
    ],
)
def test_files_are_left_to_the_shell(line: str, kind: str) -> None:
    assert [item.type for item in offered(line)] == [kind]


def test_what_is_written_out_is_not_completed() -> None:
    assert offered("qsim run -blockdev driver=") == []
    assert offered("qsim run -drive ") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_that_of_click(shell: str) -> None:
    result = CliRunner().invoke(cli.main, ["completion", shell], prog_name="qsim")
    assert result.exit_code == 0
    source = KINDS[shell](cli.main, {}, "qsim", "_QSIM_COMPLETE").source()
    assert result.output == f"{source}\n"
    assert f"_QSIM_COMPLETE={shell}_complete" in result.output
    assert values("qsim completion ") == list(SHELLS)


def test_a_file_that_cannot_be_read_as_text_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_bytes(b"family: a\nabout: \xff\ncases:\n- name: b c\n- {name: d}\n")
    (tmp_path / "empty.yaml").write_bytes(b"")
    monkeypatch.setattr("qsim.cli.completion.fixtures_path", lambda: tmp_path)
    command = cli.COMMANDS["list"].load()
    context = command.make_context("list", [])
    found = complete_cases(context, command.params[0], "a")
    assert [item.value for item in found] == ["a", "a/b-c", "a/d"]


def test_a_real_bash_completes(tmp_path: Path) -> None:
    program = tmp_path / "qsim"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m qsim "$@"\n', "utf-8")
    program.chmod(0o755)
    script = """
source <(qsim completion bash)
complete -p qsim
ask() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _qsim_completion qsim "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "${COMPREPLY[*]}"
}
ask qsim tr
ask qsim run fifo/sec
ask qsim run --revision v4-m
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "complete -o nosort -F _qsim_completion qsim",
        "trace",
        "fifo/second-child-answers",
        "v4-merged",
    ]


@pytest.mark.parametrize(
    ("words", "not_needed"),
    [
        ("qsim ", {"qsim.scenario", "jsonschema", "yaml", "asyncio", "rich", "hypothesis"}),
        ("qsim completion ", {"qsim.scenario", "jsonschema", "yaml", "asyncio", "rich"}),
        ("qsim run fi", {"rich", "hypothesis", "jinja2"}),
        ("qsim series diff v", {"rich", "hypothesis", "jinja2"}),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(words: str, not_needed: set[str]) -> None:
    program = (
        "import sys\nfrom qsim.cli import main\n"
        "try: main(prog_name='qsim')\nexcept SystemExit: pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "_QSIM_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout
    assert not not_needed & set(done.stderr.split())

# SPDX-License-Identifier: GPL-2.0-or-later
"""The help of every command: examples first, a sentence for everything; and the examples work."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from qsim import cli
from qsim.scenario import Case, load_paths

ROOT = Path(__file__).parent.parent
#: What Debian's QEMU is called in the examples; the binary under test takes its place.
DEBIAN = "/usr/bin/qemu-system-x86_64"
NAMES = {"help_option_names": ["-h", "--help"]}

#: Examples that would take minutes, with what is run instead: less of the same.
LESS = {
    "qsim claims --qemu /usr/bin/qemu-system-x86_64": ["reading", "--reads", "3"],
    "qsim claims reading --reads 100 --out reading": ["--reads", "3"],
    "qsim fuzz --qemu /usr/bin/qemu-system-x86_64 --seed 7": ["-n", "20"],
    "qsim series diff v4 7.2": ["2014-fifo"],
    "qsim fuzz --qemu /usr/bin/qemu-system-x86_64 -n 100 --known qsim/fuzz/known.yaml": [
        "-n",
        "20",
    ],
}
#: Examples that are too long even so: they are parsed, with every value checked, and not run.
PARSED = {"qsim fuzz --qemu /usr/bin/qemu-system-x86_64 -n 100000 --seed 7 --workers 8"}
#: Examples that end with another status than 0, as their commands say.
STATUS = {
    "qsim trace --revision 5.2 --against 10.0 'children=2; read 0 512'": (0, 1),
    "qsim explore --revision v4 2014-fifo": (1,),
    "qsim explore --revision v4 --children 2": (1,),
}


def tree(command: click.Command, path: str = "qsim") -> Iterator[tuple[str, click.Command]]:
    """Every command with how it is called."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from tree(below, f"{path} {name}")


TREE = dict(tree(cli.main))


def told(path: str) -> str:
    """The help of a command, as it is printed."""
    result = CliRunner().invoke(cli.main, [*path.split()[1:], "--help"], prog_name="qsim")
    assert result.exit_code == 0
    return result.output


def examples(path: str) -> list[str]:
    """The example lines in the help of a command."""
    block = re.search(r"^  Examples:\n((?:    .*\n)+)", told(path), re.MULTILINE)
    return [line.strip() for line in block[1].splitlines()] if block else []


#: Each line once, with the command it is of.
ALL = {line: path for path in TREE for line in examples(path)}


def test_there_are_commands_below_commands() -> None:
    assert {"qsim run", "qsim series diff", "qsim schema compare"} <= TREE.keys()
    assert not (LESS.keys() | PARSED | STATUS.keys()) - ALL.keys()


@pytest.mark.parametrize("path", TREE)
def test_examples_come_first(path: str) -> None:
    usage, sentence, block, *_ = re.split(r"\n\n+", told(path))
    assert usage.startswith(f"Usage: {path} ")
    assert sentence.endswith(".") and sentence.count(". ") == 0
    head, *lines = block.splitlines()
    assert head == "  Examples:"
    assert len(lines) >= 2
    for line in lines:
        assert line.startswith(f"    {path}" if path != "qsim" else "    qsim ")
        assert len(line) <= 100


@pytest.mark.parametrize("path", TREE)
def test_every_option_and_argument_has_a_sentence(path: str) -> None:
    command = TREE[path]
    for parameter in command.get_params(click.Context(command, **NAMES)):  # type: ignore[arg-type]
        text = parameter.help
        assert text and text.rstrip().endswith("."), f"{path} {parameter.name}: {text!r}"
        assert len(text.split()) >= 3, f"{path} {parameter.name}: {text!r}"


@pytest.mark.parametrize("path", TREE)
def test_exit_statuses_come_last(path: str) -> None:
    command = TREE[path]
    if isinstance(command, click.Group) and command is not cli.main:
        # Those of its commands are told there.
        return
    last = re.split(r"\n\n+", told(path).rstrip())[-1].splitlines()
    assert last[0] == "  Exit status:"
    statuses = [int(line.split()[0]) for line in last[1:]]
    assert statuses == sorted(set(statuses)) and statuses[0] == 0
    assert all(len(line) <= 80 for line in last)


def test_the_table_of_commands_has_the_sentences_of_the_commands() -> None:
    for name, one in cli.COMMANDS.items():
        assert one.load().name == name
        sentence = re.split(r"\n\n+", told(f"qsim {name}"))[1]
        assert one.sentence == " ".join(sentence.split())


def test_every_option_of_the_suite_has_a_sentence(pytestconfig: pytest.Config) -> None:
    group = pytestconfig._parser.getgroup("qsim")
    options = [option.attrs() for option in group.options]
    assert {"qemu", "baseline", "repeat", "fuzz", "report"} <= {one["dest"] for one in options}
    for one in options:
        assert re.fullmatch(r"[A-Z].{20,}\.", one["help"]), one["dest"]


@pytest.fixture(scope="module")
def loaded() -> Callable[..., list[Case]]:
    """How scenario files are loaded, each set of them once for all examples."""
    cases: dict[tuple[str, ...], list[Case]] = {}

    def load(paths: Sequence[Path], revisions: Sequence[str]) -> list[Case]:
        key = tuple(map(str, paths))
        if key not in cases:
            cases[key] = load_paths(paths, revisions)
        return cases[key]

    return load


@pytest.fixture
def checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: Callable[..., list[Case]]
) -> Path:
    """A folder like a checkout, in which files may be written."""
    for name in ("conformance", "fixtures", "schema", "qsim"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("qsim.cli.common.fixtures_path", lambda: Path("fixtures"))
    monkeypatch.setattr("qsim.cli.common.load_paths", loaded)
    return tmp_path


def typed(line: str, more: list[str], qemu: Callable[[], str]) -> Result:
    """What comes of a line, with more words at its end."""
    name, *words = shlex.split(line)
    assert name == "qsim"
    if DEBIAN in words:
        words[words.index(DEBIAN)] = qemu()
    for sign in (">", ">>"):
        if sign in words:
            words = words[: words.index(sign)]
    return CliRunner().invoke(cli.main, [*words, *more], prog_name="qsim")


@pytest.mark.parametrize("line", ALL)
def test_example_works(line: str, checkout: Path, request: pytest.FixtureRequest) -> None:
    if line in PARSED:
        path = ALL[line]
        context = TREE[path].make_context(path, shlex.split(line)[len(path.split()) :])
        assert (context.params["count"], context.params["workers"]) == (100000, 8)
        return
    result = typed(line, LESS.get(line, []), lambda: request.getfixturevalue("qemu"))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in STATUS.get(line, (0,)), result.output
    assert result.output


def test_python_m_qsim_is_qsim() -> None:
    words = [sys.executable, "-m", "qsim", "run", "--help"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    # Their widths are not the same.
    assert done.stdout.split() == told("qsim run").split()

# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m tools.releases``: one table over all binaries, and an exit status."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tools.catalogue import PLAYS, RELEASES, SYSTEM
from tools.releases import main

Calls = Callable[[], list[str]]

#: A Python whose pytest does as ``$PYTEST`` says, and otherwise agrees in two cases.
PYTHON = """\
#!/bin/sh
echo "$*" >> "$RUNS"
binary=; figures=
for word; do
    case $word in
    --qemu=*) binary=${word#*=} ;;
    --figures=*) figures=${word#*=} ;;
    esac
done
model=0 agree=2 differ=0 status=0
eval "$PYTEST"
cat > "$figures" <<END
{"witnesses": {
    "model": {"cases": 2, "agree": 2, "differ": $model, "not supported": 0},
    "qemu": {"version": "7.2.9", "cases": 2, "agree": $agree, "differ": $differ,
             "not supported": 1}}}
END
exit $status
"""


@pytest.fixture
def releases(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """The command, with nothing real behind it."""
    python = tmp_path / "python"
    python.write_text(PYTHON, "utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PYTEST", "")
    folder = f"--folder={tmp_path / 'releases'}"
    return lambda *words: CliRunner().invoke(main, [words[0], folder, *words[1:]])


@pytest.fixture
def runs(tmp_path: Path) -> Calls:
    """How pytest was called."""
    return lambda: (tmp_path / "runs").read_text("utf-8").splitlines()


def table(result: Result) -> list[str]:
    lines = result.stdout.splitlines()
    (start,) = [i for i, line in enumerate(lines) if line.startswith("release ")]
    return lines[start:]


def test_unpack_prints_where_the_programs_are(
    releases: Callable[..., Result], tmp_path: Path
) -> None:
    result = releases("unpack", "7.2")
    assert result.exit_code == 0
    assert result.stdout == f"7.2.9    {tmp_path}/releases/bin/7.2\n"
    assert "unpacking QEMU 7.2 (Debian bookworm)" in result.stderr


def test_all_are_compared_and_stand_in_one_table(
    releases: Callable[..., Result], runs: Calls, calls: Calls
) -> None:
    result = releases("check")
    assert result.exit_code == 0
    assert len(calls()) == len(RELEASES)
    assert len(runs()) == len(PLAYS)
    head, *rows = table(result)
    assert head.split()[:5] == ["release", "program", "version", "cases", "agree"]
    assert [(row.split()[0], row.split()[2]) for row in rows] == list(PLAYS)
    assert rows[1].split() == ["7.2", "(bookworm)", SYSTEM, "7.2.9", "2", "2", "0", "1"]
    assert all(row.endswith(" 1") and len(row) == len(head) for row in rows)


def test_arguments_go_to_pytest(releases: Callable[..., Result], runs: Calls) -> None:
    assert releases("check", "--release=5.2", "-k", "fifo", "--jobs=2").exit_code == 0
    (run,) = runs()
    assert run.startswith("-P -m pytest conformance --qemu=")
    assert run.endswith(" -k fifo --jobs=2")


def test_difference_fails(releases: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST", "case $binary in *daemon) agree=1 differ=1 status=1 ;; esac")
    result = releases("check", "--release=7.2")
    assert result.exit_code == 1
    assert [row.split()[-3:] for row in table(result)[1:]] == [["2", "0", "1"], ["1", "1", "1"]]


@pytest.mark.parametrize(
    ("does", "status", "text"),
    [
        ("exit 4", 3, "cannot be used, see above"),
        ("exit 5", 3, "no case was selected"),
        ("exit 9", 3, "pytest ended with status 9"),
        ("model=1 status=1", 1, "1 cases differ on the model"),
        ("status=1", 1, "pytest failed, see above"),
    ],
)
def test_other_trouble_is_said_in_its_row(
    does: str,
    status: int,
    text: str,
    releases: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTEST", does)
    result = releases("check", "--release=5.2")
    assert result.exit_code == status
    assert table(result)[1].endswith(f"  {text}")


def test_release_that_cannot_be_had_is_in_the_table_and_the_others_are_compared(
    releases: Callable[..., Result], runs: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE", "case $tree in *sid.part) echo E: gone; exit 25 ;; esac")
    result = releases("check")
    assert result.exit_code == 3
    assert "11.1 (sid): mmdebstrap ended with status 25: E: gone" in result.stderr
    rows = [row for row in table(result) if row.endswith("  could not be unpacked, see above")]
    assert [row.split()[:3] for row in rows] == [
        ["11.1", "(sid)", program] for name, program in PLAYS if name == "11.1"
    ]
    assert len(runs()) == len(PLAYS) - 2
    assert releases("unpack").exit_code == 3


def test_other_machines_are_refused_before_anything_is_done(
    releases: Callable[..., Result], calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    for what in ("unpack", "check"):
        result = releases(what)
        assert result.exit_code == 3
        assert "for Linux on x86_64" in result.stderr
    assert calls() == []


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_is_told_how_far_it_has_come(
    releases: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    now = iter(range(0, 6000, 60))
    monkeypatch.setattr("tools.releases.time.monotonic", lambda: next(now))
    monkeypatch.setattr("tools.releases.is_terminal", lambda: terminal)
    heads = [line for line in releases("check").stdout.splitlines() if "/bin/" in line]
    assert len(heads) == len(PLAYS)
    told = [line.partition(" (")[2] for line in heads]
    if terminal:
        assert told[0] == f"1 of {len(PLAYS)})"
        # A minute passes between two looks at the clock.
        assert told[1] == f"2 of {len(PLAYS)}, 0:{2 * (len(PLAYS) - 1):02}:00 left)"
    else:
        assert told == [""] * len(PLAYS)


@pytest.mark.parametrize("words", [[], ["unpack"], ["check"]], ids=" ".join)
def test_help_begins_with_examples_that_are_taken(words: list[str]) -> None:
    result = CliRunner().invoke(main, [*words, "--help"])
    _, sentence, examples, *_ = re.split(r"\n\n+", result.output)
    assert sentence.endswith(".")
    head, *lines = examples.splitlines()
    assert head == "  Examples:"
    for line in lines:
        start = "    python -m tools.releases "
        assert line.startswith(start)
        name, *rest = shlex.split(line.removeprefix(start))
        # Parsed and not run: that would unpack whole releases.
        main.commands[name].make_context(name, rest)
    for command in [main, *main.commands.values()]:
        assert all(one.help and one.help.endswith(".") for one in command.params)

# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim trace`` and scenarios asked on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qsim import cli

ASKED = "children=A,B pattern=fifo; c0: EIO; read 0 512"


def qsim(*words: str) -> Result:
    return CliRunner().invoke(cli.main, words)


def test_what_is_asked_prints_what_a_file_would(tmp_path: Path) -> None:
    file = tmp_path / "asked.yaml"
    asked = qsim("run", ASKED, "--save", str(file))
    assert asked.exit_code == 0
    saved = qsim("run", str(file))
    assert asked.output.splitlines()[1:] == saved.output.splitlines()[1:]
    assert qsim("compare", str(file)).output.startswith("1 cases, 0 differ")


def test_a_case_can_be_traced_by_name_or_as_it_is() -> None:
    assert "retry: c1 is next" in qsim("trace", "fifo/second-child-answers").output
    assert "retry: c1 is next" in qsim("trace", ASKED).output


def test_a_family_is_named_as_its_cases_are() -> None:
    told = qsim("run", "--revision", "v4", "2014-fifo").output
    assert told.startswith("2014-fifo/first-child-answers (")
    assert told == qsim("run", "--revision", "v4", "2014 fifo").output


def test_an_export_says_what_was_asked() -> None:
    told = qsim("export", "--qemu-io", ASKED).output
    assert f"# quorum: {ASKED}\n# block/quorum.c (7.2)\n# Made by qsim " in told


def test_two_revisions_side_by_side_part_with_status_1() -> None:
    text = "children=2 pattern=fifo; c0: EIO; c1: EIO; read 0 512"
    assert qsim("trace", text, "--revision", "10.0", "--against", "7.2").exit_code == 0
    parted = qsim("trace", text, "--revision", "v4", "--against", "7.2")
    assert parted.exit_code == 1
    assert "undefined behaviour" in parted.output


@pytest.mark.parametrize("command", ["run", "trace"])
def test_a_letter_has_72_columns_versions_and_the_command(command: str) -> None:
    letter = qsim(command, ASKED, "--format", "mail").output
    assert "Model 7.2: QEMU 7.2 block/quorum.c" in letter
    assert "qsim " in letter
    lines = letter.splitlines()
    assert all(len(line) <= 72 for line in lines if not line.startswith("  $ "))
    assert "\x1b" not in letter


def test_a_drive_and_a_blockdev_as_for_qemu() -> None:
    drive = (
        "driver=quorum,children.0.file.filename=0.qcow2,children.1.file.filename=1.qcow2,"
        "read-pattern=fifo,vote-threshold=1"
    )
    assert "ret 0" in qsim("run", "-drive", drive, "read 0 512").output
    blockdev = "driver=quorum,children.0=a,children.1=b,vote-threshold=2"
    assert "asks a read 0 512" in qsim("run", "-blockdev", blockdev, "read 0 512").output
    both = qsim("run", "-drive", drive, "-blockdev", blockdev, "flush")
    assert both.exit_code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run"], "name a case or a file, or say what is to be done"),
        (["run", "children=2; reed 0 512"], "'reed' is nothing that can be done"),
        (["run", "no/such-case"], "is no file, no FILE::NAME and no case"),
        (["run", "fifo", "--save", "x.yaml"], "--save takes one case"),
        (["trace"], "name a case or a file"),
        (["export", "--qemu-io", "--revision", "v4", "flush"], "no QEMU that takes -blockdev"),
        (["run", ""], "'' is no file, no FILE::NAME and no case"),
        (["export", "children=2; flush"], "say what is to be written"),
        (["export", "--iotest", "--qemu-io", "children=2; flush"], "say what is to be written"),
    ],
)
def test_mistakes_are_told_with_status_2(words: list[str], message: str) -> None:
    result = qsim(*words)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_a_test_takes_no_other_ones_place_unless_it_is_named(tmp_path: Path) -> None:
    words = ["export", "--iotest", "children=2; read 0 512", "-o"]
    assert qsim(*words, str(tmp_path)).exit_code == 0
    made = tmp_path / "quorum-asked"
    made.write_text("somebody's", "utf-8")
    again = qsim(*words, str(tmp_path))
    assert again.exit_code == 2 and "is there already" in again.output
    assert made.read_text("utf-8") == "somebody's"
    assert qsim(*words, str(made)).exit_code == 0
    assert made.read_text("utf-8") != "somebody's"
    assert (tmp_path / "quorum-asked.out").exists()

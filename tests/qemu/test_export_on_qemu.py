# SPDX-License-Identifier: GPL-2.0-or-later
"""Exported scripts, run by a shell with nothing but QEMU's own tools."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from qsim.export.plan import plan
from qsim.export.shell import script_text
from qsim.quorum.revisions import revision
from qsim.scenario.asked import load_asked
from qsim.scenario.short import parse_short
from qsim.target.model import run_model

SCENARIOS = [
    # The second event is held back, the third comes in its window.
    "children=A,B pattern=fifo; c0: read EIO; read 0 512; read 0 512; read 0 512",
    "children=A,B pattern=fifo; c0: read EIO x2; read 0 512; read 0 512; read 0 512",
    "children=A,A,B,B threshold=2; read 0 512",
    "children=A,A,B threshold=2 rewrite=on; read 0 512",
    "children=3 threshold=2; c1: write ENOSPC; c2: write EIO; write 0 512; flush",
    "children=2 threshold=3",
    "children=3 spares=c2; x-blockdev-change parent=q node=c2; write 0 1k",
]


def script(text: str) -> str:
    case = load_asked(parse_short(text))
    return script_text(plan(case, run_model(case, revision("7.2"))), "made by a test")


def run(text: str, folder: Path, programs: Path) -> subprocess.CompletedProcess[str]:
    """A script, which finds QEMU's programs in a folder before all others."""
    file = folder / "try.sh"
    file.write_text(text)
    shell = shutil.which("sh") or "/bin/sh"
    environ = {**os.environ, "QEMU_BIN": str(programs), "TMPDIR": str(folder)}
    return subprocess.run(
        [shell, str(file)], capture_output=True, text=True, check=False, env=environ
    )


@pytest.mark.parametrize("text", SCENARIOS)
def test_a_script_passes_on_a_right_qemu(qemu: str, tmpdir_here: Path, text: str) -> None:
    done = run(script(text), tmpdir_here, Path(qemu).parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one.name for one in tmpdir_here.iterdir()] == ["try.sh"]


@pytest.mark.parametrize(
    ("was", "now"),
    [
        # The winner's bytes, an event, and what a child holds at the end.
        ("-P 0x41 0 512", "-P 0x43 0 512"),
        ("QUORUM_REPORT_BAD read c2", "QUORUM_REPORT_BAD read c0"),
        ("c2.img holds 0x41 at 0 512", "c2.img holds 0x42 at 0 512"),
    ],
)
def test_a_script_fails_where_something_else_is_seen(
    qemu: str, tmpdir_here: Path, was: str, now: str
) -> None:
    text = script("children=A,A,B threshold=2 rewrite=on; read 0 512")
    assert was in text
    done = run(text.replace(was, now), tmpdir_here, Path(qemu).parent)
    assert done.returncode == 1
    assert "+++ seen" in done.stdout


@pytest.mark.parametrize("what", ["exit 1", "exec sleep 600"])
def test_a_qemu_that_dies_or_hangs_is_told_and_nothing_is_left(
    qemu: str, tmpdir_here: Path, tmp_path: Path, what: str
) -> None:
    fake = tmp_path / "qemu-system-x86_64"
    fake.write_text(f"#!/bin/sh\n{what}\n")
    fake.chmod(0o755)
    text = script("children=2; read 0 512").replace("-gt 200", "-gt 3")
    done = run(text, tmpdir_here, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "QEMU does not answer" in done.stdout
    assert [one.name for one in tmpdir_here.iterdir()] == ["try.sh"]


def test_an_event_too_many_at_the_end_is_seen(qemu: str, tmpdir_here: Path) -> None:
    text = script("children=A,B pattern=fifo; c0: read EIO; read 0 512")
    # The same read once more, and of it only the event is in question.
    act = next(line for line in text.splitlines() if "command-line" in line)
    done = run(text.replace(act, f"{act}\n{act} >/dev/null", 1), tmpdir_here, Path(qemu).parent)
    assert done.returncode == 1
    assert done.stdout.count("+QUORUM_REPORT_BAD read c0 0 1 Input/output error") == 1

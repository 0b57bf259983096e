# SPDX-License-Identifier: GPL-2.0-or-later
"""Exported scripts, run by a shell with nothing but QEMU's own tools."""

from __future__ import annotations

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


def run(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "try.sh"
    file.write_text(text)
    shell = shutil.which("sh") or "/bin/sh"
    return subprocess.run([shell, str(file)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("text", SCENARIOS)
def test_a_script_passes_on_a_right_qemu(qemu: str, tmpdir_here: Path, text: str) -> None:
    done = run(script(text), tmpdir_here)
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
    done = run(text.replace(was, now), tmpdir_here)
    assert done.returncode == 1
    assert "+++ seen" in done.stdout

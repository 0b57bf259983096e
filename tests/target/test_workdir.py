# SPDX-License-Identifier: GPL-2.0-or-later
"""The private folder's reaper: what it is told, it must not mistake or pile up."""

from __future__ import annotations

import subprocess
from pathlib import Path

from qsim.target import workdir


def reaped(tmp_path: Path, lines: str) -> list[str]:
    """The groups that are killed at the end of what the reaper is told."""
    script = workdir._REAPER.replace('kill -9 "-$group"', 'echo "$group" >> "$1.killed"')
    folder = tmp_path / "folder"
    subprocess.run(
        ["/bin/sh", "-c", script, "qsim-reaper", str(folder)], input=lines, text=True, check=True
    )
    assert not folder.exists()
    killed = tmp_path / "folder.killed"
    return killed.read_text().split() if killed.exists() else []


def test_groups_that_have_not_ended_are_killed(tmp_path: Path) -> None:
    assert reaped(tmp_path, "+ 11\n+ 12\n+ 13\n- 12\n") == ["11", "13"]


def test_all_have_ended(tmp_path: Path) -> None:
    assert reaped(tmp_path, "+ 11\n+ 12\n- 11\n- 12\n") == []


def test_group_that_ends_twice_changes_nothing(tmp_path: Path) -> None:
    # Each time the list doubled: after thirty the shell did nothing else any more.
    assert reaped(tmp_path, "+ 11\n+ 1\n- 1\n" + "- 1\n" * 30) == ["11"]

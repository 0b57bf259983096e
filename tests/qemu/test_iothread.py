# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests through exports in an IOThread, on a real QEMU that can do that, or cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _suite(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "conformance", "-q", "-p", "no:cacheprovider", *arguments],
        check=False,
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=120,
    )


def test_the_same_comes_out_or_one_line_says_why_it_cannot(qemu: str) -> None:
    said = subprocess.run([qemu, "--version"], text=True, capture_output=True, check=True).stdout
    major = int(said.partition("version ")[2].partition(".")[0])
    done = _suite(f"--qemu={qemu}", "--iothread", "-k", "nested or (add-child and not leaks)")
    if major >= 10:
        assert done.returncode == 0, done.stdout
        assert "  0\n" in done.stdout
        return
    # Whether it dies of it depends on the release; what is said of it does not.
    if done.returncode != 0:
        assert done.returncode == 4, done.stdout + done.stderr
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line]
        assert len(lines) == 1, lines
        assert "does not survive that the client of an export in an IOThread hangs up" in lines[0]


def test_it_is_about_a_binary() -> None:
    done = _suite("--iothread")
    assert done.returncode == 4
    assert "--iothread: name a binary too, with --qemu=PATH" in done.stdout + done.stderr

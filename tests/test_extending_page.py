# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/extending.md, followed to the letter in a copy of the sources."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import ROOT, code

PAGE = ROOT / "docs" / "extending.md"
#: What qsim needs of a checkout; conformance makes a folder one.
PARTS = ("qsim", "schema", "fixtures", "conformance")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the sources."""
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def apply(diff: list[str], sources: Path) -> None:
    """Make the changes of a diff, whose hunks say where they belong by what stands there."""
    files = re.split(r"^--- .*\n\+\+\+ b/(.*)\n", "\n".join(diff) + "\n", flags=re.MULTILINE)
    for name, hunks in zip(files[1::2], files[2::2], strict=True):
        path = sources / name
        text = path.read_text("utf-8") if path.exists() else ""
        for hunk in re.split(r"^@@\n", hunks, flags=re.MULTILINE)[1:]:
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] != "+")
            after = "".join(line[1:] for line in lines if line[0] != "-")
            assert not before or text.count(before) == 1, f"{name} has no such place:\n{before}"
            text = text.replace(before, after) if before else text + after
        path.write_text(text, "utf-8")


def printed(command: str, sources: Path) -> list[str]:
    """What a ``qsim`` of the copy prints; of errors too."""
    run = subprocess.run(
        [sys.executable, "-c", "from qsim.cli import main; main()", *shlex.split(command)[1:]],
        cwd=sources,
        env={**os.environ, "PYTHONPATH": str(sources), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return run.stdout.rstrip().splitlines()


def test_every_step_prints_what_the_page_shows(sources: Path) -> None:
    ran = 0
    for language, block in code(PAGE):
        if language == "diff":
            apply(block, sources)
        elif block[0].startswith("$ qsim "):
            ran += 1
            found = printed(block[0].removeprefix("$ "), sources)
            shown = "\n".join(line.rstrip() for line in block[1:]).rstrip().splitlines()
            assert [line.rstrip() for line in found] == shown, block[0]
    assert ran >= 10

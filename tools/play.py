# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite on one program of a release, and the one table over all of them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.catalogue import Release
from tools.unpack import Unpacked

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("cases", "agree", "differ", "not supported")
#: What pytest's exit statuses mean where there are no figures.
NO_FIGURES = {
    2: "interrupted",
    4: "cannot be used, see above",
    5: "no case was selected",
}


@dataclass(frozen=True)
class Row:
    """A line of the table.

    :param figures: by column; none when there is nothing to count.
    :param trouble: why there are none, or what else is wrong.
    """

    release: Release
    program: str
    version: str = "-"
    figures: dict[str, int] = field(default_factory=dict)
    differs: bool = False
    trouble: str = ""


def play(unpacked: Unpacked, program: str, arguments: Sequence[str]) -> Row:
    """Run the suite on a program.

    :param arguments: more of them for pytest.
    """
    with tempfile.TemporaryDirectory(prefix="qsim-figures-") as folder:
        path = Path(folder) / "figures.json"
        # -P: the package that is installed is meant, not what lies in the working directory.
        words = [sys.executable, "-P", "-m", "pytest", "conformance"]
        options = [f"--qemu={unpacked.bin / program}", f"--figures={path}"]
        status = subprocess.run([*words, *options, *arguments], cwd=ROOT, check=False).returncode
        if status not in (0, 1) or not path.exists():
            trouble = NO_FIGURES.get(status, f"pytest ended with status {status}")
            return Row(unpacked.release, program, unpacked.version, trouble=trouble)
        witnesses = json.loads(path.read_text("utf-8"))["witnesses"]
    return row_of(unpacked.release, program, witnesses, differs=status == 1)


def row_of(
    release: Release, program: str, witnesses: dict[str, dict[str, int | str]], differs: bool
) -> Row:
    """A line from the figures of a run."""
    qemu, model = witnesses["qemu"], witnesses["model"]
    figures = {column: int(qemu[column]) for column in COLUMNS}
    wrong = ""
    if model["differ"]:
        wrong = f"{model['differ']} cases differ on the model"
    elif differs and not figures["differ"]:
        wrong = "pytest failed, see above"
    return Row(release, program, str(qemu["version"]), figures, differs, wrong)


def table(rows: Iterable[Row]) -> Iterator[str]:
    """All runs beneath each other."""
    head = "".join(f"{column:>{_width(column)}}" for column in COLUMNS)
    yield f"{'release':<18}{'program':<22}{'version':<9}{head}"
    for row in rows:
        name = f"{row.release.name} ({row.release.suite})"
        figures = "".join(f"{row.figures[one]:>{_width(one)}}" for one in row.figures)
        trouble = f"  {row.trouble}" if row.trouble else ""
        yield f"{name:<18}{row.program:<22}{row.version:<9}{figures}{trouble}"


def _width(column: str) -> int:
    return max(8, len(column) + 2)


def status_of(rows: Sequence[Row]) -> int:
    """1 when anything differs, 3 when a binary could not be compared, else 0."""
    if any(row.differs for row in rows):
        return 1
    return 3 if any(row.trouble for row in rows) else 0

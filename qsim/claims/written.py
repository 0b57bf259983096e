# SPDX-License-Identifier: GPL-2.0-or-later
"""Findings written down: tables as CSV, plots as SVG and PNG, the verdicts as text."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qsim.claims.finding import Finding, Plot, Table

#: What the claims need besides qsim's own libraries (the extra ``claims``).
LIBRARIES = ("matplotlib", "numpy", "scipy", "simpy")
#: Dots of a PNG for each inch.
DPI = 150
#: Ids in an SVG are made of this and not of chance, and the text is text.
_SETTINGS = {"svg.hashsalt": "qsim", "svg.fonttype": "none"}


class LibraryMissing(Exception):
    """A library is not installed; the message says what to do."""


def look_for_libraries() -> None:
    """Say what is missing before work is done that could not be written down.

    :raise LibraryMissing: when something is.
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise LibraryMissing(f"{', '.join(missing)}: not installed; pip install 'qsim[claims]'")


def write(finding: Finding, folder: Path) -> list[Path]:
    """Write all tables and plots of a finding; the files, in the order they were written.

    :raise OSError: when one cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [_write_table(table, folder) for table in finding.tables]
    for plot in finding.plots:
        files += _draw(plot, folder)
    return files


def _write_table(table: Table, folder: Path) -> Path:
    path = folder / f"{table.name}.csv"
    with _whole(path) as new, new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)
    return path


def _draw(plot: Plot, folder: Path) -> list[Path]:
    """Without pyplot, which would keep every figure and look for a screen."""
    matplotlib: Any = import_module("matplotlib")
    figures: Any = import_module("matplotlib.figure")
    paths = [folder / f"{plot.name}.{kind}" for kind in ("svg", "png")]
    with matplotlib.rc_context(_SETTINGS):
        figure = figures.Figure(figsize=plot.inches, layout="constrained")
        plot.draw(figure)
        for path in paths:
            # Neither date nor version, so that the same figures make the same file.
            blank = {"Date": None} if path.suffix == ".svg" else {"Software": None}
            with _whole(path) as new:
                figure.savefig(new, dpi=DPI, metadata=blank, format=path.suffix[1:])
    return paths


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Where to write what is ``path`` when it is whole; nothing is left of what is interrupted.

    :raise OSError: when it cannot be written; it names ``path``.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        yield new
        new.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        new.unlink(missing_ok=True)

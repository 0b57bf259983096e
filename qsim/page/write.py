# SPDX-License-Identifier: GPL-2.0-or-later
"""From a test session to its page: what each report carries, and the file in the end."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from qsim.page.facts import case_facts
from qsim.page.page import page
from qsim.report.gate import Run, Tally
from qsim.report.terminal import rerun_command
from qsim.scenario import Case

#: What it is called.
PAGE = "index.html"


def told_of(
    case: Case, witness: str, report: pytest.TestReport, shown: dict[str, Any]
) -> dict[str, Any]:
    """What the page needs of a report, as it may travel between processes."""
    told = {"id": case.id, "witness": witness, "result": report.outcome, **shown}
    if report.failed:
        told["text"] = str(report.longrepr)
    return told


def write_report(
    folder: Path, tally: Tally, others: Sequence[tuple[str, str]], whole: bool
) -> None:
    """Write the page of a session into a folder, which is made if need be.

    :param others: what failed beside the scenarios: its name, and what was said.
    :param whole: whether all that was selected was run.
    :raise OSError: when it cannot be written.
    """
    run = tally.run
    text = page(
        list(_cases(run, tally.told)),
        _witnesses(run),
        list(tally.lines()),
        shlex.join(["pytest", *sys.argv[1:]]),
        others,
        whole,
    )
    folder.mkdir(parents=True, exist_ok=True)
    # What was no text somewhere, such as a path, is shown as what it was.
    (folder / PAGE).write_text(text, "utf-8", errors="backslashreplace")


def _cases(run: Run, told: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    reports: dict[str, list[dict[str, Any]]] = {}
    for entry in told:
        reports.setdefault(entry["id"], []).append(entry)
    for name, case in {**run.intended, **run.cases}.items():
        if name in reports:
            intended = run.intended.get(name)
            again = rerun_command(intended or case, run.binary, run.named, run.iothread)
            yield case_facts(case, run.revision, reports[name], again, intended)


def _witnesses(run: Run) -> dict[str, str]:
    """What each witness is, for people, by its name."""
    witnesses = {"model": f"of {run.revision.describes}"}
    if run.pool is not None:
        witnesses["qemu"] = f"QEMU {run.pool.version} ({run.binary})"
    if run.baseline is not None:
        path = run.config.getoption("--baseline")
        witnesses["baseline"] = f"QEMU {run.baseline.version} ({path})"
    return witnesses

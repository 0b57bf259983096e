# SPDX-License-Identifier: GPL-2.0-or-later
"""From a test session to its page: what each report carries, and the file in the end."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from qsim.page.facts import case_facts, drawn_outcome
from qsim.page.page import page
from qsim.report.gate import Tally
from qsim.scenario import Case
from qsim.verdict import Verdict


def told_of(case: Case, report: pytest.TestReport, verdict: Verdict | None) -> dict[str, Any]:
    """What the page needs of a report, as it may travel between processes."""
    told: dict[str, Any] = {"id": case.id, "seconds": report.duration}
    if report.failed:
        told["text"] = str(report.longrepr)
    if verdict is not None and verdict.right is not None:
        told["diagram"] = drawn_outcome(case, verdict.right)
    return told


def write_report(folder: Path, tally: Tally) -> None:
    """Write the page of a session; the session ends with status 4 when that cannot be."""
    run = tally.run
    reports: dict[str, list[dict[str, Any]]] = {}
    for entry in tally.told:
        reports.setdefault(entry["id"], []).append(entry)
    cases = [
        case_facts(case, run.revision, reports[name])
        for name, case in run.cases.items()
        if name in reports
    ]
    witnesses = {"model": f"of {run.revision.describes}"}
    if run.pool is not None:
        witnesses["qemu"] = f"QEMU {run.pool.version} ({run.binary})"
    text = page(cases, witnesses, list(tally.lines()), shlex.join(["pytest", *sys.argv[1:]]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text(text, "utf-8")
    except OSError as error:
        pytest.exit(f"--report: {folder}: {error.strerror}", returncode=4)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of a conformance run as JSON, for programs: nobody should have to read the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qsim.report.gate import Tally

#: What the table's columns count, as pytest calls it.
COLUMNS = {"agree": "passed", "differ": "failed", "not supported": "skipped"}


def figures(tally: Tally) -> dict[str, Any]:
    """Each witness with its columns; the binary's only when there was one."""
    run = tally.run
    witnesses: dict[str, Any] = {"model": {"revision": run.revision.name}}
    if run.pool is not None:
        witnesses["qemu"] = {"binary": run.binary, "version": run.pool.version}
    for name, facts in witnesses.items():
        facts |= {column: tally.counts[name, result] for column, result in COLUMNS.items()}
        facts["cases"] = facts["agree"] + facts["differ"]
    return {"witnesses": witnesses, "about other revisions": run.left_out}


def write_figures(path: Path, tally: Tally) -> None:
    """Write them to a file, whose folder is made if need be.

    :raise OSError: when that cannot be.
    """
    text = json.dumps(figures(tally), indent=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", "utf-8")

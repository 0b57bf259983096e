# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page says of a run: plain data, ready to become JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qsim.outcome import Outcome
from qsim.quorum.revisions import Revision
from qsim.report.terminal import short_path
from qsim.scenario import Case, ScenarioError
from qsim.trace.diagram import Diagram, diagram
from qsim.trace.watch import watched


def drawn(one: Diagram) -> dict[str, Any]:
    """A diagram; of a row the members that are there."""
    return {
        "witness": one.witness,
        "lanes": one.lanes,
        "rows": [
            [row.source, row.dest, row.text, row.style, *_why(row.because, row.function)]
            for row in one.rows
        ],
        "ends": one.ends,
        "trouble": one.trouble,
    }


def _why(because: Sequence[str], function: str) -> list[str]:
    return [f"{function}() {' '.join(because)}".strip()] if function else []


def drawn_outcome(case: Case, outcome: Outcome) -> dict[str, Any]:
    """What a binary has shown of a case."""
    return drawn(diagram(case, outcome))


def case_facts(case: Case, revision: Revision, reports: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A case: where it stands, what became of it on each witness, and its diagram on the model."""
    try:
        shown: dict[str, Any] | None = drawn(diagram(case, *watched(case, revision)))
    except ScenarioError:
        shown = None
    return {
        "id": case.id,
        "family": case.family,
        "name": case.name,
        "place": f"{short_path(case.file)}:{case.line}",
        "source": case.source,
        "bug": case.bug,
        "results": {
            one["witness"]: {
                "result": one["result"],
                "seconds": round(one.get("seconds", 0.0), 3),
                "text": one.get("text", ""),
                "reason": one.get("reason", ""),
                "diagram": one.get("diagram"),
            }
            for one in reports
        },
        "diagram": shown,
    }


def matrix(cases: Sequence[dict[str, Any]], witnesses: Sequence[str]) -> list[dict[str, Any]]:
    """Each behaviour, which is a family, by target: how many agree, differ, cannot be played."""
    families: dict[str, dict[str, dict[str, int]]] = {}
    for case in cases:
        row = families.setdefault(case["family"], {name: {} for name in witnesses})
        for name, result in case["results"].items():
            row[name][result["result"]] = row[name].get(result["result"], 0) + 1
    return [{"family": family, "cells": cells} for family, cells in families.items()]

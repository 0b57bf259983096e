# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page says of a run: plain data, ready to become HTML and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qsim.outcome import Difference, Outcome
from qsim.quorum.revisions import Revision
from qsim.report.terminal import short_path
from qsim.scenario import Case, ScenarioError
from qsim.trace.diagram import Diagram, diagram
from qsim.trace.watch import watched
from qsim.verdict import Kind, Verdict

#: The witnesses whose results decide: what the baseline does fails nothing.
JUDGED = ("model", "qemu")
#: What a witness has to say of a case, where it has nothing to say.
_SILENT: dict[str, Any] = {
    "by": "",
    "against": "",
    "kind": "",
    "reason": "",
    "seconds": 0.0,
    "found": [],
    "change": [],
    "text": "",
}


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


def _drawn(case: Case, outcome: Outcome) -> dict[str, Any]:
    """What a binary has shown, as a diagram or why there is none."""
    try:
        return drawn(diagram(case, outcome))
    except Exception as error:
        return _undrawn(outcome.witness, error)


def _undrawn(witness: str, error: Exception) -> dict[str, Any]:
    """In a diagram's place: what was judged, and what else is on the page, is not lost by that."""
    trouble = f"this cannot be drawn: {type(error).__name__}: {error}"
    return drawn(Diagram(witness, (), (), (), (trouble,)))


def _why(because: Sequence[str], function: str) -> list[str]:
    return [f"{function}() {' '.join(because)}".strip()] if function else []


def shown_beside(verdict: Verdict, played: Outcome, baseline: Outcome | None) -> dict[str, Any]:
    """What a witness has shown of a case and how it was judged, as it travels in a report.

    Outcomes are drawn where they are of interest: something differs, or has changed.
    """
    changed = bool(verdict.change) or verdict.kind is Kind.LOST
    interesting = changed or bool(verdict.found) or verdict.kind is Kind.BUG_GONE
    shown: dict[str, Any] = {
        "by": played.witness,
        "reason": verdict.reason,
        "against": _left_of(verdict),
        "kind": verdict.kind.name,
        "found": _pairs(verdict.found),
        "change": _pairs(verdict.change),
        "seconds": played.seconds,
    }
    if interesting and not played.unsupported:
        shown["diagram"] = _drawn(verdict.case, played)
    if baseline is not None:
        shown["baseline"] = {
            "result": verdict.baseline,
            "seconds": baseline.seconds,
            "reason": baseline.unsupported,
        }
        if changed and not baseline.unsupported:
            shown["baseline"]["diagram"] = _drawn(verdict.case, baseline)
    return shown


def _left_of(verdict: Verdict) -> str:
    """What the differences of a verdict are told from."""
    if verdict.left is not None:
        return verdict.left.witness
    return "the intention" if verdict.kind is Kind.NOT_AS_INTENDED else "the fixture"


def _pairs(differences: Iterable[Difference]) -> list[list[str]]:
    return [[f"{one.label}: {one.what}", one.left, one.right] for one in differences]


def case_facts(
    case: Case,
    revision: Revision,
    reports: Iterable[dict[str, Any]],
    again: str,
    intended: Case | None = None,
) -> dict[str, Any]:
    """A case: where it stands, what became of it on each witness, and its diagram on the model.

    :param again: the command that runs just this case again.
    :param intended: the case as a patch means it, which the binary was held against.
    """
    results: dict[str, dict[str, Any]] = {}
    for one in reports:
        told = dict(one)
        baseline = told.pop("baseline", None)
        results[told.pop("witness")] = {**_SILENT, **told}
        if baseline is not None:
            results["baseline"] = {**_SILENT, **baseline}
    diagrams = {
        name: diagram
        for name, one in results.items()
        if (diagram := one.pop("diagram", None)) is not None
    }
    if intended is not case:
        try:
            diagrams["model"] = drawn(diagram_of_model(case, revision))
        except ScenarioError:
            pass  # The model has said itself that it does not know this.
        except Exception as error:
            diagrams["model"] = _undrawn(f"model {revision.name}", error)
    results = {name: results[name] for name in (*JUDGED, "baseline") if name in results}
    return {
        "id": case.id,
        "family": case.family,
        "source": case.source,
        "place": _place(case),
        "intended": _place(intended) if intended else "",
        "intention": intended.source if intended else "",
        "bug": case.bug,
        "again": again,
        "worst": worst(one["result"] for name, one in results.items() if name in JUDGED),
        "changed": any(one["change"] for one in results.values()),
        "kind": results["qemu"]["kind"] if "qemu" in results else "",
        "results": results,
        "diagrams": diagrams,
    }


def _place(case: Case) -> str:
    return f"{short_path(case.file)}:{case.line}"


def diagram_of_model(case: Case, revision: Revision) -> Diagram:
    """A case on the model, with why its driver does what it does.

    :raise ScenarioError: when it does something the model does not know.
    """
    return diagram(case, *watched(case, revision))


def worst(results: Iterable[str]) -> str:
    """Of several results the one that counts."""
    found = set(results)
    return next((one for one in ("failed", "skipped") if one in found), "passed")


def matrix(cases: Sequence[dict[str, Any]], witnesses: Sequence[str]) -> list[dict[str, Any]]:
    """Each behaviour, which is a family, by target: how many agree, differ, cannot be played.

    Those in which something fails come first.
    """
    families: dict[str, dict[str, dict[str, int]]] = {}
    for case in cases:
        row = families.setdefault(case["family"], {name: {} for name in witnesses})
        for name, result in case["results"].items():
            # The suite may have no such case, and so nothing to say of a baseline.
            if result["result"]:
                row[name][result["result"]] = row[name].get(result["result"], 0) + 1
    failing = {case["family"] for case in cases if case["worst"] == "failed"}
    rows = [{"family": family, "cells": cells} for family, cells in families.items()]
    return sorted(rows, key=lambda row: row["family"] not in failing)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The end of a conformance run: what agreed, what differed, and what a patch has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from qsim.explore.ways import Ways
from qsim.outcome import Difference
from qsim.quorum.revisions import Revision, nearest
from qsim.recognise import Recognised
from qsim.report.terminal import render
from qsim.scenario import Case
from qsim.series.diff import changes
from qsim.target.pool import Pool
from qsim.verdict import Kind, Verdict

#: How much of a long value the table of changes shows.
MOST_TEXT = 160


class Run(Protocol):
    """What the tables say of a session."""

    binary: str | None
    named: str | None
    iothread: bool
    pool: Pool | None
    baseline: Pool | None
    revision: Revision
    recognised: Recognised | None
    cases: dict[str, Case]
    intended: dict[str, Case]
    open: dict[str, Ways]
    left_out: int
    config: Any


def render_verdict(verdict: Verdict, again: str) -> str:
    """Why a case does not pass, ready to print."""
    head = f"{verdict.case.id}: {verdict.kind.text}"
    if verdict.right is None:
        return f"{head}\n  behaviour: {verdict.case.source}\n  {verdict.reason}\n\nagain: {again}"
    text = render(verdict.case, verdict.left, verdict.right, verdict.found, again)
    if not verdict.change:
        return text
    return "\n".join([head, *_changed(verdict.change, "  "), "", text])


def _changed(change: tuple[Difference, ...], indent: str) -> Iterator[str]:
    """A change from the baseline to the candidate, old beside new."""
    for one in change:
        yield f"{indent}{one.label}: {one.what}"
        yield f"{indent}    was {_short(one.left)}"
        yield f"{indent}    now {_short(one.right)}"


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 3]}..."


@dataclass
class Tally:
    """Counts reports and makes the tables of them."""

    run: Run
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    entries: list[dict[str, Any]] = field(default_factory=list)
    #: What a page tells of each.
    told: list[dict[str, Any]] = field(default_factory=list)

    @staticmethod
    def entry(witness: str, result: str, verdict: Verdict | None) -> dict[str, Any]:
        """What a report carries: plain data, as it may travel between processes."""
        entry: dict[str, Any] = {"witness": witness, "result": result}
        if verdict is not None:
            entry["case"] = verdict.case.id
            entry["kind"] = verdict.kind.name
            entry["bug"] = verdict.case.bug
            entry["reason"] = verdict.reason
            entry["baseline"] = verdict.baseline
            entry["change"] = [
                [one.step, one.label, one.what, one.left, one.right] for one in verdict.change
            ]
        return entry

    def count(self, entry: dict[str, Any]) -> None:
        """A report came in."""
        self.counts[entry["witness"], entry["result"]] += 1
        if "kind" in entry:
            self.entries.append(entry)
            if entry["baseline"]:
                self.counts["baseline", entry["baseline"]] += 1
        if "page" in entry:
            self.told.append(entry["page"])

    def _of(self, *kinds: Kind) -> list[dict[str, Any]]:
        names = {kind.name for kind in kinds}
        return [entry for entry in self.entries if entry["kind"] in names]

    def lines(self) -> Iterator[str]:
        """The closing tables."""
        run = self.run
        yield from self._witnesses()
        repeat = run.config.getoption("--repeat")
        if repeat > 1 and run.pool is not None:
            yield f"each case was played {repeat} times on the binary"
        if run.recognised is not None:
            yield run.recognised.summary()
            if not run.recognised.fits or run.config.getoption("verbose") > 0:
                yield from (f"  {one}" for one in run.recognised.seen)
        if run.left_out:
            yield f"{run.left_out} cases are about other revisions than {run.revision.name}"
        if run.pool is not None:
            yield from self._ways()
        yield from self._why_not()
        yield from self._bugs()
        if run.baseline is not None:
            yield from self._changes()

    def _witnesses(self) -> Iterator[str]:
        run = self.run
        rows = [(f"model of {run.revision.describes}", self._row("model"))]
        if run.pool is not None:
            rows.append((f"QEMU {run.pool.version} ({run.binary})", self._row("qemu")))
        if run.baseline is not None:
            name = f"baseline QEMU {run.baseline.version} ({run.config.getoption('--baseline')})"
            rows.append((name, self._row("baseline")))
        # What a binary cannot do is said, never counted among what it does.
        cannot = any(row[2] for _, row in rows)
        width = max(44, *(len(name) + 1 for name, _ in rows))
        more = f"{'not supported':>15}" if cannot else ""
        yield f"{'witness':<{width}}{'cases':>8}{'agree':>8}{'differ':>8}{more}"
        for name, (agree, differ, skipped) in rows:
            more = f"{skipped:>15}" if cannot else ""
            yield f"{name:<{width}}{agree + differ:>8}{agree:>8}{differ:>8}{more}"

    def _row(self, witness: str) -> tuple[int, int, int]:
        results = ("passed", "failed", "skipped")
        agree, differ, cannot = (self.counts[witness, result] for result in results)
        return agree, differ, cannot

    def _ways(self) -> Iterator[str]:
        """Of all that can come of scenarios that leave something open, what was seen."""
        good = {entry["case"] for entry in self.entries if Kind[entry["kind"]].passes}
        good -= {entry["case"] for entry in self._of(Kind.UNSUPPORTED)}
        played, seen, all_ = 0, 0, 0
        touched = [ways for ways in self.run.open.values() if good & ways.closed.keys()]
        for ways in touched:
            here = good & ways.closed.keys()
            outcomes = {ways.leads_to[name] for name in here}
            played, seen, all_ = played + len(here), seen + len(outcomes), all_ + len(ways.set)
            if self.run.config.getoption("verbose") > 0:
                yield (
                    f"  {ways.case.id}: {len(here)} ways, "
                    f"{len(outcomes)} of {len(ways.set)} outcomes seen"
                )
        if touched:
            yield (
                f"{len(touched)} scenarios in any order went {played} ways on the binary; "
                f"{seen} of {all_} possible outcomes were seen"
            )

    def _why_not(self) -> Iterator[str]:
        reasons = Counter(entry["reason"] for entry in self._of(Kind.UNSUPPORTED))
        for reason, count in reasons.most_common():
            yield f"not supported, {count} cases: {reason}"

    def _bugs(self) -> Iterator[str]:
        """Known bugs of QEMU, which fail nothing: those that show, and those that do not."""
        for entry in self.entries:
            if entry["kind"] == Kind.BUG_GONE.name:
                yield f"KNOWN BUG GONE: {entry['case']}: {entry['bug']}"
            elif entry["bug"] and entry["kind"] in (Kind.AGREES.name, Kind.AS_BEFORE.name):
                yield f"known bug: {entry['case']}: {entry['bug']}"

    def _changes(self) -> Iterator[str]:
        """What is different from the baseline, and which of the two is as the suite says."""
        run = self.run
        assert run.baseline is not None
        changed = [entry for entry in self.entries if entry["change"]]
        old = self._of(Kind.AS_BEFORE)
        yield ""
        yield (
            f"changed from the baseline: {len(changed)} cases; "
            f"unlike the fixture on both alike: {len(old)}"
        )
        causes = self._causes([entry["case"] for entry in changed])
        groups: dict[str, list[dict[str, Any]]] = {}
        for entry in sorted(changed, key=lambda entry: str(entry["case"])):
            groups.setdefault(causes.get(entry["case"], ""), []).append(entry)
        for cause, entries in sorted(groups.items(), key=lambda group: -len(group[1])):
            if cause:
                yield f"because {cause}: {len(entries)} cases"
            elif len(groups) > 1:
                yield f"for no reason the model knows: {len(entries)} cases"
            for entry in entries:
                yield f"  {entry['case']}: {Kind[entry['kind']].text}"
                yield from _changed(tuple(Difference(*one) for one in entry["change"]), "      ")
        for entry in old:
            yield f"  {entry['case']}: {Kind[entry['kind']].text}"

    def _causes(self, ids: list[str]) -> dict[str, str]:
        """Why they differ, by the model, where the two binaries are of two revisions of it."""
        run = self.run
        assert run.baseline is not None
        older = nearest(run.baseline.version)
        if older == run.revision:
            return {}
        cases = [run.cases[name] for name in ids if name in run.cases]
        return {
            change.case.id: "; ".join(f"{cause.reason} ({cause.source})" for cause in change.causes)
            for change in changes(cases, older, run.revision)
            if change.causes
        }

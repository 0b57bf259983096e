# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/claims.md: every statement on a guest's data has cases, of releases there are binaries of.

That the cases hold is for the suite, which plays them on the model and on each binary.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from qsim.claims.availability.part import availability
from qsim.claims.finding import Table
from qsim.claims.reading.part import table
from qsim.claims.reading.predict import predict
from qsim.claims.reading.settings import BASE, BY_NUMBER, SETTINGS, Setting
from qsim.claims.safety import NO_AUTO_SYNC, cases, safety
from qsim.claims.stale import reads
from qsim.outcome import against_fixture
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.select import cases_of, holds
from qsim.target.model import run_model

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"
RELEASES = ("5.2", "7.2", "10.0", "11.1")
#: The head of a table of statements.
HEAD = "| statement | shown by | releases |"


@dataclass(frozen=True)
class Row:
    """A statement of the page, the cases it names, and the releases."""

    statement: str
    shown_by: tuple[str, ...]
    releases: tuple[str, ...]


def rows() -> Iterator[Row]:
    within = False
    for line in PAGE.read_text("utf-8").splitlines():
        within = line.startswith("|") and (within or line == HEAD)
        if not within or line == HEAD or set(line) <= set("|- "):
            continue
        statement, shown_by, releases = (cell.strip() for cell in line.strip("|").split("|"))
        named = RELEASES if releases == "all" else tuple(releases.split(", "))
        yield Row(statement, tuple(re.findall(r"`([^`]+)`", shown_by)), named)


ROWS = list(rows())


def holds_in(case: Case) -> set[str]:
    return {name for name in RELEASES if holds(case, revision(name))}


@pytest.fixture(scope="module")
def by_id(shipped_cases: list[Case]) -> dict[str, Case]:
    return {case.id: case for case in shipped_cases}


def test_there_are_statements() -> None:
    assert len(ROWS) >= 30
    assert len({row.statement for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "+".join(row.shown_by) or row.statement)
def test_a_statement_has_cases_in_the_releases_it_names(row: Row, by_id: dict[str, Case]) -> None:
    assert row.shown_by, row.statement
    shown = [by_id[name] for name in row.shown_by]
    assert all(any(step.expected for step in case.steps) for case in shown)
    assert len(row.releases) >= 2
    assert set(row.releases) == set.union(*map(holds_in, shown))


def test_every_case_of_both_families_is_named() -> None:
    named = {name for row in ROWS for name in row.shown_by}
    assert {case.id for case in cases()} <= named


def test_what_the_page_counts_is_so() -> None:
    found = re.search(
        r"(\d+) that are about 7\.2 the guest reads old bytes .* in (\d+), and in (\d+) of these",
        PAGE.read_text("utf-8"),
    )
    assert found
    wanted = revision("7.2")
    chosen = [case for case in cases_of(cases(), wanted) if case.family == NO_AUTO_SYNC]
    counted = [reads(case, run_model(case, wanted)) for case in chosen]
    stale, silent = sum(one.stale > 0 for one in counted), sum(one.silent > 0 for one in counted)
    assert [int(number) for number in found.groups()] == [len(chosen), stale, silent]


def test_the_series_has_the_hazard_too(shipped_cases: list[Case]) -> None:
    told = [case for case in shipped_cases if case.family == f"2014 {NO_AUTO_SYNC}"]
    assert told
    for name in ("v2", "v4", "mid-2015"):
        wanted = revision(name)
        for case in cases_of(told, wanted):
            assert not against_fixture(case, run_model(case, wanted))


def _written(name: str) -> list[list[str]]:
    with (PAGE.parent / "claims" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def _cells(table: Table) -> list[list[str]]:
    return [list(table.columns), *([str(cell) for cell in row] for row in table.rows)]


def test_the_page_has_the_figures_of_the_written_table() -> None:
    head, *rows = _written("reading")
    told = re.findall(
        r"^\| (.*(?:fifo|quorum)) \| ([\d.]+(?: \| [\d.]+){5}) \|$", PAGE.read_text(), re.M
    )
    columns = ("requests_per_read", "bytes_per_read")
    assert [name for name, _ in told] == [row[0] for row in rows if row[0] != BASE.name]
    for name, figures in told:
        row = dict(zip(head, next(row for row in rows if row[0] == name), strict=True))
        # Requests and bytes are one figure, as what is predicted is what was measured.
        assert all(row[f"{one}_predicted"] == row[f"{one}_measured"] for one in columns)
        values = [row[f"{one}_measured"] for one in columns]
        values += [
            row[f"{q}_ms_{who}"] for q in ("p50", "p99") for who in ("predicted", "measured")
        ]
        digits = (2, 0, 2, 2, 2, 2)
        wanted = [f"{float(one):.{n}f}" for one, n in zip(values, digits, strict=True)]
        assert figures.split(" | ") == wanted, name


@pytest.mark.parametrize(
    ("name", "settings"), [("reading", (BASE, *SETTINGS)), ("reading-by-number", BY_NUMBER)]
)
def test_predictions_of_the_page_are_made_again(name: str, settings: Sequence[Setting]) -> None:
    head, *rows = _written(name)
    reads, seed = int(rows[0][head.index("reads")]), 2014
    costs = {one.name: predict(one, reads, seed, revision("7.2")) for one in settings}
    mine = table(name, settings, costs, {})
    for written, row in zip(rows, mine.rows, strict=True):
        told = dict(zip(head, written, strict=True))
        for column, cell in zip(mine.columns, row, strict=True):
            assert told[column] == str(cell), (written[0], column)


def test_availability_of_the_page_is_what_its_seed_gives_anywhere() -> None:
    finding = availability(2014, lambda done, more: None)
    assert not finding.differences
    for one in finding.tables:
        assert _cells(one) == _written(one.name), one.name
    assert [str(verdict) for verdict in finding.verdicts] == _lines()[-len(finding.verdicts) :]


def _lines() -> list[str]:
    """What the page says a run ends with."""
    after = PAGE.read_text("utf-8").partition("    $ qsim claims --qemu")[2]
    return re.findall(r"^- (.*)$", after.partition("## ")[0], re.M)


def test_lines_of_the_page_on_the_guest_s_data_are_made_again() -> None:
    finding = safety([], lambda done, more: None)
    wanted = [str(verdict).replace(" (on the model)", "") for verdict in finding.verdicts]
    told = [line.partition(" (on the model and QEMU ")[0] for line in _lines()]
    assert all(line in told for line in wanted)


def test_deviations_of_the_page_are_those_of_its_tables() -> None:
    rows = [dict(zip(head, row, strict=True)) for head, *rows in _reading() for row in rows]
    worst = []
    for quantile in ("p50", "p90", "p99"):
        over = [
            (float(row[f"{quantile}_ms_measured"]) - float(row[f"{quantile}_ms_predicted"]), row)
            for row in rows
        ]
        furthest, row = max(over, key=lambda one: abs(one[0]))
        worst.append((f"{furthest:.2f}", row["setting"]))
    (line,) = (line for line in _lines() if line.startswith("the model predicts"))
    assert f"up to {', '.join(figure for figure, _ in worst)} ms over it" in line
    text = " ".join(PAGE.read_text("utf-8").split())
    (p50, at50), (p90, at90), (p99, at99) = worst
    assert (
        f"The largest deviation is {p50} ms at the median (*{at50}*), {p90} at p90 (*{at90}*), "
        f"{p99} at p99 (*{at99}*)." in text
    )


def _reading() -> list[list[list[str]]]:
    return [_written("reading"), _written("reading-by-number")]


def test_intervals_that_miss_the_closed_form_are_counted() -> None:
    missed = every = 0
    for name, stem in (
        ("twenty", "restarted_{}_vms"),
        ("sizes", "restarted_{}_percent"),
        ("loss", "some_vm_lost_{}_percent"),
    ):
        head, *rows = _written(f"availability-{name}")
        for row in rows:
            cells = dict(zip(head, row, strict=True))
            low, known, high = (cells[stem.format(one)] for one in ("low", "closed_form", "high"))
            if known:
                every += 1
                missed += not float(low) <= float(known) <= float(high)
    text = " ".join(PAGE.read_text("utf-8").split())
    assert f"outside of {missed} of the {every} in the tables" in text

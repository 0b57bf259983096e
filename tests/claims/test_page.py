# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/claims.md: what is said of a guest's data names cases, of releases there are binaries of.

That the cases hold is for the suite, which plays them on the model and on each binary.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import pytest

from qsim.claims.availability.part import availability
from qsim.claims.finding import BEYOND, Table
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
#: The trees of 2014 and 2015 that were built, as docs/series.md names them.
TREES = ("before", "v4-1", "v4-merged", "cancel-null", "cancel-async", "mid-2015")
#: The heads of tables of statements, and what "all" stands for in each.
HEADS = {
    "| statement | shown by | releases |": RELEASES,
    "| statement | shown by | trees |": TREES,
}
#: A case as the page names it; a path has another slash, or a dot before a letter.
CASE = re.compile(r"`([\w-]+/(?:[^`/.]|\.(?=\d))+)`")
#: The sections on a guest's data.
OF_DATA = ("No auto-sync", "Repair with block jobs")
#: How paragraphs in them begin that say nothing of it.
NOT_OF_DATA = (
    "`O` is what the children held before",
    'In the tables "all" releases are',
    "Two children, `vote-threshold=1` if nothing else is said",
    '"1 of 2" is `vote-threshold=1` and two children.',
    "The comment that asks for a remedy",
    "A stale child is `c2`",
    "QEMU is killed, and another opens the node",
)


@dataclass(frozen=True)
class Row:
    """A statement of the page, the cases it names, and the revisions, of those of its table."""

    statement: str
    shown_by: tuple[str, ...]
    revisions: tuple[str, ...]
    of: tuple[str, ...]


def rows() -> Iterator[Row]:
    of: tuple[str, ...] = ()
    for line in PAGE.read_text("utf-8").splitlines():
        of = HEADS.get(line, of) if line.startswith("|") else ()
        if not of or line in HEADS or set(line) <= set("|- "):
            continue
        statement, shown_by, named = (cell.strip() for cell in line.strip("|").split("|"))
        revisions = of if named == "all" else tuple(named.split(", "))
        yield Row(statement, tuple(re.findall(r"`([^`]+)`", shown_by)), revisions, of)


ROWS = list(rows())


def blocks(title: str) -> list[str]:
    """The paragraphs, bullets, tables and examples of a section, each on lines of its own."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.M | re.S)
    return re.split(r"\n\n|\n(?=- )", section.strip("\n"))


def unnamed(title: str) -> Iterator[str]:
    """Paragraphs and bullets of a section that name no case; a colon leads to a table that does."""
    every = blocks(title)
    for block, after in zip(every, [*every[1:], ""], strict=True):
        led = block.endswith(":") and after.startswith(tuple(HEADS))
        if not (block.startswith(("|", "#", "    ")) or CASE.search(block) or led):
            yield block


def holds_in(case: Case, revisions: Sequence[str]) -> set[str]:
    return {name for name in revisions if holds(case, revision(name))}


@pytest.fixture(scope="module")
def by_id(shipped_cases: list[Case]) -> dict[str, Case]:
    return {case.id: case for case in shipped_cases}


def test_there_are_statements() -> None:
    assert len(ROWS) >= 60
    assert {row.of for row in ROWS} == set(HEADS.values())
    assert len({row.statement for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "+".join(row.shown_by) or row.statement)
def test_a_statement_has_cases_in_what_it_names(row: Row, by_id: dict[str, Case]) -> None:
    assert row.shown_by, row.statement
    shown = [by_id[name] for name in row.shown_by]
    assert all(any(step.expected for step in case.steps) for case in shown)
    assert len(row.revisions) >= 2
    assert set(row.revisions) == set.union(*(holds_in(case, row.of) for case in shown))


def test_every_case_of_the_families_is_named(shipped_cases: list[Case]) -> None:
    named = {name for row in ROWS for name in row.shown_by}
    assert {case.id for case in [*cases(), *_of_2014(shipped_cases)]} <= named


def test_prose_on_a_guest_s_data_names_its_cases() -> None:
    left = [block for title in OF_DATA for block in unnamed(title)]
    told = [next((one for one in NOT_OF_DATA if block.startswith(one)), block) for block in left]
    assert told == list(NOT_OF_DATA)


@pytest.mark.parametrize("title", OF_DATA)
def test_every_bullet_of_what_follows_names_a_case(title: str) -> None:
    every = blocks(title)
    (at,) = (i for i, block in enumerate(every) if block.startswith("### What follows"))
    bullets = list(takewhile(lambda block: not block.startswith("#"), every[at + 1 :]))
    assert len(bullets) >= 3
    assert all(block.startswith("- ") and CASE.search(block) for block in bullets)


def test_a_case_named_in_prose_holds_more_than_once(by_id: dict[str, Case]) -> None:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if not line.startswith("|")]
    named = CASE.findall("\n".join(lines))
    assert len(named) > 20
    for name in named:
        of = TREES if name.startswith("2014-") else RELEASES
        assert len(holds_in(by_id[name], of)) >= 2, name


def test_the_trees_are_those_that_were_built() -> None:
    text = (PAGE.parent / "series.md").read_text("utf-8")
    told = re.findall(r"^\| `\w+` \| ([\w-]+) \| \d+ \| (\d+) \| \d+ \|$", text, re.M)
    assert sorted(told) == sorted((name, "0") for name in TREES)


def test_what_the_page_counts_is_so() -> None:
    found = re.search(
        r"(\d+) that are\s+about 7\.2 the guest reads old bytes .* in (\d+), and in (\d+) of these",
        PAGE.read_text("utf-8"),
    )
    assert found
    wanted = revision("7.2")
    chosen = [case for case in cases_of(cases(), wanted) if case.family == NO_AUTO_SYNC]
    counted = [reads(case, run_model(case, wanted)) for case in chosen]
    stale, silent = sum(one.stale > 0 for one in counted), sum(one.silent > 0 for one in counted)
    assert [int(number) for number in found.groups()] == [len(chosen), stale, silent]


def test_the_series_has_the_hazard_too(shipped_cases: list[Case]) -> None:
    told = _of_2014(shipped_cases)
    assert len(told) == 6
    for name in ("v2", "v4", *TREES):
        wanted = revision(name)
        for case in cases_of(told, wanted):
            assert not against_fixture(case, run_model(case, wanted))


def _of_2014(every: Sequence[Case]) -> list[Case]:
    return [case for case in every if case.family == f"2014 {NO_AUTO_SYNC}"]


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


def test_the_letter_s_claims_have_a_line_each_and_others_say_that_they_are_others() -> None:
    claims = re.findall(r"^\d\. ", PAGE.read_text("utf-8").partition("`qsim claims`")[0], re.M)
    beyond = [line.startswith(BEYOND) for line in _lines()]
    assert (beyond.count(False), beyond.count(True)) == (len(claims), 4)


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
    (line,) = (line for line in _lines() if line.startswith(f"{BEYOND}the model predicts"))
    assert f"up to {', '.join(figure for figure, _ in worst)} ms over it" in line
    text = " ".join(PAGE.read_text("utf-8").split())
    (p50, at50), (p90, at90), (p99, at99) = worst
    assert (
        f"The largest deviation is {p50} ms at the median (*{at50}*), {p90} at p90 (*{at90}*), "
        f"{p99} at p99 (*{at99}*)." in text
    )


def test_latencies_in_the_text_are_those_of_the_table() -> None:
    head, *rows = _written("reading")
    p99, p50 = (
        {r[0]: float(r[head.index(f"{q}_ms_measured")]) for r in rows} for q in ("p99", "p50")
    )
    text = " ".join(PAGE.read_text("utf-8").split())
    for phrase in (
        f"a p99 of {p99['three shared, quorum']:.1f} ms as a vote and "
        f"{p99['three shared, fifo']:.1f} in FIFO order",
        f"*flapping first*, p99 {p99['flapping first, fifo']:.1f} and "
        f"{p99['flapping first, quorum']:.1f} ms",
        f"{p50['two instant, fifo']:.2f} ms for a read of children that take none",
        "waits {:.0f} times as long".format(
            p50["local last of two, fifo"] / p50["local first of two, fifo"]
        ),
    ):
        assert phrase in text


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

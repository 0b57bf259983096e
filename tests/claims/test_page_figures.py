# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/claims.md, twenty virtual machines: every figure in the text is one of the tables beside it,
as the page rounds it, or one that the simulation starts from."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from qsim.claims.availability.closed import restarts
from qsim.claims.availability.failure import Failure
from qsim.claims.availability.schemes import (
    ANYWHERE,
    APART,
    PAIRS,
    RACK,
    RING,
    SCATTERED,
    SLOTS_PER_HOST,
    THREE,
    THREE_APART,
    VMS_PER_HOST,
    Scheme,
    setting,
)

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"


@cache
def rows(table: str) -> list[dict[str, str]]:
    path = PAGE.parent / "claims" / f"availability-{table}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True)
class Cell:
    """A cell of a table, told with so many digits.

    :param row: the beginning of its row, as far as it takes to find it.
    :param unit: how much of what the table counts is one of what the page counts.
    """

    table: str
    row: tuple[object, ...]
    column: str
    digits: int = 0
    unit: float = 1

    @property
    def value(self) -> float:
        wanted = [str(cell) for cell in self.row]
        (row,) = (row for row in rows(self.table) if list(row.values())[: len(wanted)] == wanted)
        return float(row[self.column]) / self.unit

    def __str__(self) -> str:
        return f"{self.value:.{self.digits}f}"


@dataclass(frozen=True)
class Half:
    """Half of an interval whose ends are two cells."""

    low: Cell
    high: Cell

    def __str__(self) -> str:
        return f"{(self.high.value - self.low.value) / 2:.{self.low.digits}f}"


def twenty(
    hosts: int, scheme: Scheme, free: int, digits: int = 0, column: str = "restarted_vms"
) -> Cell:
    return Cell("twenty", (hosts, scheme, free), column, digits)


def twenty_half(hosts: int, scheme: Scheme, free: int, digits: int) -> Half:
    low, high = (
        twenty(hosts, scheme, free, digits, f"restarted_{end}_vms") for end in ("low", "high")
    )
    return Half(low, high)


def restarted(hosts: int, scheme: Scheme, digits: int = 0) -> Cell:
    row = (hosts, hosts * VMS_PER_HOST, scheme)
    return Cell("sizes", row, "restarted_percent", digits)


def missed(hosts: int, scheme: Scheme) -> Cell:
    row = (hosts, hosts * VMS_PER_HOST, scheme)
    return Cell("sizes", row, "missed_by_manager_percent", 1)


def after(
    hosts: int, scheme: Scheme, column: str, unit: float = 1, failure: Failure = Failure.HOST
) -> Cell:
    return Cell("failures", (hosts, scheme, failure.value), column, unit=unit)


def rack(scheme: Scheme, column: str) -> Cell:
    return after(100, scheme, column, failure=Failure.RACK)


def lost(hosts: int, scheme: Scheme, digits: int = 0, column: str = "some_vm_lost_percent") -> Cell:
    return Cell("loss", (hosts, scheme), column, digits)


#: What all data centres of the tables have in common: slots, times, the size of an image.
ONE = setting(10_000, SCATTERED)
assert ONE is not None
MINUTE = 60

#: Phrases of the page, with a pair of braces for each figure, and what the figures are.
FIGURES: list[tuple[str, tuple[object, ...]]] = [
    (
        "With 5 free slots on each host ({} % in use) a pair restarts {} of {} VMs",
        (twenty(2, PAIRS, 5, column="used_percent"), twenty(2, PAIRS, 5), twenty(2, PAIRS, 20)),
    ),
    (
        "scattered over 20 hosts {} ± {} do ({} by the closed form",
        (
            twenty(20, SCATTERED, 5, 3),
            twenty_half(20, SCATTERED, 5, 3),
            twenty(20, SCATTERED, 5, 3, "restarted_closed_form_vms"),
        ),
    ),
    (
        "over 8 hosts {}, over 4 hosts {}.",
        (twenty(8, SCATTERED, 5, 1), twenty(4, SCATTERED, 5, 1)),
    ),
    (
        "With 1 free slot each it is {} in a pair and {} ± {} over 20 hosts",
        (twenty(2, PAIRS, 1), twenty(20, SCATTERED, 1, 1), twenty_half(20, SCATTERED, 1, 1)),
    ),
    (
        "If they may start anywhere it is {}; with 3 replicas, {} ± {}.",
        (twenty(20, ANYWHERE, 1), twenty(20, THREE, 1, 1), twenty_half(20, THREE, 1, 1)),
    ),
    (
        "a pair restarts {} % of them in a data centre of any size, the last after {} minutes, "
        "when the host has been repaired ({:g} hours).",
        (
            restarted(10_000, PAIRS),
            after(10_000, PAIRS, "all_run_s", MINUTE),
            ONE.repair_s / 60 / MINUTE,
        ),
    ),
    (
        "Scattered it is {} % with 4 hosts, {} % with 8, {} % with 100;",
        (restarted(4, SCATTERED), restarted(8, SCATTERED), restarted(100, SCATTERED, 1)),
    ),
    (
        "Then all run again after {} seconds ({} to notice, {} to boot).",
        (after(10_000, SCATTERED, "all_run_s"), ONE.detection_s, ONE.boot_s),
    ),
    (
        "After the crash of a rack ({} of 100 hosts, more than was free) {} % restart where "
        "replicas may share a rack, and {} of {} VMs have no replica left; {} % and none where "
        "they may not.",
        (
            RACK,
            rack(SCATTERED, "restarted_percent"),
            rack(SCATTERED, "without_replica_vms"),
            rack(SCATTERED, "hit_vms"),
            rack(APART, "restarted_percent"),
        ),
    ),
    (
        "with a probability of {} % with 8 hosts, {} % with 100, {} % with 10,000; "
        "as pairs, {} %, {} % and {} %.",
        (
            *(lost(8, SCATTERED), lost(100, SCATTERED), lost(10_000, SCATTERED, 1)),
            *(lost(8, PAIRS), lost(100, PAIRS), lost(10_000, PAIRS, 2)),
        ),
    ),
    (
        "The ring (100 hosts: {} %) lies between. "
        "With 3 replicas it takes three hosts: {} % with 100.",
        (lost(100, RING), lost(100, THREE, 1)),
    ),
    (
        "whole images of {:g} GB to other hosts from {:g} minutes after the crash on, "
        "at {:g} MB/s of each host's network",
        (ONE.disk_bytes / 1e9, ONE.rebuild_after_s / MINUTE, ONE.copy_bytes_per_s / 1e6),
    ),
    (
        "for 10,000 hosts {} ± {} GB, {} GB at the busiest host, done after {} minutes.",
        (
            after(10_000, SCATTERED, "copied_gb"),
            after(10_000, SCATTERED, "copied_gb_plus_minus"),
            after(10_000, SCATTERED, "busiest_host_gb"),
            after(10_000, SCATTERED, "all_replicated_s", MINUTE),
        ),
    ),
    (
        "copies only what has changed ({} GB, all between the two)",
        (after(10_000, PAIRS, "copied_gb"),),
    ),
    (
        "it loses {} % at most with 8 hosts (in different racks {} %), and none in {} placements "
        "with 16.",
        (
            missed(8, THREE),
            missed(8, THREE_APART),
            Cell("sizes", (16, 16 * VMS_PER_HOST, THREE), "placements"),
        ),
    ),
]


def _sooner_but_no_more(hosts: int) -> bool:
    """Scattered, some VM is lost more often, and never more of them in all."""
    on_average = [lost(hosts, x, column="lost_vms_on_average").value for x in (PAIRS, SCATTERED)]
    return len(set(on_average)) == 1 and lost(hosts, PAIRS).value < lost(hosts, SCATTERED).value


def _one_in_millions() -> float:
    known = restarts(ONE)
    assert known is not None
    return 1 / (1 - known / VMS_PER_HOST) / 1e6


#: What the page says in words, and whether it is so.
WORDS: list[tuple[str, Callable[[], bool]]] = [
    ("on the next five hosts", lambda: ONE.ring_hosts == 5),
    (
        "that one VM waited in 400 placements is too little for an interval",
        lambda: 400 * (20 - twenty(20, SCATTERED, 5).value) == pytest.approx(1),
    ),
    (
        "With no free slot none starts, whatever the policy.",
        lambda: (
            {row["restarted_vms"] for row in rows("twenty") if row["free_slots_per_host"] == "0"}
            == {"0.0"}
        ),
    ),
    (
        "Ten VMs on hosts with twelve slots",
        lambda: (VMS_PER_HOST, SLOTS_PER_HOST) == (10, 12),
    ),
    (
        "in a data centre of any size",
        lambda: (
            {row["restarted_percent"] for row in rows("sizes") if row["scheme"] == str(PAIRS)}
            == {"20.0"}
        ),
    ),
    (
        "with 10,000 none of a million waited",
        lambda: (
            restarted(10_000, SCATTERED).value == 100
            and Cell("sizes", (10_000, 100_000, SCATTERED), "placements").value * ONE.vms == 1e6
        ),
    ),
    ("by the closed form one in eight million does", lambda: round(_one_in_millions()) == 8),
    (
        "The ring does as well with eight hosts already.",
        lambda: restarted(8, RING).value == 100 and after(8, RING, "all_run_s").value == 90,
    ),
    (
        "more than was free",
        lambda: rack(SCATTERED, "hit_vms").value > (100 - RACK) * ONE.free_slots,
    ),
    ("and none where they may not", lambda: rack(APART, "without_replica_vms").value == 0),
    (
        "Each time fewer VMs are hit; in the long run as many.",
        lambda: all(map(_sooner_but_no_more, (8, 100, 10_000))),
    ),
    (
        "lies between",
        lambda: lost(100, PAIRS).value < lost(100, RING).value < lost(100, SCATTERED).value,
    ),
    (
        "all between the two",
        lambda: (
            after(10_000, PAIRS, "copied_gb").value == after(10_000, PAIRS, "busiest_host_gb").value
        ),
    ),
    ("and none in 200 placements", lambda: missed(16, THREE).value == 0),
]

#: Phrases with figures that are no table's, or that test_page.py looks at.
OTHERS = (
    "2 or 3 replicas on any hosts",
    "that one VM waited in 400 placements",
    "with 10,000 none of a million",
    "(USENIX ATC 2013)",
    "with threshold 1 the driver",
    "And v4 does not",
    "3 replicas avoid that",
    "PCG64",
    "the 95 % interval",
    "outside of 13 of the 236 in the tables",
    "10,000 hosts and 100,000 VMs, all policies",
    "times them beside 1,000 hosts",
)


def text() -> str:
    """The section's running text, without the letter's, names of cases and files."""
    section = PAGE.read_text("utf-8").partition("\n## Twenty virtual machines\n")[2]
    lines = section.partition("\n## ")[0].splitlines()
    kept = " ".join(" ".join(x for x in lines if not x.startswith((">", "!"))).split())
    return re.sub(r"\]\([^)]*\)|`[^`]*`", "", kept)


@pytest.mark.parametrize(("phrase", "figures"), FIGURES, ids=[one for one, _ in FIGURES])
def test_figures_are_those_of_the_tables(phrase: str, figures: tuple[object, ...]) -> None:
    assert text().count(phrase.format(*figures)) == 1, phrase.format(*figures)


@pytest.mark.parametrize(("phrase", "so"), WORDS, ids=[one for one, _ in WORDS])
def test_words_are_so(phrase: str, so: Callable[[], bool]) -> None:
    assert text().count(phrase) == 1
    assert so()


def test_no_figure_is_left_out() -> None:
    left = text()
    for phrase in (*(one.format(*figures) for one, figures in FIGURES), *OTHERS):
        assert phrase in text()
        left = left.replace(phrase, " ")
    assert not re.findall(r".{0,30}\d.{0,30}", left)

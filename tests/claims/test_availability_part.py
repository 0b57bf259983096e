# SPDX-License-Identifier: GPL-2.0-or-later
"""The part as a whole: what it finds, that it is the same each time, and that 10,000 hosts are
no trouble."""

from __future__ import annotations

from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from qsim.claims.availability import part, sizes
from qsim.claims.availability.failure import Failure
from qsim.claims.availability.interval import Interval
from qsim.claims.availability.part import availability, steps
from qsim.claims.availability.schemes import PAIRS, SCATTERED, SCHEMES, SIZES, setting
from qsim.claims.availability.setting import Policy, Setting
from qsim.claims.availability.twenty import Point
from qsim.claims.finding import BEYOND, Finding, Holds, Table


@pytest.fixture(scope="module")
def told() -> list[tuple[int, str]]:
    return []


@pytest.fixture(scope="module")
def finding(told) -> Finding:
    return availability(2014, lambda done, more: told.append((done, more)), quick=True)


def rows(finding: Finding, name: str) -> list[dict]:
    (table,) = (table for table in finding.tables if table.name == name)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_the_verdicts_say_when_it_holds(finding: Finding):
    restart, safety, replicated = finding.verdicts
    assert [verdict.holds for verdict in finding.verdicts] == [Holds.IF, Holds.NO, Holds.IF]
    assert "5 free slots each 20 of 20" in restart.figure and "in a pair 5;" in restart.figure
    assert "with 8 hosts (in pairs 14 %)" in safety.figure
    assert replicated.condition == "a tool outside QEMU does it, with 4 hosts or more"
    beyond = [verdict.claim.startswith(BEYOND) for verdict in finding.verdicts]
    assert beyond == [False, True, True]


def test_the_verdicts_are_of_the_figures():
    pair, few = (Setting(hosts, 20, 25, Policy.SCATTERED) for hosts in (2, 20))
    one = replace(few, slots_per_host=21)
    sure, more = Interval(5.0, 0.0), Interval(6.0, 0.1)

    def points(scattered: Interval) -> list[Point]:
        return [
            *(Point(x, PAIRS, sure, None, 1) for x in (pair, replace(pair, slots_per_host=21))),
            *(Point(x, SCATTERED, scattered, None, 1) for x in (few, one)),
        ]

    assert part._restart(points(more)).holds is Holds.IF
    assert part._restart(points(sure)).holds is Holds.NO


@pytest.mark.parametrize(
    ("late", "holds", "condition"),
    [
        ((), Holds.IF, "a tool outside QEMU does it, with 4 hosts or more"),
        ((4,), Holds.IF, "a tool outside QEMU does it, with 8 hosts or more"),
        # A larger data centre that is late says that it was no matter of size.
        ((8,), Holds.NO, ""),
        ((4, 8), Holds.NO, ""),
    ],
)
def test_replicas_are_made_again_in_time_or_not(
    late: tuple[int, ...], holds: Holds, condition: str
):
    measured = []
    for hosts in (4, 8):
        for scheme in (PAIRS, SCATTERED):
            one = setting(hosts, scheme)
            assert one is not None
            size = sizes.measure(one, scheme, 2014, 2, dict.fromkeys(Failure, 2))
            first, second = size.after[Failure.HOST]
            if hosts in late:
                first = replace(first, all_replicated_s=one.repair_s)
            measured.append(replace(size, after={**size.after, Failure.HOST: [first, second]}))
    verdict = part._replicated(measured)
    assert (verdict.holds, verdict.condition) == (holds, condition)


def test_a_difference_from_the_formula_is_told():
    of = Setting(20, 20, 25, Policy.SCATTERED)
    known = Interval(12.0, 0.1)
    near, far = (Point(of, SCATTERED, known, expected, 400) for expected in (12.2, 13.0))
    assert part._differences([near], [], []) == []
    (told,) = part._differences([near, far], [], [])
    assert told.endswith("5 free: VMs: 12 simulated, 13 by the closed form")


def test_simulation_and_formulas_do_not_differ(finding: Finding):
    assert finding.differences == []


def test_all_steps_are_told(finding: Finding, told):
    assert [done for done, _ in told] == list(range(steps(True) + 1))
    assert steps(False) > steps(True)


def test_the_cover_letter_s_numbers(finding: Finding):
    table = rows(finding, "availability-twenty")
    pair = [row for row in table if row["scheme"] == "DRBD pairs"]
    assert [row["restarted_vms"] for row in pair] == list(range(21))
    anywhere = [
        row["restarted_vms"]
        for row in table
        if row["scheme"] == "2 scattered, restart anywhere" and row["hosts"] == 8
    ]
    assert anywhere == [min(20, 7 * free) for free in range(21)]
    none = [row["restarted_vms"] for row in table if row["free_slots_per_host"] == 0]
    assert set(none) == {0}


def test_figures_of_a_seed_are_facts(finding: Finding):
    """Means of integers, with four digits: any machine, any NumPy."""
    table = rows(finding, "availability-twenty")
    scattered = [
        (row["restarted_vms"], row["restarted_closed_form_vms"])
        for row in table
        if row["scheme"] == "2 scattered"
        and row["hosts"] == 20
        and row["free_slots_per_host"] in (1, 2, 3)
    ]
    assert scattered == [(12.7333, 12.5564), (18.0667, 17.9531), (19.6, 19.5712)]
    table = rows(finding, "availability-failures")
    assert [
        (row["hosts"], row["all_run_s"], row["copied_gb"])
        for row in table
        if row["scheme"] == "2 scattered" and row["failure"] == Failure.SEQUENCE.value
    ] == [(2, 14640.0, 480.0), (4, 18360.0, 1460.0), (8, 18330.0, 2020.0), (32, 17190.0, 2200.0)]


def test_another_run_finds_the_same(finding: Finding):
    again = availability(2014, lambda done, more: None, quick=True)
    assert again.tables == finding.tables
    assert again.verdicts == finding.verdicts
    other = availability(7, lambda done, more: None, quick=True)
    assert other.tables != finding.tables


def test_the_plots_are_drawn(finding: Finding, tmp_path):
    for plot in finding.plots:
        figure = Figure(figsize=plot.inches)
        plot.draw(figure)
        figure.savefig(tmp_path / f"{plot.name}.svg")
        for axes in figure.axes:
            assert axes.get_ylabel()
            assert axes.get_xlabel() or axes is not figure.axes[-1]
            _, names = axes.get_legend_handles_labels()
            assert "DRBD pairs" in names
            assert len(names) == len(set(names))
        assert figure.get_suptitle()


def test_tables_have_their_units(finding: Finding):
    known = ("_vms", "_percent", "_s", "_gb", "_host", "hosts", "scheme", "failure", "vms")
    counts = ("placements", "played", "on_average")
    for table in finding.tables:
        assert isinstance(table, Table) and table.rows
        for column in table.columns:
            assert column.removesuffix("_plus_minus").endswith((*known, *counts)), column


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_ten_thousand_hosts(scheme):
    """100,000 VMs: every host crashes alone; and a host, a rack and three in sequence are played."""
    one = setting(SIZES[-1], scheme)
    assert one is not None and (one.hosts, one.vms) == (10_000, 100_000)
    found = sizes.measure(one, scheme, 2014, 2, dict.fromkeys(Failure, 2))
    share = found.restarted.mean
    assert share == (0.2 if scheme == PAIRS else pytest.approx(1.0, abs=1e-4))
    for failure, after in found.after.items():
        assert [one.hit >= 10 for one in after] == [True, True], failure
    if scheme == SCATTERED:
        assert [one.all_run_s for one in found.after[Failure.HOST]] == [90, 90]

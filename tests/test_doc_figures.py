# SPDX-License-Identifier: GPL-2.0-or-later
"""How many cases there are, wherever README and docs/ say it."""

from __future__ import annotations

import re

import pytest
from test_docs import ROOT

from qsim.explore.ways import expanded
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.select import cases_of

#: A number as a whole word.
NUMBER = r"(\d+)"


@pytest.fixture(scope="module")
def played(shipped_cases: list[Case]) -> dict[str, list[Case]]:
    """What the suite plays of each release: of what leaves something open its ways."""
    names = ("5.2", "7.2", "10.0", "11.1")
    return {
        name: expanded(cases_of(shipped_cases, revision(name)), revision(name)) for name in names
    }


def read(page: str, *patterns: str) -> list[tuple[str, ...]]:
    """What the groups of each pattern are on a page; every pattern must be there."""
    text = (ROOT / page).read_text("utf-8")
    found = [re.findall(pattern, text, re.MULTILINE) for pattern in patterns]
    assert all(found), (page, patterns)
    return [one if isinstance(one, tuple) else (one,) for each in found for one in each]


def test_releases_side_by_side(played: dict[str, list[Case]]) -> None:
    row = rf"^    ([\d.]+) \(\w+\) +(\S+) +[\d.]+ +{NUMBER} +{NUMBER} +\d+ +{NUMBER}$"
    for name, program, *told in read("docs/releases.md", row):
        drives = sum(case.drive is not None for case in played[name])
        missing = drives if program == "qemu-storage-daemon" else 0
        agree = len(played[name]) - missing
        assert list(map(int, told)) == [agree, agree, missing], f"docs/releases.md: {name}"


def test_run_of_the_default_revision(
    played: dict[str, list[Case]], shipped_cases: list[Case]
) -> None:
    count = str(len(played["7.2"]))
    others = str(len(shipped_cases) - len(cases_of(shipped_cases, revision("7.2"))))
    rows = rf"^    (?:model of )?QEMU 7\.2\S*.* {NUMBER} +{NUMBER} +0$"
    told = {
        "README.md": read("README.md", rows, rf"{NUMBER} cases are about other revisions"),
        "docs/releases.md": read(
            "docs/releases.md",
            rf'"(?:cases|agree)": {NUMBER}',
            rf'"about other revisions": {NUMBER}',
        ),
    }
    for page, figures in told.items():
        numbers = {number for one in figures for number in one}
        assert numbers == {count, others}, f"{page}: a run of 7.2 has {count}, and {others} others"


def test_cases_of_the_newest_release(played: dict[str, list[Case]]) -> None:
    count = str(len(played["11.1"]))
    assert read("docs/six-years.md", rf"of {NUMBER} come out") == [(count,)], "docs/six-years.md"

# SPDX-License-Identifier: GPL-2.0-or-later
"""Known differences: by field, text, scenario and revision."""

from __future__ import annotations

from pathlib import Path

import pytest

from qsim.fuzz.known import Known, name_of, read_known
from qsim.outcome import Difference
from qsim.scenario import ScenarioError

FIRST = Difference(1, "read 0 512", "contents of c0", "A", "B")


@pytest.mark.parametrize(
    ("known", "covers"),
    [
        (Known("n", "r"), True),
        (Known("n", "r", field="contents of .*"), True),
        (Known("n", "r", field="contents"), False),
        (Known("n", "r", text="A != B"), True),
        (Known("n", "r", text="B != A"), False),
        (Known("n", "r", scenario='"above"'), True),
        (Known("n", "r", scenario='"spares"'), False),
        (Known("n", "r", revisions=("7.2", "10.0")), True),
        (Known("n", "r", revisions=("5.2",)), False),
    ],
)
def test_a_difference_is_known_when_all_of_it_fits(known: Known, covers: bool) -> None:
    assert known.covers(FIRST, '{"above": {"align": 512}}', "7.2") is covers


def test_the_first_that_covers_it_gives_the_name() -> None:
    known = [Known("a", "r", field="ret"), Known("b", "r"), Known("c", "r")]
    assert name_of(known, [FIRST], "", "7.2") == "b"
    assert name_of(known[:1], [FIRST], "", "7.2") is None
    assert name_of(known, [], "", "7.2") is None


def test_a_scenario_is_known_when_all_that_differs_is() -> None:
    later = Difference(2, "read 0 512", "ret", "0", "5")
    contents = Known("contents", "r", field="contents of .*")
    ret = Known("ret", "r", field="ret")
    assert name_of([contents], [FIRST, later], "", "7.2") is None
    assert name_of([ret], [FIRST, later], "", "7.2") is None
    assert name_of([contents, ret], [FIRST, later], "", "7.2") == "contents"


def test_what_follows_from_a_known_difference_needs_no_entry_of_its_own() -> None:
    later = Difference(2, "read 0 512", "ret", "0", "5")
    contents = Known("contents", "r", field="contents of .*", goes_on=True)
    assert name_of([contents], [FIRST, later], "", "7.2") == "contents"
    assert name_of([contents], [later, FIRST], "", "7.2") is None


def test_a_file_of_them(tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    path.write_text("- {name: one, reason: a bug, field: ret|data, revisions: ['7.2']}\n")
    assert read_known(path) == [Known("one", "a bug", "ret|data", revisions=("7.2",))]
    path.write_text("")
    assert read_known(path) == []


@pytest.mark.parametrize(
    "text",
    [
        "- {name: one}",
        "- {name: one, reason: r, colour: red}",
        "- {name: one, reason: r, field: '('}",
        "- {name: one, reason: r, revisions: '7.2'}",
        "- {name: one, reason: r, goes_on: 1}",
        "a: b",
        "{",
    ],
)
def test_a_mistake_in_it_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=r"known\.yaml"):
        read_known(path)

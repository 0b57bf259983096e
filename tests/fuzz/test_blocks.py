# SPDX-License-Identifier: GPL-2.0-or-later
"""Blocks of scenarios: the same everywhere, different from one another, and scenarios indeed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from qsim.fuzz.blocks import BLOCK, block, blocks
from qsim.fuzz.outside import outside
from qsim.fuzz.run import model_of
from qsim.fuzz.schedule import concrete
from qsim.fuzz.strategy import Drawn
from qsim.quorum.revisions import revision
from qsim.scenario import ScenarioError
from qsim.scenario.asked import load_asked
from qsim.scenario.load import _validator
from qsim.target.model import run_model

MODEL = model_of(revision("7.2"))

#: Generates a block while a module with constants of its own is loaded.
OTHERWISE = """
import json, sys
from dataclasses import asdict
sys.path.insert(0, sys.argv[1])
import constants
from qsim.fuzz.blocks import block
print(json.dumps([asdict(one) for one in block(7, 1)]))
"""


@pytest.fixture(scope="module")
def drawn() -> list[Drawn]:
    return block(7, 0) + block(7, 1)


def test_a_block_has_as_many_scenarios_as_it_says(drawn: list[Drawn]) -> None:
    assert len(drawn) == 2 * BLOCK


def test_same_seed_same_block_in_a_fresh_process_of_another_hash_seed(
    drawn: list[Drawn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "4711")
    assert list(blocks(7, 0, 2)) == [(0, drawn[:BLOCK]), (1, drawn[BLOCK:])]


def test_a_block_does_not_depend_on_what_else_is_loaded(drawn: list[Drawn], tmp_path: Path) -> None:
    # Hypothesis draws the constants it finds in modules that are not installed.
    numbers = ", ".join(str(number) for number in range(100, 400))
    text = f"NUMBERS = ({numbers})\nTEXT = 'dies', b'dies', 512.0\n"
    (tmp_path / "constants.py").write_text(text)
    said = subprocess.run(
        [sys.executable, "-c", OTHERWISE, str(tmp_path)], check=True, capture_output=True
    )
    assert [Drawn(**one) for one in json.loads(said.stdout)] == drawn[BLOCK:]


def test_blocks_and_seeds_differ(drawn: list[Drawn]) -> None:
    other = block(8, 0)
    assert drawn[:BLOCK] != drawn[BLOCK:]
    assert drawn[:BLOCK] != other


def test_few_scenarios_come_twice(drawn: list[Drawn]) -> None:
    assert len({one.canonical() for one in drawn}) > len(drawn) * 0.9


def test_scenarios_have_the_form_of_a_file(drawn: list[Drawn]) -> None:
    shape: Any = _validator().schema
    case = jsonschema.Draft202012Validator({"$ref": "#/$defs/case", "$defs": shape["$defs"]})
    for one in drawn:
        case.validate(one.raw)
        load_asked(one.raw)


def test_most_scenarios_can_be_compared_and_they_do_all_sorts_of_things(
    drawn: list[Drawn],
) -> None:
    seen: Counter[str] = Counter()
    for one in drawn:
        try:
            scenario = concrete(one, MODEL)
        except ScenarioError:
            seen["outside"] += 1
            continue
        seen["outside"] += bool(outside(scenario))
        seen["opens"] += len(scenario.model.steps) > 1
        seen["scheduled"] += any("complete" in step for step in scenario.raw["steps"])
        seen.update(step.verb for step in scenario.case.steps)
        seen.update(event.name for shown in scenario.model.steps for event in shown.events)
    assert seen["outside"] < len(drawn) * 0.1
    assert seen["opens"] > len(drawn) * 0.7
    assert seen["scheduled"] > len(drawn) * 0.05
    verbs = ("read", "write", "write-zeroes", "discard", "flush", "block-status")
    for what in (*verbs, "together", "qmp", "set", "QUORUM_REPORT_BAD", "QUORUM_FAILURE"):
        assert seen[what], what


def test_a_concrete_scenario_goes_on_the_model_as_it_went_when_it_was_made(
    drawn: list[Drawn],
) -> None:
    for one in drawn:
        try:
            scenario = concrete(one, MODEL)
        except ScenarioError:
            continue
        again = run_model(load_asked(scenario.raw), revision("7.2"))
        assert again == scenario.model

# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios written as files: they load, and what was seen is what they expect."""

from __future__ import annotations

from typing import Any

import yaml

from qsim.fuzz.blocks import block
from qsim.fuzz.outside import outside
from qsim.fuzz.run import model_of
from qsim.fuzz.schedule import Concrete, concrete
from qsim.outcome import against_fixture
from qsim.quorum.revisions import REVISIONS, revision
from qsim.report.saved import Head, asked, content_of, saved
from qsim.scenario import ScenarioError
from qsim.scenario.asked import load_asked
from qsim.scenario.content import parse_content
from qsim.scenario.load import load_text
from qsim.target.model import run_model

MODEL = model_of(revision("7.2"))
NAMES = [one.name for one in REVISIONS]
HEAD = Head("fuzz 1", "found by fuzzing", "QEMU 7.2", "7.2")


def _scenarios() -> list[Concrete]:
    found = []
    for number in range(2):
        for one in block(9, number):
            try:
                scenario = concrete(one, MODEL)
            except ScenarioError:
                continue
            if not outside(scenario):
                found.append(scenario)
    return found


def test_what_is_saved_loads_and_expects_what_was_seen() -> None:
    for one in _scenarios():
        text = saved(one.raw, one.model, HEAD)
        (case,) = load_text("saved.yaml", text, NAMES)
        assert (case.since, case.until) == ("7.2", "7.2")
        outcome = run_model(case, revision("7.2"))
        assert [str(found) for found in against_fixture(case, outcome)] == [], text


def test_requests_and_contents_have_their_short_forms() -> None:
    raw: dict[str, Any] = {
        "name": "short",
        "children": 2,
        "quorum": {"vote-threshold": 1},
        "steps": [{"write": [512, 512, "W"], "flags": ["fua"]}],
    }
    text = saved(raw, run_model(load_asked(raw), revision("7.2")), HEAD)
    (case,) = yaml.safe_load(text)["cases"]
    assert case["steps"][0]["expect"]["requests"] == [
        "all write 512 512",
        "c0 flush",
        "c1 flush",
    ]
    assert case["contents"] == {"c0": "A:512 W:512 A", "c1": "A:512 W:512 A"}


def test_any_bytes_have_a_content() -> None:
    for data in (b"", b"A", b"AB" * 300, bytes(512), bytes(range(256)), b"\xff" * 9 + b"A"):
        assert parse_content(content_of(data), len(data)).data.read(0, len(data)) == data


def test_after_a_job_requests_are_expected_again_and_a_second_one_can_follow() -> None:
    def mirror(job: str, target: str, replaces: str) -> dict[str, Any]:
        arguments = {"job-id": job, "device": "q", "target": target, "replaces": replaces}
        given = {**arguments, "sync": "full"}
        return {"qmp": {"execute": "blockdev-mirror", "arguments": given}, "expect": {}}

    def complete(job: str) -> dict[str, Any]:
        return {"qmp": {"execute": "block-job-complete", "arguments": {"device": job}}}

    read = {"read": [0, 512], "expect": {"ret": 0, "data": "A", "requests": "all"}}
    raw = {
        "name": "two jobs",
        "children": {"c0": "A", "c1": "A", "s0": "S"},
        "spares": ["s0"],
        "quorum": {"vote-threshold": 1},
        "since": "7.2",
        "steps": [
            mirror("j", "s0", "c1"), complete("j"), read, mirror("k", "c1", "s0"), read,
            complete("k"), read,
        ],
    }  # fmt: skip
    outcome = run_model(load_asked(asked(raw)), revision("7.2"))
    text = saved(raw, outcome, Head("jobs", "", "here", "7.2"))
    (case,) = load_text("saved.yaml", text, NAMES)
    assert [step.job for step in case.steps] == ["j", "j", "", "k", "k", "k", ""]
    assert [step.expect.requests is None for step in case.steps if step.expect] == [
        True, True, False, True, True, True, False,
    ]  # fmt: skip
    assert against_fixture(case, outcome) == []

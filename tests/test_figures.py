# SPDX-License-Identifier: GPL-2.0-or-later
"""``--figures``, and the suite by the name of its module, as where there is no checkout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

CASES = """
- name: a read, all agree
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
- name: not so
  children: [A, A, B]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
"""


@pytest.fixture
def by_name(
    pytester: pytest.Pytester, family_text: Callable[[str], str]
) -> Callable[..., pytest.RunResult]:
    """``pytest --pyargs qsim.conformance``, with the cases above."""
    path = pytester.path / "example.yaml"
    path.write_text(family_text(CASES), "utf-8")
    words = ["--pyargs", "qsim.conformance", "-p", "no:cacheprovider", f"--scenarios={path}"]
    return lambda *more: pytester.runpytest_inprocess(*words, *more)


def test_figures_are_those_of_the_table(by_name: Callable[..., pytest.RunResult]) -> None:
    result = by_name("--figures=folder/that/is/made/figures.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["model of QEMU 7.2 * 2 * 1 * 1"])
    assert json.loads(Path("folder/that/is/made/figures.json").read_text("utf-8")) == {
        "witnesses": {
            "model": {"revision": "7.2", "cases": 2, "agree": 1, "differ": 1, "not supported": 0}
        },
        "about other revisions": 0,
    }


def test_by_name_it_warns_and_refuses_as_in_a_checkout(
    by_name: Callable[..., pytest.RunResult],
) -> None:
    result = by_name("-k", "agree")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*NO BINARY WAS COMPARED: name one with --qemu=PATH"])
    result = by_name("--revision=0.1")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --revision: no revision '0.1'; there are: *"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_by_name_its_fixtures_are_those_of_the_package(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--pyargs", "qsim.conformance", "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*::test_scenario*fifo/second-child-answers-model*"])

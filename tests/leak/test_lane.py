# SPDX-License-Identifier: GPL-2.0-or-later
"""Which tests of memory there are, without a binary to measure; with one see tests/qemu."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qsim.leak.table import TABLE

Collect = Callable[..., list[str]]


@pytest.fixture
def collect(pytester: pytest.Pytester, suite: Path) -> Collect:
    """The names of the leak tests that are collected."""

    def names(*arguments: str) -> list[str]:
        result = pytester.runpytest_inprocess(
            *(str(suite), "-p", "no:cacheprovider", "--collect-only", "-q", *arguments)
        )
        return [line.partition("::")[2] for line in result.outlines if "::test_leaks" in line]

    return names


def test_with_a_binary_everything_that_is_repeated_is_named(collect: Collect) -> None:
    names = collect("--qemu=/no/such/qemu", "-k", "leaks")
    assert names == [f"test_leaks[{one.name}]" for one in TABLE]


def test_without_a_binary_there_is_none(collect: Collect) -> None:
    assert collect() == []


def test_beside_scenarios_of_ones_own_there_is_none(
    collect: Collect, pytester: pytest.Pytester, family_text: Callable[[str], str]
) -> None:
    path = pytester.path / "example.yaml"
    path.write_text(
        family_text("- name: a read\n  steps: [{read: [0, 512], expect: {ret: 0}}]\n"), "utf-8"
    )
    assert collect("--qemu=/no/such/qemu", f"--scenarios={path}") == []

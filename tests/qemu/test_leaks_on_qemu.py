# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory of a real QEMU: it gives back all, and what grows is found."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from qsim.leak import measure
from qsim.leak.table import TABLE
from qsim.leak.thing import KIB

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def suite_on_qemu(
    pytester: pytest.Pytester,
    suite: Path,
    qemu: str,
    tmpdir_here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """``pytest conformance --qemu`` in this process."""
    # In CI pytest says every failure twice, at length in the summary too.
    monkeypatch.delenv("CI", raising=False)
    return lambda *more: pytester.runpytest_inprocess(
        *(str(suite), "-p", "no:cacheprovider", f"--qemu={qemu}", *more)
    )


def test_qemu_gives_back_what_it_takes(suite_on_qemu: Run, tmpdir_here: Path) -> None:
    result = suite_on_qemu("-k", "leaks")
    assert result.ret == 0
    count = len(TABLE)
    expected = f"leaks: {count} things were repeated; memory is given back in {count}, not in 0"
    assert expected in result.outlines
    assert os.listdir(tmpdir_here) == []


def test_memory_that_grows_fails(suite_on_qemu: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    grown = 0

    def rss_anon(pid: int) -> int:
        nonlocal grown
        grown += 128 * KIB
        return measured(pid) + grown

    measured = measure.rss_anon
    monkeypatch.setattr(measure, "rss_anon", rss_anon)
    result = suite_on_qemu("-k", "test_leaks[fifo-whose-first-fails]", "--repeat=2")
    assert result.ret == 1
    result.assert_outcomes(failed=1, deselected=result.parseoutcomes()["deselected"])
    text = result.stdout.str()
    assert "fifo-whose-first-fails: memory is lost: a FIFO read whose first child fails" in text
    assert "read_fifo_child()" in text
    assert "again: pytest " in text
    assert "leaks: 1 things were repeated; memory is given back in 0, not in 1" in text


def test_what_does_not_happen_is_not_measured(
    suite_on_qemu: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "PATTERN", b"\0")
    result = suite_on_qemu("-k", "test_leaks[vote-without-quorum]")
    assert result.ret == 1
    assert "read did not fail: errno 0" in result.stdout.str()

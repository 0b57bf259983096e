# SPDX-License-Identifier: GPL-2.0-or-later
"""``--figures`` with a binary: what programs that run the suite read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def test_binary_has_figures_of_its_own(
    pytester: pytest.Pytester, qemu: str, tmpdir_here: Path
) -> None:
    options = [f"--qemu={qemu}", "--figures=figures.json", "-k", "fifo/second-child-answers"]
    result = pytester.runpytest_inprocess("--pyargs", "qsim.conformance", *options)
    assert result.ret == 0
    witnesses = json.loads(Path("figures.json").read_text("utf-8"))["witnesses"]
    version = witnesses["qemu"].pop("version")
    assert version.count(".") == 2
    counts = {"cases": 1, "agree": 1, "differ": 0, "not supported": 0}
    assert witnesses["qemu"] == {"binary": qemu, **counts}
    assert witnesses["model"].items() >= counts.items()

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page on the claims says of a guest's data, on a real QEMU beside the model."""

from __future__ import annotations

from pathlib import Path

from qsim.claims.safety import safety


def test_binary_and_model_say_the_same(qemu: str, tmpdir_here: Path) -> None:
    finding = safety([qemu], lambda done, more: None)
    assert not finding.differences
    (table,) = finding.tables
    assert table.rows
    assert all(str(row[-2]).startswith("QEMU ") and row[-1] == "yes" for row in table.rows)
    assert all("on the model and QEMU " in verdict.figure for verdict in finding.verdicts)

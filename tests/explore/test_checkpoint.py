# SPDX-License-Identifier: GPL-2.0-or-later
"""An exploration that was interrupted goes on as if it had not been."""

from __future__ import annotations

from pathlib import Path

import pytest

from qsim.explore.checkpoint import CheckpointError, restore, save
from qsim.explore.exploration import Exploration
from qsim.explore.grid import grid
from qsim.explore.search import Reduction
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.scenario.asked import load_asked


class Stop(Exception):
    pass


def cases() -> list[Case]:
    open_ = {"c0": "any of ok, EIO", "c1": "any of ok, EIO, ENOSPC"}
    read = {"read": [0, 512], "faults": open_}
    both = {"together": [{"read": [0, 512]}, {"write": [512, 512, "X"]}], "faults": open_}
    return [
        load_asked({"name": name, "children": 2, "quorum": {"vote-threshold": 1}, "steps": [step]})
        for name, step in (("a", read), ("b", both))
    ]


def new(name: str, reduction: Reduction = Reduction.FULL) -> Exploration:
    return Exploration(
        cases() if name != "v4" else grid((2,), ["quorum"], []), revision(name), reduction
    )


@pytest.mark.parametrize("name", ["7.2", "v4"])
@pytest.mark.parametrize("reduction", Reduction)
def test_goes_on_after_any_run(tmp_path: Path, name: str, reduction: Reduction) -> None:
    whole = new(name, reduction)
    whole.run()
    path = tmp_path / "c.json"
    runs = 0

    def tick() -> None:
        nonlocal runs
        runs += 1
        if runs % 5 == 0:
            raise Stop

    while True:
        part = new(name, reduction)
        if path.exists():
            restore(part, path)
        try:
            part.run(tick)
            break
        except Stop:
            save(part, path)
    assert part.figures == whole.figures
    assert part.outcomes == whole.outcomes
    assert [one.what for one in part.defects] == [one.what for one in whole.defects]
    assert [one.length for one in part.defects] == [one.length for one in whole.defects]


def test_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    save(new("7.2"), path)
    for other in (new("10.0"), new("7.2", Reduction.STATES), new("v4")):
        with pytest.raises(CheckpointError, match="another exploration"):
            restore(other, path)
    path.write_text("no JSON")
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        restore(new("7.2"), path)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Raw scenarios made smaller, as far as somebody says that it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from qsim.fuzz.reduce import reduce, tidy

Raw = dict[str, Any]

LARGE: Raw = {
    "name": "large",
    "size": "1M",
    "children": ["A", {"contents": "B", "block-size": 512}, "hole", "A"],
    "spares": ["c3"],
    "quorum": {"vote-threshold": 2, "read-pattern": "fifo", "children": ["c0", "c1", "c2"]},
    "above": {"align": 512},
    "steps": [
        {"flush": True},
        {"read": [100, 1000], "faults": {"c2": "read ENOSPC at 0 512 x1"}, "complete": ["c2"]},
        {"set": {"c1": "B"}},
    ],
}


def _reduced(still: Callable[[str], bool]) -> Raw:
    """The smallest whose JSON ``still`` likes."""

    def first(raws: list[Raw]) -> int | None:
        return next((i for i, raw in enumerate(raws) if still(json.dumps(raw))), None)

    return reduce(LARGE, first)


def test_all_goes_that_nobody_misses() -> None:
    assert _reduced(lambda text: True) == {
        "name": "large",
        "children": 1,
        "quorum": {"vote-threshold": 1},
        "steps": [],
    }


def test_what_matters_stays_and_the_children_are_named_anew() -> None:
    smallest = _reduced(lambda text: "fifo" in text and "faults" in text)
    assert smallest == {
        "name": "large",
        "children": 1,
        "quorum": {"vote-threshold": 1, "read-pattern": "fifo"},
        "steps": [{"read": [0, 512], "faults": {"c0": "EIO"}}],
    }


def test_nothing_changes_when_all_of_it_matters() -> None:
    assert _reduced(lambda text: False) == tidy({**LARGE})


def test_children_have_the_shortest_form() -> None:
    def children(raw: Any) -> Any:
        return tidy({"children": raw})["children"]

    assert children({"c0": "A", "c1": "A"}) == 2
    assert children({"c0": "A", "c1": "B"}) == ["A", "B"]
    assert children({"c0": "A", "c2": "A"}) == {"c0": "A", "c2": "A"}

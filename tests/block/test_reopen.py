# SPDX-License-Identifier: GPL-2.0-or-later
"""blockdev-reopen, as far as the model knows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qsim.outcome import Outcome
from qsim.scenario import Case, ScenarioError


@pytest.mark.parametrize(
    "options",
    ["[]", "[{driver: nbd, node-name: c0, server: {type: unix, path: nowhere}}]"],
)
def test_what_it_does_not_know_it_says_with_file_and_line(
    load: Callable[[str], list[Case]], play: Callable[[Case], Outcome], options: str
) -> None:
    (case,) = load(f"""
        - name: a
          quorum: {{vote-threshold: 2}}
          steps:
          - qmp: {{execute: blockdev-reopen, arguments: {{options: {options}}}}}
            expect: {{error: none of our business}}
        """)
    with pytest.raises(
        ScenarioError, match="outside the model: blockdev-reopen of nothing"
    ) as told:
        play(case)
    assert str(told.value).startswith(f"{case.file}:{case.steps[0].line}: ")

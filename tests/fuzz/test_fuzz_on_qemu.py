# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzing against a real QEMU: scenarios are played, and a planted defect is found on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qsim.fuzz.campaign import Tally
from qsim.fuzz.judge import Kind
from qsim.fuzz.known import Known
from qsim.fuzz.run import Plan, fuzz
from qsim.outcome import Outcome, against_fixture
from qsim.quorum import options
from qsim.quorum.revisions import REVISIONS, nearest
from qsim.scenario import Case
from qsim.scenario.load import load_file
from qsim.target.background import Background
from qsim.target.model import Decide, run_model

#: What the model does not know is not what is tested here.
ALL_KNOWN = [Known("anything", "see the campaigns")]


def test_scenarios_play_on_a_binary(qemu: str, background: Background) -> None:
    pool = background.open(qemu, 8)
    result = fuzz(
        background,
        pool.run,
        nearest(pool.version),
        Plan(1, 150),
        f"QEMU {pool.version}",
        ALL_KNOWN,
    )
    counts = result.tally.counts
    assert result.tally.total == 150
    assert counts[Kind.AGREES] > 120
    assert counts[Kind.DIFFERS] == counts[Kind.FLAKY] == 0


def test_a_planted_defect_is_found_and_shrunk_on_a_binary(
    qemu: str, background: Background, tmp_path: Path
) -> None:
    pool = background.open(qemu, 8)
    wanted = nearest(pool.version)

    def without_fifo(case: Case, decide: Decide | None) -> Outcome:
        """A model that knows FIFO by no name."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(options, "READ_PATTERNS", ("quorum",))
            return run_model(case, wanted, decide)

    def one_differs(tally: Tally) -> bool:
        return bool(tally.counts[Kind.DIFFERS])

    result = fuzz(
        background,
        pool.run,
        wanted,
        Plan(1, 500),
        f"QEMU {pool.version}",
        [Known("others", "see the campaigns", text="^(?!.*Please set read-pattern)")],
        model=without_fifo,
        enough=one_differs,
    )
    # More than one can be under way when the first is counted.
    path = result.write(tmp_path)[0]
    (case,) = load_file(path, [one.name for one in REVISIONS])
    assert case.options is not None and case.options["read-pattern"] == "fifo"
    again = background.submit(lambda: pool.run(case)).result()
    assert against_fixture(case, again) == []
    assert against_fixture(case, run_model(case, wanted)) == []

# SPDX-License-Identifier: GPL-2.0-or-later
"""A campaign on a cluster comes to what it comes to in one process, also if a worker is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from qsim.cli import main
from qsim.cluster import fuzz as parts_of
from qsim.cluster.engine import Where, connected
from qsim.cluster.fuzz import Part, fuzz_part, fuzz_spread
from qsim.fuzz.known import shipped_known
from qsim.fuzz.run import Plan, Result

PLAN = Plan(seed=5, count=350)


def figures(result: Result) -> list[Any]:
    tally = result.tally
    return [tally.counts, tally.known, tally.outside, [str(one) for one in tally.found]]


def test_killed_worker_changes_nothing(qemu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = shipped_known()
    alone = fuzz_part(Part(PLAN, qemu, None, tuple(known)))
    assert alone.tally.total == PLAN.count
    monkeypatch.setattr(parts_of, "PART_BLOCKS", 1)
    assert len(parts_of.parts(PLAN, qemu, None, known)) == 4
    with connected(Where(workers=2)) as client:
        victims = sorted(client.run(os.getpid).values())[:1]
        spread = parts_of.spread

        def killing(client: Any, work: Any, parts: Any) -> Any:
            for result in spread(client, work, parts):
                while victims:
                    os.kill(victims.pop(), signal.SIGKILL)
                yield result

        monkeypatch.setattr(parts_of, "spread", killing)
        result = fuzz_spread(client, PLAN, qemu, None, known)
    assert not victims
    assert figures(result) == figures(alone)


def test_command_works_on_a_cluster(qemu: str, tmp_path: Path) -> None:
    words = ["fuzz", "--qemu", qemu, "-n", "20", "--workers", "1", "--save", str(tmp_path)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "20 scenarios, seed 0 from block 0 on" in result.output

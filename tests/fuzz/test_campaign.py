# SPDX-License-Identifier: GPL-2.0-or-later
"""A campaign that is stopped, or that meets a mistake of the model."""

from __future__ import annotations

import pytest

from qsim.fuzz.campaign import Tally
from qsim.fuzz.judge import Judge, Kind
from qsim.fuzz.run import Plan, fuzz, model_of
from qsim.fuzz.strategy import Drawn
from qsim.fuzz.told import summary
from qsim.outcome import Outcome
from qsim.quorum import coroutine
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.target.background import Background
from qsim.target.model import Decide, run_model

from .conftest import play_model

SEVEN = revision("7.2")


def test_stopped_campaign_keeps_what_it_has_and_says_where_to_go_on(
    background: Background,
) -> None:
    def stop(tally: Tally) -> bool:
        if tally.total >= 230:
            raise KeyboardInterrupt
        return False

    plan = Plan(seed=3, count=1000, in_flight=8)
    result = fuzz(background, play_model, SEVEN, plan, "the model", enough=stop)
    assert result.tally.total >= 230
    assert result.stopped_in == 2
    assert summary(result, plan)[-1] == "interrupted; --from-block=2 goes on"


def test_mistake_of_the_model_is_a_failure_and_not_outside(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise KeyError("c0")

    def model(case: Case, decide: Decide | None) -> Outcome:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(coroutine, "quorum_report_bad_acb", broken)
            return run_model(case, SEVEN, decide)

    result = fuzz(background, play_model, SEVEN, Plan(3, 100), "the model", model=model)
    counts = result.tally.counts
    assert counts[Kind.BROKEN] == len(result.broken) == result.tally.wrong > 0
    assert "the model fails, which is a bug: KeyError('c0')" in "\n".join(
        summary(result, Plan(3, 100))
    )


def test_nothing_is_played_from_where_c_is_undefined_on(background: Background) -> None:
    asked: list[Case] = []

    async def play(case: Case) -> Outcome:
        asked.append(case)
        return await play_model(case)

    raw = {
        "name": "generated",
        "children": [{"block-size": 512, "faults": "read EIO after 1"}],
        "quorum": {"vote-threshold": 1},
        "steps": [{"write": [0, 512, "W"]}, {"read": [0, 512]}, {"write": [0, 100, "W"]}],
    }
    judge = Judge(model_of(SEVEN), play, "7.2")
    judged = background.submit(lambda: judge.once(Drawn(raw))).result()
    assert judged.kind is Kind.UNDEFINED
    assert [str(step) for step in asked[0].steps] == ["write 0 512", "read 0 512"]

# SPDX-License-Identifier: GPL-2.0-or-later
"""The cost of a read on the model, with a virtual clock.

The model knows no time: it knows whose request is completed next.  A clock that says "the one
that is due first" and is set to that time is all it takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qsim.block.child import Request
from qsim.block.stage import Answered, Asked, Held, Stage
from qsim.claims.reading.cost import Cost
from qsim.claims.reading.medium import Due
from qsim.claims.reading.settings import Setting
from qsim.quorum.revisions import Revision
from qsim.target.model import run_model


@dataclass
class VirtualClock:
    """Decides who is answered next, by when that is due."""

    plans: dict[str, tuple[Due, ...]]
    now_ms: float = 0.0
    #: When each request was answered, in that order.
    answered_ms: list[float] = field(default_factory=list)
    _due_ms: dict[Held[Any], float] = field(default_factory=dict)
    _received: dict[str, int] = field(default_factory=dict)

    def decide(self, stage: Stage[Any], _cancellable: int) -> str:
        """The word of the schedule that names the held request due first."""
        for held in stage.held:
            if held not in self._due_ms:
                self._due_ms[held] = self.now_ms + self._after_ms(held.request)
        first = min(stage.held, key=self._due_ms.__getitem__)
        self.now_ms = self._due_ms.pop(first)
        self.answered_ms.append(self.now_ms)
        child = first.request.child
        place = [held for held in stage.held if held.request.child == child].index(first)
        return f"{child}.{place}"

    def _after_ms(self, request: Request) -> float:
        number = self._received.get(request.child, 0)
        self._received[request.child] = number + 1
        return self.plans[request.child][number].after_ms


def predict(setting: Setting, reads: int, seed: int, revision: Revision) -> Cost:
    """What ``reads`` guest reads cost, by the model of ``revision``."""
    plans = setting.plans(reads, seed)
    clock = VirtualClock(plans)
    outcome = run_model(setting.case(reads, plans), revision, clock.decide)
    assert not outcome.trouble, outcome.trouble
    cost = Cost.of(list(plans))
    times = iter(clock.answered_ms)
    now_ms = 0.0
    for shown in outcome.steps[1:]:
        assert shown.beats is not None
        # Else the guest has its answer before the last of them, and the time is another.
        assert not shown.early, shown.early
        began_ms = now_ms
        for beat in shown.beats:
            if isinstance(beat, Asked):
                for request in beat.requests:
                    cost.asked(request)
            elif isinstance(beat, Answered):
                now_ms = next(times)
        cost.latencies_ms.append(now_ms - began_ms)
        assert shown.ret is not None
        cost.results.append(shown.ret)
    return cost

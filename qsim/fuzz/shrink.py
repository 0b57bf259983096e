# SPDX-License-Identifier: GPL-2.0-or-later
"""The smallest scenario that differs as another one does.

Hypothesis knows how a scenario came about only while it draws it, so the block is generated once
more, up to the scenario; from there on Hypothesis shrinks.  What it leaves is then made smaller
as the data it is (:mod:`qsim.fuzz.reduce`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import HypothesisException

from qsim.fuzz.blocks import GENERATE, run_of, seed_of
from qsim.fuzz.campaign import Found
from qsim.fuzz.judge import Judged, Kind, alike, text_of
from qsim.fuzz.reduce import reduce
from qsim.fuzz.strategy import Drawn, scenarios

#: How many scenarios are played at most: half by Hypothesis, one after the other, half after it.
MOST_PLAYS = 400

SHRINK = settings(
    GENERATE, phases=[Phase.generate, Phase.shrink], verbosity=Verbosity.quiet, print_blob=False
)

#: Plays scenarios side by side, each once.
Once = Callable[[Sequence[Drawn]], list[Judged]]


class _DiffersError(Exception):
    """Tells Hypothesis that a scenario still differs."""


@dataclass
class _Search:
    """Looks for the smallest scenario that differs as ``wanted`` does."""

    once: Once
    wanted: Judged
    most: int = MOST_PLAYS
    best: Judged | None = None
    seen: dict[str, bool] = field(default_factory=dict)

    def differs(self, drawn: Drawn) -> bool:
        """Whether a scenario differs as it should; never when enough were played."""
        return self.first([drawn]) == 0

    def first(self, drawn: Sequence[Drawn]) -> int | None:
        """Which of some scenarios is the first that differs as it should."""
        keys = [one.canonical() for one in drawn]
        new = {key: one for key, one in zip(keys, drawn, strict=True) if key not in self.seen}
        if new and len(self.seen) < self.most:
            for key, judged in zip(new, self.once(list(new.values())), strict=True):
                self._look_at(key, judged)
        return next((i for i, key in enumerate(keys) if self.seen.get(key)), None)

    def _look_at(self, key: str, judged: Judged) -> None:
        self.seen[key] = judged.kind is Kind.DIFFERS and alike(judged, self.wanted)
        if self.seen[key] and (self.best is None or _size(judged) < _size(self.best)):
            self.best = judged


def _size(judged: Judged) -> tuple[int, str]:
    assert judged.scenario is not None
    text = text_of(judged.scenario.raw)
    return len(text), text


def shrink(found: Found, once: Once, most: int = MOST_PLAYS) -> Judged:
    """The smallest scenario that differs in a field of the same kind."""
    search = _Search(once, found.judged, most // 2)
    if search.differs(found.drawn):
        _by_hypothesis(found, search)
    best = search.best or found.judged
    if best.scenario is None:
        return best
    after = _Search(once, found.judged, most // 2, best)
    after.differs(Drawn(reduce(best.scenario.raw, lambda raws: after.first([*map(Drawn, raws)]))))
    return after.best or best


def _by_hypothesis(found: Found, search: _Search) -> None:
    wanted = found.drawn.canonical()
    met = False

    @seeded(seed_of(found.seed, found.block, run_of(found.number)))
    @SHRINK
    @given(scenarios())
    def body(drawn: Drawn) -> None:
        nonlocal met
        met = met or drawn.canonical() == wanted
        if met and search.differs(drawn):
            raise _DiffersError

    try:
        body()
    except (_DiffersError, HypothesisException):
        # It ends with the smallest, or with a complaint that one that differed no longer does.
        pass

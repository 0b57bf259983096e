# SPDX-License-Identifier: GPL-2.0-or-later
"""What a gate makes of a case: the candidate's outcome beside fixture, model, baseline, intention.

``docs/gate.md`` has the table of all combinations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from qsim.outcome import Difference, Outcome, against_fixture, between
from qsim.scenario import Case


class Kind(Enum):
    """A verdict: whether the gate lets it pass, and how it is told in one line."""

    def __init__(self, passes: bool, text: str) -> None:
        self.passes = passes
        self.text = text

    AGREES = True, "as the fixture and the model say"
    DIFFERS = False, "not as the fixture and the model say"
    UNSUPPORTED = True, "cannot be played on this binary"
    BUG_GONE = True, "a known bug that does not show any more"
    # Beside a baseline.
    MENDED = True, "as the fixture says, which the baseline is not"
    BROKEN = False, "not as the fixture says, which the baseline is"
    CHANGED = False, "neither as the fixture says nor as the baseline is"
    AS_BEFORE = True, "not as the fixture says, and the same as the baseline"
    LOST = False, "cannot be played on this binary, but on the baseline"
    # Beside an intention.
    INTENDED = True, "as intended"
    NOT_AS_INTENDED = False, "not as intended"
    BEYOND = False, "as intended, and changed in something the intention does not name"
    NO_CHANGE = False, "as intended, but so is the baseline: no change of the patch"


@dataclass(frozen=True)
class Verdict:
    """What became of a case on the candidate.

    :param found: the differences that decided it, empty when it passes.
    :param left: the outcome they are told from; None for the fixture or the intention.
    :param right: the candidate's outcome, dropped where nobody will ask for it.
    :param change: from the baseline to the candidate, whatever the verdict.
    :param reason: why it could not be played.
    :param baseline: whether the baseline is as the suite says, as pytest would call it: "passed",
        "failed", "skipped" where it cannot be played; "" without one, or where the suite has no
        such case.
    :param shown: what a page says of it, where one is to be written.
    """

    kind: Kind
    case: Case
    found: tuple[Difference, ...] = ()
    left: Outcome | None = None
    right: Outcome | None = None
    change: tuple[Difference, ...] = ()
    reason: str = ""
    baseline: str = ""
    shown: dict[str, Any] = field(default_factory=dict)


def wrong(case: Case, model: Outcome | None, outcome: Outcome) -> list[Difference]:
    """Where an outcome is unlike the fixture or, where the model agrees with that, the model."""
    found = against_fixture(case, outcome)
    if found or model is None or against_fixture(case, model):
        return found
    return between(model, outcome)


def judge(case: Case, model: Outcome | None, candidate: Outcome) -> Verdict:
    """A candidate alone."""
    if candidate.unsupported:
        return Verdict(Kind.UNSUPPORTED, case, reason=candidate.unsupported)
    found = wrong(case, model, candidate)
    if not found:
        return Verdict(Kind.AGREES, case)
    if case.bug:
        return Verdict(Kind.BUG_GONE, case)
    return _failing(Kind.DIFFERS, case, model, candidate, found)


def _failing(
    kind: Kind,
    case: Case,
    model: Outcome | None,
    candidate: Outcome,
    found: Sequence[Difference],
    change: Sequence[Difference] = (),
) -> Verdict:
    left = _told_from(case, model, candidate)
    return Verdict(kind, case, tuple(found), left, candidate, tuple(change))


def _told_from(case: Case, model: Outcome | None, candidate: Outcome) -> Outcome | None:
    """What :func:`wrong` has compared with."""
    return None if against_fixture(case, candidate) else model


def judge_beside(
    case: Case, model: Outcome | None, candidate: Outcome, baseline: Outcome
) -> Verdict:
    """A candidate beside a baseline."""
    verdict = _beside(case, model, candidate, baseline)
    return replace(verdict, baseline=_standing(case, model, baseline))


def _standing(case: Case | None, model: Outcome | None, baseline: Outcome) -> str:
    """What the suite would say of the baseline alone."""
    if baseline.unsupported:
        return "skipped"
    if case is None:
        return ""
    return "passed" if judge(case, model, baseline).kind.passes else "failed"


def _beside(case: Case, model: Outcome | None, candidate: Outcome, baseline: Outcome) -> Verdict:
    if candidate.unsupported:
        lost = not baseline.unsupported
        return Verdict(Kind.LOST if lost else Kind.UNSUPPORTED, case, reason=candidate.unsupported)
    if baseline.unsupported:
        return judge(case, model, candidate)
    change = between(baseline, candidate)
    found = wrong(case, model, candidate)
    if not found:
        kind = Kind.MENDED if change and wrong(case, model, baseline) else Kind.AGREES
        return Verdict(kind, case, change=tuple(change))
    if not change:
        return Verdict(Kind.AS_BEFORE, case, tuple(found), _told_from(case, model, candidate))
    if case.bug:
        return Verdict(Kind.BUG_GONE, case, change=tuple(change))
    kind = Kind.CHANGED if wrong(case, model, baseline) else Kind.BROKEN
    return _failing(kind, case, model, candidate, found, change)


def judge_intended(
    intended: Case,
    before: Case | None,
    candidate: Outcome,
    baseline: Outcome,
    model: Outcome | None = None,
) -> Verdict:
    """A candidate that must do what its author means it to do, and nothing else.

    :param before: the case as the suite has it, None where the intention brings a new one.
    :param model: what ``before`` does on the model, which knows nothing of intentions.
    """
    verdict = _intended(intended, before, candidate, baseline)
    return replace(verdict, baseline=_standing(before, model, baseline))


def _intended(
    intended: Case, before: Case | None, candidate: Outcome, baseline: Outcome
) -> Verdict:
    if candidate.unsupported:
        return Verdict(Kind.LOST, intended, reason=candidate.unsupported)
    change = between(baseline, candidate)
    found = against_fixture(intended, candidate)
    if found:
        return Verdict(Kind.NOT_AS_INTENDED, intended, tuple(found), None, candidate, tuple(change))
    if not against_fixture(intended, baseline):
        found = change or [Difference(None, "run", "change", "one", "none")]
        return Verdict(Kind.NO_CHANGE, intended, tuple(found), baseline, candidate, tuple(change))
    named = {_field(one) for one in against_fixture(intended, baseline)}
    # A request that fails now returns nothing, and the other way round.
    named |= {(step, what) for step, ret in named if ret == "ret" for what in ("data", "extent")}
    beyond = [one for one in change if _field(one) not in named]
    if before is not None and beyond:
        return Verdict(Kind.BEYOND, intended, tuple(beyond), baseline, candidate, tuple(change))
    return Verdict(Kind.INTENDED, intended, change=tuple(change))


def _field(one: Difference) -> tuple[int | None, str]:
    """A field as fixtures name it: what was asked is a part of the story of two runs."""
    same = {"story": "requests", "returns": "return", "finish": "order of the answers"}
    return one.step, same.get(one.what, one.what)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Which scenarios come out differently on two revisions, and why.

Between two revisions of one engine the reason is found by trial: of the switches in which they
differ, those that change the scenario's outcome when they alone are turned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from qsim.block.switches import Switch
from qsim.outcome import Difference, Outcome, between
from qsim.quorum.revisions import Revision, rank, revision
from qsim.scenario import Case, ScenarioError
from qsim.series.leap import reasons
from qsim.target.model import run_model

#: Both ends of the gap in the history at hand.
GAP = ("mid-2015", "5.2")


@dataclass(frozen=True)
class Cause:
    """Why a scenario comes out differently, and where that is from."""

    reason: str
    source: str


@dataclass(frozen=True)
class Change:
    """A scenario that comes out differently.

    :param causes: each reason with the difference that it makes, the most telling one.
    """

    case: Case
    differences: tuple[Difference, ...]
    causes: dict[Cause, Difference]


def changes(cases: Iterable[Case], left: Revision, right: Revision) -> Iterator[Change]:
    """Of ``cases`` those that differ; what either revision cannot play is left out."""
    older, newer = sorted((left, right), key=lambda one: rank(one.name))
    for case in cases:
        a, b = _play(case, left), _play(case, right)
        if a is None or b is None:
            continue
        found = _differences(a, b)
        if found:
            yield Change(case, tuple(found), _causes(case, older, newer))


def _play(case: Case, wanted: Revision) -> Outcome | None:
    try:
        return run_model(case, wanted)
    except ScenarioError:
        return None


def _differences(a: Outcome, b: Outcome) -> list[Difference]:
    """Where two outcomes part; trouble both have is no difference."""
    if a.trouble == b.trouble:
        a, b = replace(a, trouble=[]), replace(b, trouble=[])
    return between(a, b)


def _causes(case: Case, older: Revision, newer: Revision) -> dict[Cause, Difference]:
    if older.engine == newer.engine:
        return _turned(case, older, newer)
    before, after = (revision(name) for name in GAP)
    causes = _turned(case, older, before)
    a, b = _play(case, before), _play(case, after)
    if a is not None and b is not None:
        for row, one in reasons(case, _differences(a, b)):
            causes[Cause(row.reason, f"{row.source}, between mid-2015 and 5.2")] = one
    return causes | _turned(case, after, newer)


def _turned(case: Case, older: Revision, newer: Revision) -> dict[Cause, Difference]:
    """The switches that alone, turned at either end, change what comes out."""
    found: dict[Cause, Difference] = {}
    for switch in sorted(older.switches ^ newer.switches, key=lambda one: one.name):
        made = _made_by(case, older, switch) or _made_by(case, newer, switch, at_end=True)
        if made:
            found[Cause(switch.name, switch.source)] = min(made, key=_rank)
    return found


def _made_by(case: Case, end: Revision, switch: Switch, at_end: bool = False) -> list[Difference]:
    """What turning ``switch`` at one end changes, told from the older state to the newer."""
    a = _play(case, end)
    b = _play(case, replace(end, switches=end.switches ^ {switch}))
    if a is None or b is None:
        return []
    return _differences(b, a) if at_end else _differences(a, b)


#: What says most about a scenario that comes out differently, most first.
_TELLING = ("undefined", "leaks", "error", "exit", "ret", "returns", "events", "story")


def _rank(one: Difference) -> int:
    return _TELLING.index(one.what) if one.what in _TELLING else len(_TELLING)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The defects on the ways a case can go, and the shortest scenario that shows each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from qsim.block.stage import CANCEL
from qsim.explore.invariants import violations
from qsim.explore.search import Reduction, Search, Way
from qsim.outcome import Outcome
from qsim.quorum.revisions import Revision
from qsim.scenario import Case

#: The invariants whose violations :func:`defects_of` tells in more detail.
THE_RUN_ITSELF = ("callback", "memory")


@dataclass(frozen=True)
class Defect:
    """A defect, and the shortest way found to it: ``case`` with its schedule filled in."""

    what: str
    case: Case
    outcome: Outcome

    @property
    def length(self) -> tuple[object, ...]:
        """How long the way is: children, faults, words of the schedule, bytes of its options.

        Of ways as long as each other that which cancels earlier, then by the words.
        """
        faults = [child.faults for child in self.case.children.values() if child.faults]
        faults += [fault for step in self.case.steps for fault in step.faults.values() if fault]
        words = [word for step in self.case.steps for word in step.complete]
        early = next((i for i, word in enumerate(words) if word.startswith(CANCEL)), 0)
        options = len(str(self.case.options))
        return len(self.case.children), len(faults), len(words), options, early, words


def paths(case: Case, revision: Revision, cancel: bool = True) -> Iterator[Way]:
    """Every way ``case`` can go, none left out.

    :param cancel: also cancel a guest request at every point, once in a run.
    """
    return Search(case, revision, Reduction.ORDERS, cancel).ways()


def defects_of(outcome: Outcome) -> list[str]:
    """What is wrong with the run itself, in words that do not depend on which child it hit."""
    found = [step.undefined for step in outcome.steps if step.undefined]
    found += [f"leak of {what}" for what in outcome.leaks or ()]
    found += outcome.trouble
    found += [
        "the guest is answered before the end of what was asked for it"
        for step in outcome.steps
        if step.early
    ]
    return [re.sub(r"\[\d+\]", "[i]", text) for text in found]


def defects_on(case: Case, way: Way, revision: Revision) -> list[Defect]:
    """The defects of one way, each once, with the case as it goes that way.

    What is wrong with the run itself is told as it is; of all else the invariant is named.
    """
    closed = way.closed(case)
    found = defects_of(way.outcome)
    found += [
        text
        for text in violations(closed, revision, way.outcome)
        if text.partition(":")[0] not in THE_RUN_ITSELF
    ]
    return [Defect(what, closed, way.outcome) for what in dict.fromkeys(found)]


def explore(cases: Iterable[Case], revision: Revision, cancel: bool = True) -> Iterator[Defect]:
    """Search every case; each defect of each way that is played."""
    for case in cases:
        for way in Search(case, revision, Reduction.FULL, cancel).ways():
            yield from defects_on(case, way, revision)


def shortest(found: Iterable[Defect]) -> list[Defect]:
    """The shortest way to each defect, by name of the defect."""
    best: dict[str, Defect] = {}
    for defect in found:
        if defect.what not in best or defect.length < best[defect.what].length:
            best[defect.what] = defect
    return [best[what] for what in sorted(best)]

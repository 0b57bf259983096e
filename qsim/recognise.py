# SPDX-License-Identifier: GPL-2.0-or-later
"""Which revision of the driver a binary has, found by asking it.

Version numbers are a first guess: distributions backport, branches lie about theirs.  Each switch
that can be seen names a case that shows it.  These cases are played on the binary and on the model
of every revision of the engine; the revisions that come out as the binary does are the ones it
can be, and of these the nearest to its version number is taken.

A binary that comes out like none of them is held against the revision of its version number, and
fails in what it does otherwise: a defect must not make a revision of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from qsim.block.switches import Switch
from qsim.outcome import Outcome, between
from qsim.quorum.revisions import REVISIONS, Revision, nearest, rank
from qsim.scenario import Case, ScenarioError
from qsim.target.model import run_model

Play = Callable[[Case], Awaitable[Outcome]]


@dataclass(frozen=True)
class Seen:
    """What a probe said of a switch.

    :param present: whether the binary has it; None when it is neither as with it nor as without.
    :param probe: the case that was played.
    """

    switch: Switch
    present: bool | None
    probe: str

    def __str__(self) -> str:
        word = {True: "yes", False: "no", None: "NEITHER"}[self.present]
        return f"{word:<8}{self.switch.name} ({self.probe})"


@dataclass(frozen=True)
class Recognised:
    """A binary's revision and how it was found.

    :param guess: the revision by the version number.
    :param fits: whether the binary's probes come out as on ``revision``.
    """

    revision: Revision
    guess: Revision
    fits: bool
    seen: tuple[Seen, ...]

    def summary(self) -> str:
        """How the revision was found, in a line."""
        probes = len({one.probe for one in self.seen})
        if not self.fits:
            return (
                f"revision {self.revision.name} by the version number alone: of {probes} probes "
                "some come out as on no revision"
            )
        if self.revision != self.guess:
            return (
                f"revision {self.revision.name} by {probes} probes; its version number says "
                f"{self.guess.name}"
            )
        return f"revision {self.revision.name} by its version number, and {probes} probes agree"


def candidates(engine: str) -> list[Revision]:
    """The revisions a binary with this engine can be."""
    return [one for one in REVISIONS if one.engine == engine]


def switches_of(revisions: Iterable[Revision]) -> list[Switch]:
    """The switches in which revisions differ and that can be seen, by name."""
    every = [one.switches for one in revisions]
    differing = frozenset().union(*every) - frozenset.intersection(*every)
    return sorted((one for one in differing if one.probe), key=lambda one: one.name)


async def recognise(version: str, cases: dict[str, Case], play: Play) -> Recognised:
    """Find the revision of a binary.

    :param version: what query-version says.
    :param cases: all cases by id, whatever revisions they are about.
    :param play: plays a case on the binary.
    """
    guess = nearest(version)
    possible = candidates(guess.engine)
    switches = switches_of(possible)
    probes = [cases[name] for name in dict.fromkeys(one.probe for one in switches) if name in cases]
    played = await asyncio.gather(*map(play, probes))
    outcomes = {
        case.id: outcome
        for case, outcome in zip(probes, played, strict=True)
        if not outcome.unsupported
    }
    probes = [case for case in probes if case.id in outcomes]
    fitting = [
        one for one in possible if all(_same(case, one, outcomes[case.id]) for case in probes)
    ]
    at = rank(guess.name)
    chosen = min(fitting, key=lambda one: abs(rank(one.name) - at), default=guess)
    seen = tuple(_seen(chosen, switches, cases, outcomes))
    return Recognised(chosen, guess, bool(fitting), seen)


def _seen(
    chosen: Revision, switches: list[Switch], cases: dict[str, Case], outcomes: dict[str, Outcome]
) -> Iterator[Seen]:
    """What each probe says of its switch, all others as in ``chosen``."""
    for switch in switches:
        if switch.probe not in outcomes:
            continue
        case, outcome = cases[switch.probe], outcomes[switch.probe]
        turned = replace(chosen, switches=chosen.switches ^ {switch})
        has = switch in chosen.switches
        if _same(case, chosen, outcome):
            yield Seen(switch, has, case.id)
        else:
            yield Seen(switch, not has if _same(case, turned, outcome) else None, case.id)


def _same(case: Case, revision: Revision, outcome: Outcome) -> bool:
    try:
        return not between(run_model(case, revision), outcome)
    except ScenarioError:
        return False

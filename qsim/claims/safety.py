# SPDX-License-Identifier: GPL-2.0-or-later
"""What docs/claims.md says of the guest's data, played: on the model, and on binaries beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from qsim.claims.finding import BEYOND, Finding, Holds, Table, Verdict
from qsim.claims.repaired import newcomer
from qsim.claims.stale import Reads, Rewriting, reads, rewrites, rewriting, unasked
from qsim.data import fixtures_path
from qsim.explore.ways import expanded
from qsim.outcome import Outcome, against_fixture, between
from qsim.progress import Tell
from qsim.quorum.revisions import DEFAULT, REVISIONS, Revision, nearest, revision
from qsim.scenario import Case, load_paths
from qsim.select import cases_of
from qsim.target.background import Background, result_of
from qsim.target.error import NotUsable
from qsim.target.model import run_model

#: The family that is about what nobody repairs, and that about what is done to repair it.
NO_AUTO_SYNC, REPAIR = "no-auto-sync", "repair"
#: What a claim rests on that no play has come to the end of.
NONE_ENDED = "no case was played to its end"
COLUMNS = ("case", "revision", "reads", "stale", "stale_without_event", "model", "binary", "agrees")


@dataclass(frozen=True)
class Play:
    """A case on the model of a revision, and on a binary of it if there is one."""

    case: Case
    revision: Revision
    model: Outcome
    binary: Outcome | None = None

    @property
    def seen(self) -> Outcome:
        """What the claims rest on: the binary's, where there is one."""
        return self.binary or self.model

    @property
    def differences(self) -> list[str]:
        """Where fixture, model and binary part: a sentence each."""
        witnesses = [self.model, *([self.binary] if self.binary else [])]
        found = [(one.witness, against_fixture(self.case, one)) for one in witnesses]
        if self.binary:
            both = f"{self.model.witness} and {self.binary.witness}"
            found.append((both, between(self.model, self.binary)))
        return [f"{self.case.id}, {who}: {one}" for who, several in found for one in several]

    @property
    def row(self) -> tuple[str | int, ...]:
        """The row of the table."""
        found = reads(self.case, self.seen)
        binary = self.binary.witness if self.binary else "not played"
        return (
            self.case.id,
            self.revision.name,
            found.answered,
            found.stale,
            found.silent,
            self.model.witness,
            binary,
            "no" if self.differences else "yes",
        )


def cases() -> list[Case]:
    """The cases that the page rests on.

    :raise ScenarioError: when a fixture cannot be loaded.
    """
    every = load_paths([fixtures_path()], [one.name for one in REVISIONS])
    return [case for case in every if case.family in (NO_AUTO_SYNC, REPAIR)]


def safety(binaries: Sequence[str], tell: Tell) -> Finding:
    """Play them, and say what becomes of data that a child has missed.

    :param binaries: paths of QEMU; without any the model of the default release plays alone.
    :param tell: told how many plays are done, and of which case the last was.
    :raise ScenarioError: when a fixture cannot be loaded.
    :raise TargetError: when a binary cannot be used.
    """
    wanted = cases()
    plays: list[Play] = []
    for play in _plays(wanted, binaries):
        plays.append(play)
        tell(len(plays), play.case.id)
    differences = [text for play in plays for text in play.differences]
    # Of what a binary has not played to its end nothing is known, but that it differs.
    over = [play for play in plays if play.seen.contents is not None]
    missed = _once([play for play in over if play.case.family == NO_AUTO_SYNC])
    repair = _once([play for play in over if play.case.family == REPAIR])
    # Who differs from the model does not vouch for what is said of it.
    agreeing = [] if binaries and differences else ["the model"]
    where = "on " + " and ".join([*agreeing, *_witnesses(plays)])
    return Finding(
        verdicts=[
            _no_auto_sync(missed, where),
            _rewrite_corrupted([play for play in missed if rewrites(play.case)], where),
            _block_jobs(repair, where),
        ],
        tables=[Table("safety", COLUMNS, tuple(play.row for play in plays))],
        differences=differences,
        differing=f"{sum(bool(play.differences) for play in plays)} of {len(plays)} plays",
    )


def _plays(wanted: Sequence[Case], binaries: Sequence[str]) -> Iterator[Play]:
    if not binaries:
        default = revision(DEFAULT)
        for case in expanded(cases_of(wanted, default), default):
            yield Play(case, default, run_model(case, default))
    for path in binaries:
        with closing(Background()) as background:
            pool = background.open(path)
            release = nearest(pool.version)
            chosen = expanded(cases_of(wanted, release), release)
            if not chosen:
                raise NotUsable(f"{path} is QEMU {pool.version}; the cases are of 5.2 and later")
            futures = [background.submit(partial(pool.run, case)) for case in chosen]
            for case, future in zip(chosen, futures, strict=True):
                yield Play(case, release, run_model(case, release), result_of(future))


def _once(plays: Sequence[Play]) -> list[Play]:
    """Each case once, however many releases it was played for."""
    return list({play.case.id: play for play in plays}.values())


def _witnesses(plays: Sequence[Play]) -> list[str]:
    return list(dict.fromkeys(play.binary.witness for play in plays if play.binary))


def _no_auto_sync(plays: Sequence[Play], where: str) -> Verdict:
    """What is lacking is lacking as long as no child is written without being asked to."""
    claim = "no auto-sync after a node failed"
    if not plays:
        return Verdict(claim, Holds.OPEN, NONE_ENDED)
    found: list[Reads] = [reads(play.case, play.seen) for play in plays]
    stale, silent = sum(one.stale > 0 for one in found), sum(one.silent > 0 for one in found)
    written = sum(unasked(play.case, play.seen) for play in plays if not rewrites(play.case))
    return Verdict(
        claim,
        Holds.NO if written else Holds.YES,
        f"old bytes with ret 0 in {stale} of {len(plays)} cases, without any event of that read in "
        f"{silent}; {written} writes that neither guest nor rewrite-corrupted asked for ({where})",
    )


def _rewrite_corrupted(plays: Sequence[Play], where: str) -> Verdict:
    claim = f"{BEYOND}rewrite-corrupted heals what was missed"
    if not plays:
        return Verdict(claim, Holds.OPEN, NONE_ENDED)
    counts = Counter(rewriting(play.case, play.seen) for play in plays)
    healed, lost, none = (counts[one] for one in Rewriting)
    condition = "who has it outvotes who has not, and it is read" if healed else ""
    return Verdict(
        claim,
        Holds.IF if healed else Holds.NO,
        f"of {counts.total()} cases {healed} healed what was read, {none} nothing, and {lost} lost "
        f"the last copy of what the guest had written ({where})",
        condition,
    )


def _block_jobs(plays: Sequence[Play], where: str) -> Verdict:
    claim = "quorum and block jobs can become a replicated image"
    if not plays:
        return Verdict(claim, Holds.OPEN, NONE_ENDED)
    came = Counter(newcomer(play.case, play.seen) for play in plays)
    killed = sum(play.case.is_killed for play in plays)
    condition = "the node returns what the guest wrote, as the job reads through it"
    return Verdict(
        claim,
        Holds.IF if came[True] else Holds.NO,
        f"a mirror with replaces left the newcomer with all of it in {came[True]} of "
        f"{came[True] + came[False]} cases, the guest writing on; after a crash nothing remembers "
        f"it ({killed} cases) ({where})",
        condition if came[True] else "",
    )

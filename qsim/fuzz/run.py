# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzing from beginning to end: play, shrink what differs, write it down."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from qsim.fuzz.blocks import BLOCK, blocks
from qsim.fuzz.campaign import IN_FLIGHT, Campaign, Found, Tally
from qsim.fuzz.judge import Judge, Judged, Kind, Play, text_of
from qsim.fuzz.known import Known
from qsim.fuzz.schedule import Model
from qsim.fuzz.shrink import MOST_PLAYS, shrink
from qsim.fuzz.strategy import Drawn
from qsim.outcome import Outcome
from qsim.quorum.revisions import Revision
from qsim.report.saved import Head, saved
from qsim.scenario import Case
from qsim.target.background import Background, result_of
from qsim.target.model import Decide, run_model

#: So many differences are made smaller at most.
MOST_SHRUNK = 10


@dataclass(frozen=True)
class Plan:
    """What to fuzz: ``count`` scenarios of a seed, from a block on."""

    seed: int
    count: int
    first_block: int = 0
    in_flight: int = IN_FLIGHT
    plays_to_shrink: int = MOST_PLAYS

    def blocks(self) -> Generator[tuple[int, list[Drawn]], None, None]:
        """The blocks, generated in a process of their own."""
        return blocks(self.seed, self.first_block, -(-self.count // BLOCK))


@dataclass(frozen=True)
class Smallest:
    """A difference: where it was found, and the smallest scenario that shows it."""

    found: Found
    judged: Judged
    text: str

    @property
    def file_name(self) -> str:
        """A name of its own for the scenario's file."""
        return f"fuzz-{self.found.seed}-{self.found.block}-{self.found.number}.yaml"


@dataclass
class Result:
    """What came of it."""

    tally: Tally
    smallest: list[Smallest] = field(default_factory=list)
    #: Where to go on if it was stopped (Ctrl-C): what had differed by then is not made smaller.
    stopped_in: int | None = None

    @property
    def flaky(self) -> list[Found]:
        """Scenarios that differed only once."""
        return [one for one in self.tally.found if one.judged.kind is Kind.FLAKY]

    @property
    def broken(self) -> list[Found]:
        """Scenarios the model fails on."""
        return [one for one in self.tally.found if one.judged.kind is Kind.BROKEN]

    def write(self, folder: Path) -> list[Path]:
        """Write the smallest scenarios as files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for one in self.smallest:
            path = folder / one.file_name
            path.write_text(one.text, "utf-8")
            written.append(path)
        return written


def model_of(revision: Revision) -> Model:
    """The model of a revision."""

    def model(case: Case, decide: Decide | None) -> Outcome:
        return run_model(case, revision, decide)

    return model


def fuzz(
    background: Background,
    play: Play,
    revision: Revision,
    plan: Plan,
    binary: str,
    known: Sequence[Known] = (),
    model: Model | None = None,
    tell: Callable[[str], None] = lambda text: None,
    enough: Callable[[Tally], bool] = lambda tally: False,
) -> Result:
    """Play a plan's scenarios, and find the smallest of those that differ.

    :param background: the thread that plays.
    :param play: plays a case on what the model is compared with, such as ``pool.run``.
    :param binary: what that is, for the scenario files: a path and a version.
    :param model: the model, if it is not that of ``revision``.
    :param tell: is told what is being done.
    :param enough: asked after each scenario whether to stop.
    """
    judge = Judge(model or model_of(revision), play, revision.name, known)
    campaign = Campaign(background, judge, plan.seed, plan.in_flight)
    with closing(plan.blocks()) as generated:
        tally = campaign.run(generated, plan.count, enough)

    def once(drawn: Sequence[Drawn]) -> list[Judged]:
        futures = [background.submit(partial(judge.once, one)) for one in drawn]
        return [result_of(future) for future in futures]

    result = Result(tally, stopped_in=campaign.stopped_in)
    already: set[str] = set()
    for found in _worth(tally.found):
        judged = found.judged
        if result.stopped_in is None:
            tell(f"shrinking {found}: {judged.found[0]}")
            judged = shrink(found, once, plan.plays_to_shrink)
        assert judged.scenario is not None and judged.binary is not None
        if text_of(judged.scenario.raw) in already:
            continue
        already.add(text_of(judged.scenario.raw))
        head = _head(found, judged, binary, revision.name)
        text = saved(judged.scenario.raw, judged.binary, head, judged.scenario.model)
        result.smallest.append(Smallest(found, judged, text))
    return result


def _worth(found: Iterable[Found]) -> list[Found]:
    """Of what was found the first of each signature, in the order of generation."""
    chosen: dict[tuple[str, ...], Found] = {}
    for one in sorted(found, key=lambda one: (one.block, one.number)):
        if one.judged.kind is Kind.DIFFERS:
            chosen.setdefault(one.judged.signature, one)
    return list(chosen.values())[:MOST_SHRUNK]


def _head(found: Found, judged: Judged, binary: str, revision: str) -> Head:
    fields = ", ".join(sorted(judged.fields))
    trouble = "".join(f"  {text}" for text in judged.binary.trouble) if judged.binary else ""
    return Head(
        family=f"fuzz {found.seed} {found.block} {found.number}",
        about=f"Found by fuzzing: model {revision} differs in {fields}.{trouble}",
        source=f"{binary}; qsim fuzz, {found}",
        revision=revision,
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""One scenario on model and binary, and what is to be said of it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from qsim.fuzz.expecting import expecting
from qsim.fuzz.known import Known, name_of
from qsim.fuzz.outside import outside
from qsim.fuzz.schedule import Concrete, Model, concrete, up_to_the_undefined
from qsim.fuzz.strategy import Drawn
from qsim.outcome import Difference, Outcome, between
from qsim.scenario import Case, ScenarioError
from qsim.scenario.error import ModelError

#: Plays a case on what the model is compared with.
Play = Callable[[Case], Awaitable[Outcome]]


class Kind(Enum):
    """What became of a scenario."""

    AGREES = "agrees"
    UNDEFINED = "agrees up to what C leaves undefined"
    DIFFERS = "differs"
    KNOWN = "known to differ"
    FLAKY = "differs only sometimes"
    BROKEN = "the model fails"
    OUTSIDE = "outside the model"
    UNSUPPORTED = "not supported by the binary"


#: With any of these a campaign has failed.
WRONG = (Kind.DIFFERS, Kind.FLAKY, Kind.BROKEN)


@dataclass(frozen=True)
class Judged:
    """What became of a scenario.

    :param reason: by which name it is known, how the model fails, why it is outside, why it is not
        supported.
    :param found: where model and binary part.
    """

    kind: Kind
    reason: str = ""
    found: list[Difference] = field(default_factory=list)
    scenario: Concrete | None = None
    binary: Outcome | None = None

    @property
    def signature(self) -> tuple[str, ...]:
        """What probably is one difference has one signature."""
        return (*sorted(self.fields), self.found[0].label.split(" ")[0], *self.said)

    @property
    def said(self) -> tuple[str, ...]:
        """What the binary said where it differs in an error, an end, or trouble."""
        texts = (one.right for one in self.found if one.what in ("error", "exit", "trouble"))
        return tuple(map(_without_names, texts))

    @property
    def fields(self) -> frozenset[str]:
        """The fields that differ, by kind."""
        return frozenset(map(field_of, self.found))


def alike(one: Judged, other: Judged) -> bool:
    """Whether two scenarios differ in a field of one kind, and the binary says the same there."""
    return bool(one.fields & other.fields) and one.said == other.said


def field_of(one: Difference) -> str:
    """Which kind of field a difference is in: whose child, and which trouble, does not matter."""
    if one.what == "trouble":
        return " ".join(["trouble", *_without_names(one.right).split()[:6]])
    return one.what.partition(" of ")[0]


def _without_names(text: str) -> str:
    """The first line of a text without what it quotes, and without numbers."""
    return re.sub(r"\d+|'[^']*'|\"[^\"]*\"", "", text.partition("\n")[0])


def text_of(raw: dict[str, Any]) -> str:
    """A scenario as canonical JSON."""
    return json.dumps(raw, sort_keys=True)


class Judge:
    """Plays scenarios on both and compares.

    :param revision: the name of the model's revision.
    """

    def __init__(
        self, model: Model, play: Play, revision: str, known: Sequence[Known] = ()
    ) -> None:
        self.model = model
        self.play = play
        self.revision = revision
        self.known = known

    async def judge(self, drawn: Drawn) -> Judged:
        """What becomes of a scenario; one that differs is played again to be sure."""
        first = await self.once(drawn)
        if first.kind is not Kind.DIFFERS:
            return first
        second = await self.once(drawn)
        if second.kind is Kind.DIFFERS and first.fields & second.fields:
            return second
        return replace(first, kind=Kind.FLAKY)

    async def once(self, drawn: Drawn) -> Judged:
        """The same, played once."""
        try:
            one = concrete(drawn, self.model)
        except ModelError as error:
            return Judged(Kind.BROKEN, error.message)
        except ScenarioError as error:
            return Judged(Kind.OUTSIDE, error.message)
        reason = outside(one)
        if reason:
            return Judged(Kind.OUTSIDE, reason)
        undefined = any(step.undefined for step in one.model.steps)
        if undefined:
            one = up_to_the_undefined(one)
        binary = await self.play(expecting(one.case, one.model))
        if binary.unsupported:
            return Judged(Kind.UNSUPPORTED, binary.unsupported)
        found = between(one.model, binary)
        if not found:
            return Judged(Kind.UNDEFINED if undefined else Kind.AGREES)
        name = name_of(self.known, found, text_of(one.raw), self.revision)
        if name is not None:
            return Judged(Kind.KNOWN, name, found)
        return Judged(Kind.DIFFERS, "", found, one, binary)

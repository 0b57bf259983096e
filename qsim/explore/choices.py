# SPDX-License-Identifier: GPL-2.0-or-later
"""What a case leaves open beside the order, and a case with all of it decided.

A choice is made as late as it makes no difference: faults of a child when its first request is
completed, its contents when the first one succeeds.  So what has not happened yet branches
nothing, and the ways are those of all closed cases together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

from qsim.block.child import Request, ScriptedChild
from qsim.scenario import ScenarioError
from qsim.scenario.case import Case, ChildSpec, OpenContent, OpenFaults, Step

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9 ,.+-]")
#: Where a choice stands that belongs to the child and not to a step, which have numbers from 1.
CONTENTS, FAULTS = -2, -1


class Pick(NamedTuple):
    """One choice: which of the alternatives for ``child`` at ``place``."""

    place: int
    child: str
    choice: int


class Edge(NamedTuple):
    """What happens next: a word of the schedule, and what is decided by then."""

    word: str
    picks: tuple[Pick, ...] = ()


#: What is decided, by place and child.
Made = dict[tuple[int, str], int]


def picks(
    case: Case, made: Made, at: int, child: ScriptedChild, request: Request
) -> list[tuple[Pick, ...]]:
    """The ways to decide what must be decided to complete ``request``; one empty way for nothing.

    :param at: the number of the step that runs.
    """
    spec = case.children[child.name]
    step = _open_of(case, at).get(child.name, ())
    pending = [
        [Pick(place, child.name, i) for i in range(len(alternatives))]
        for place, alternatives in ((at, step), (FAULTS, spec.open_faults))
        if alternatives and (place, child.name) not in made
    ]
    ways: list[tuple[Pick, ...]] = []
    for way in product(*pending):
        if spec.open_contents and (CONTENTS, child.name) not in made:
            trial = replace(child, faults=list(child.faults), step_faults=list(child.step_faults))
            for pick in way:
                _fail(trial, _faults_at(case, pick))
            if trial.fault_of(request) is None:
                ways += [
                    (*way, Pick(CONTENTS, child.name, i)) for i in range(len(spec.open_contents))
                ]
                continue
        ways.append(way)
    return ways


def decide(case: Case, made: Made, children: Mapping[str, ScriptedChild], way: Edge) -> None:
    """Make the choices of ``way``: the children are from now on as they say."""
    for pick in way.picks:
        made[pick.place, pick.child] = pick.choice
        child = children[pick.child]
        if pick.place == CONTENTS:
            content = case.children[pick.child].open_contents[pick.choice].content
            child.contents = content.data.copy()
            child.holes = list(content.holes)
        else:
            _fail(child, _faults_at(case, pick))


def _faults_at(case: Case, pick: Pick) -> tuple[bool, OpenFaults]:
    """The alternative picked, and whether it is a step's own."""
    if pick.place == FAULTS:
        return False, case.children[pick.child].open_faults[pick.choice]
    return True, _open_of(case, pick.place)[pick.child][pick.choice]


def _fail(child: ScriptedChild, chosen: tuple[bool, OpenFaults]) -> None:
    of_step, alternative = chosen
    faults = child.step_faults if of_step else child.faults
    faults += [fault.copy() for fault in alternative.faults]


def _open_of(case: Case, at: int) -> Mapping[str, tuple[OpenFaults, ...]]:
    return case.steps[at - 1].open_faults if at else {}


def closed(case: Case, path: Sequence[Edge], at: Iterable[int]) -> Case:
    """``case`` as it goes by ``path``: nothing is open any more, its name says what was decided.

    :param at: the number of the step each edge of the path belongs to.
    """
    made: Made = {}
    words: dict[int, list[str]] = {}
    for edge, step in zip(path, at, strict=True):
        words.setdefault(step, []).append(edge.word)
        made |= {(pick.place, pick.child): pick.choice for pick in edge.picks}
    raw = _copy(case.raw)
    children = {name: _closed_child(spec, made, raw) for name, spec in case.children.items()}
    chosen = {(pick.child, _alternative(case, pick).text) for edge in path for pick in edge.picks}
    steps = tuple(
        _narrowed(case, _closed_step(step, i, made, words.get(i, ()), raw), chosen)
        for i, step in enumerate(case.steps, 1)
    )
    way = ", ".join(_tell(case, edge) for edge in path)
    contents = dict(case.contents)
    for name, child in children.items():
        if case.children[name].open_contents and name not in case.raw.get("contents", {}):
            contents[name] = child.content.data
    raw["name"] = f"{case.name} by {way}" if way else case.name
    return replace(
        case, name=raw["name"], children=children, steps=steps, contents=contents, raw=raw
    )


def _copy(raw: Any) -> Any:
    """A copy in which nothing stands twice, as it may in YAML."""
    if isinstance(raw, dict):
        return {key: _copy(value) for key, value in raw.items()}
    return [_copy(value) for value in raw] if isinstance(raw, list) else raw


def _tell(case: Case, edge: Edge) -> str:
    """An edge in words a name can have: ``c1``, or ``c1 EIO`` where that was decided."""
    texts = [_alternative(case, pick).text for pick in edge.picks]
    return _NOT_IN_NAMES.sub("-", " ".join([edge.word, *(text for text in texts if text != "ok")]))


def _alternative(case: Case, pick: Pick) -> OpenFaults | OpenContent:
    if pick.place == CONTENTS:
        return case.children[pick.child].open_contents[pick.choice]
    return _faults_at(case, pick)[1]


def _closed_child(spec: ChildSpec, made: Made, raw: dict[str, Any]) -> ChildSpec:
    if not (spec.open_contents or spec.open_faults):
        return spec
    content, faults = spec.content, spec.faults
    told = _told_child(raw, spec.name)
    if spec.open_contents:
        chosen = spec.open_contents[made.get((CONTENTS, spec.name), 0)]
        content = chosen.content
        told["contents"] = chosen.text
    if spec.open_faults:
        alternative = spec.open_faults[made.get((FAULTS, spec.name), 0)]
        faults = alternative.faults
        _tell_faults(told, "faults", alternative)
    return replace(spec, content=content, faults=faults, open_contents=(), open_faults=())


def _narrowed(case: Case, step: Step, chosen: set[tuple[str, str]]) -> Step:
    """A step with those of its expectations that are for what was chosen.

    A child may not have been asked by which they tell apart, as one that is wrong about it stops
    too soon: then those that what was chosen does not contradict are for it, and it must fail.

    :raise ScenarioError: when there is none.
    """
    decided = {child for child, _ in chosen}
    allowed = tuple(one for one in step.allowed if set(one.when) <= chosen) or tuple(
        one for one in step.allowed if {it for it in one.when if it[0] in decided} <= chosen
    )
    if step.allowed and not allowed:
        told = ", ".join(f"{child}: {text}" for child, text in sorted(chosen))
        raise ScenarioError(case.file, step.line, "expect", f"nothing is expected when {told}")
    return replace(step, allowed=allowed)


def _told_child(raw: dict[str, Any], name: str) -> dict[str, Any]:
    """The child's place in the raw case, in its long form."""
    children = raw["children"]
    if isinstance(children, list):
        children = raw["children"] = {f"c{i}": child for i, child in enumerate(children)}
    if not isinstance(children[name], dict):
        children[name] = {"contents": children[name]}
    told: dict[str, Any] = children[name]
    return told


def _closed_step(
    step: Step, at: int, made: Made, words: Sequence[str], raw: dict[str, Any]
) -> Step:
    told = raw["steps"][at - 1]
    faults = dict(step.faults)
    for name, alternatives in step.open_faults.items():
        alternative = alternatives[made.get((at, name), 0)]
        faults[name] = alternative.faults
        _tell_faults(told["faults"], name, alternative)
    if words:
        told["complete"] = list(words)
    else:
        told.pop("complete", None)
    return replace(step, faults=faults, complete=tuple(words), any_order=False, open_faults={})


def _tell_faults(told: dict[str, Any], key: str, alternative: OpenFaults) -> None:
    if alternative.faults:
        told[key] = alternative.text
    else:
        told.pop(key, None)

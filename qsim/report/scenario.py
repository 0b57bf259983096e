# SPDX-License-Identifier: GPL-2.0-or-later
"""A run as a scenario file: what was done and what came of it, to run again or paste."""

from __future__ import annotations

from typing import Any

import yaml

from qsim.block.child import FEATURES
from qsim.block.errno import name as errno_name
from qsim.outcome import Outcome, StepOutcome
from qsim.scenario import Case, Step
from qsim.scenario.content import describe
from qsim.scenario.load import DEFAULT_SIZE


def is_plain(case: Case) -> bool:
    """Whether :func:`scenario_text` can tell a case: one request, nothing unusual about it."""
    (step, *more) = case.steps
    usual = all(
        len(spec.content.data) == DEFAULT_SIZE
        and spec.block_size == 1
        and spec.features == frozenset(FEATURES)
        and not (spec.node or spec.faults or spec.content.holes)
        for spec in case.children.values()
    )
    simple = all(
        fault.count is None and fault.end is None and not (fault.start or fault.skip or fault.dead)
        for faults in step.faults.values()
        for fault in faults
    )
    return (
        usual
        and simple
        and not (more or case.images or step.flags or case.above)
        and step.verb in ("read", "write", "flush")
        and case.guest == "writable"
        and len(set(step.data or b"A")) == 1
    )


def scenario_text(case: Case, outcome: Outcome, family: str, about: str, revision: str) -> str:
    """A scenario file with ``case`` as its only case, expecting what ``outcome`` shows.

    :param revision: the revision it was seen on; it is said to hold there and nowhere else.
    """
    document = {
        "family": family,
        "about": about,
        "source": case.source,
        "since": revision,
        "until": revision,
        "cases": [_case(case, outcome)],
    }
    return yaml.safe_dump(document, sort_keys=False, width=WIDTH, default_flow_style=None)


WIDTH = 96


def _case(case: Case, outcome: Outcome) -> dict[str, Any]:
    assert case.options is not None
    quorum = {
        key: value
        for key, value in case.options.items()
        if key not in ("driver", "node-name") and value != list(case.children)
    }
    raw: dict[str, Any] = {
        "name": case.name,
        "children": {name: describe(_whole(spec)) for name, spec in case.children.items()},
        "quorum": quorum,
    }
    if outcome.leaks:
        raw["leaks"] = [{"what": what} for what in outcome.leaks]
    raw["steps"] = [
        _step(step, outcome.steps[i])
        for i, step in enumerate(case.steps, 1)
        if i < len(outcome.steps)
    ]
    changed = {
        name: describe(held.read(0, len(held)))
        for name, held in (outcome.contents or {}).items()
        if held != case.children[name].content.data
    }
    if changed:
        raw["contents"] = changed
    return raw


def _whole(spec: Any) -> bytes:
    data = spec.content.data
    return bytes(data.read(0, len(data)))


def _step(step: Step, shown: StepOutcome) -> dict[str, Any]:
    raw: dict[str, Any] = {}
    if step.verb == "flush":
        raw["flush"] = True
    else:
        raw[step.verb] = [step.offset, step.bytes]
        if step.data is not None:
            raw[step.verb].append(describe(step.data).split(":")[0])
    if step.faults:
        raw["faults"] = {
            name: [f"{fault.op} {errno_name(fault.errno)}" for fault in faults]
            for name, faults in step.faults.items()
        }
    if step.complete:
        raw["complete"] = list(step.complete)
    expect: dict[str, Any] = {}
    if shown.ret is not None:
        expect["ret"] = shown.ret
    if shown.data is not None:
        expect["data"] = describe(shown.data).split(":")[0]
    expect["requests"] = [", ".join(map(str, one)) for one in shown.rounds() or ()]
    if shown.events:
        expect["events"] = [str(event) for event in shown.events]
    if shown.undefined is not None:
        expect["undefined"] = shown.undefined
    raw["expect"] = expect
    return raw

# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios by chance: mostly sensible, each with a few odd things, and small.

A scenario is drawn as the raw form a fixture's case has, without ``expect``, and with numbers for
the order in which children answer: which requests there are to choose from is known only when
the model has run (:mod:`qsim.fuzz.schedule`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from hypothesis import strategies as st

from qsim.fuzz.children import CONTENTS, LEAST, SIZES, child, fault
from qsim.fuzz.commands import change, command
from qsim.fuzz.draws import Draw, below, of, seldom
from qsim.fuzz.options import options
from qsim.fuzz.requests import request, together
from qsim.fuzz.setting import Setting
from qsim.scenario.case import IO_VERBS
from qsim.scenario.content import parse_bytes
from qsim.scenario.load import DEFAULT_SIZE

COUNTS = (2, 1, 2, 2, 3, 3, 3, 3, 4, 5)
BLOCK_SIZES = (*(1,) * 12, 512, 4096)
STEP_COUNTS = (1, 1, 1, 1, 2, 2, 2, 3, 4)
STEP_KINDS = (*("request",) * 8, "together", "together", "command", "command", "set")
#: How many of its completions a scenario decides, the others are the oldest request's.
DECISIONS = (0, 0, 0, 2, 4, 8)


@dataclass(frozen=True)
class Drawn:
    """A scenario as drawn: the raw case, and which of the held requests to complete, in turn."""

    raw: dict[str, Any]
    order: list[int] = field(default_factory=list)

    def canonical(self) -> str:
        """The same text for the same scenario, on any machine."""
        return json.dumps(asdict(self), sort_keys=True)


@st.composite
def scenarios(draw: Draw) -> Drawn:
    """Any scenario."""
    raw: dict[str, Any] = {"name": "generated"}
    size = of(draw, SIZES)
    if size is not None:
        raw["size"] = size
    bytes_ = parse_bytes(size or DEFAULT_SIZE)
    block_size = of(draw, (1, 1, 1, 512) if bytes_ % 4096 else BLOCK_SIZES)
    if block_size != 1:
        raw["block-size"] = block_size
    count = of(draw, COUNTS)
    spare_count = of(draw, (0, 0, 0, 1, 2)) if count < 5 else 0
    raw["children"] = [child(draw, block_size, bytes_) for _ in range(count + spare_count)]
    names = tuple(f"c{i}" for i in range(count + spare_count))
    if spare_count:
        raw["spares"] = list(names[count:])
    raw["quorum"] = options(draw, names[:count])
    if seldom(draw, 8):
        raw["above"] = {"align": of(draw, (512, 512, 4096))}
    setting = Setting.of(raw, names)
    steps = [_step(draw, setting) for _ in range(of(draw, STEP_COUNTS))]
    raw["steps"] = steps
    if seldom(draw, 8):
        has_io = any(verb in step for step in steps for verb in (*IO_VERBS, "together"))
        raw["guest"] = "read-only" if has_io or seldom(draw, 2) else "writable"
    order = [below(draw, 8) for _ in range(of(draw, DECISIONS))]
    return Drawn(raw, order)


def _step(draw: Draw, setting: Setting) -> dict[str, Any]:
    match of(draw, STEP_KINDS):
        case "command":
            step: dict[str, Any] = {"qmp": command(draw, setting)}
            rarely = 12
        case "set":
            return {"set": {of(draw, setting.names): of(draw, CONTENTS[:16])}}
        case "together":
            step, rarely = together(draw, setting), 4
        case _:
            step, rarely = request(draw, setting), 4
    if seldom(draw, rarely):
        step["faults"] = {
            of(draw, setting.names): fault(draw) for _ in range(of(draw, (1, 1, 1, 2, 2, 3)))
        }
    if "qmp" not in step and setting.changeable and seldom(draw, 20):
        step["meanwhile"] = change(draw, setting)
    return step


assert min(size for size in SIZES if isinstance(size, int)) >= LEAST

# SPDX-License-Identifier: GPL-2.0-or-later
"""A difference for the terminal: both stories side by side, the first place they part marked."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap

from qsim.outcome import Difference, Outcome, StepOutcome, exit_text, nearest_allowed
from qsim.scenario.case import Case, Expectation
from qsim.scenario.content import describe

WIDTH = 100


def expected_outcome(case: Case, shown: Outcome) -> list[list[str]]:
    """The fixture as a story, step by step, in the form of :meth:`StepOutcome.story`.

    What the fixture leaves to the schedule (which request was answered how) is taken from
    ``shown``, so that the two columns line up.
    """
    steps = [case.opening, *case.steps]
    stories = []
    for i, step in enumerate(steps):
        seen = shown.steps[i] if i < len(shown.steps) else StepOutcome(str(step))
        stories.append(_expected_story(nearest_allowed(case, i, shown), seen))
    return stories


def _expected_story(expect: Expectation | None, seen: StepOutcome) -> list[str]:
    if expect is None:
        return seen.story()
    lines = []
    for requests in expect.requests or ():
        lines += [f"asks {request}" for request in requests]
    if expect.ret is not None:
        lines.append(f"ret {expect.ret}")
    if expect.data is not None:
        lines.append(f"data {describe(expect.data)}")
    if expect.extent is not None:
        lines.append(f"extent {expect.extent[0]} {expect.extent[1]}")
    # In any order there is none of the answers either.
    alike = len(seen.finish) == len(expect.answers)
    finish = expect.finish or (seen.finish if alike else tuple(range(len(expect.answers))))
    shown = StepOutcome("", answers=expect.answers, finish=finish)
    lines += [f"{name} {value}" for name, value in shown.results()]
    if expect.error is not None:
        lines.append(f"error {expect.error[0]}: {expect.error[1]}")
    elif expect.ret is None and not (expect.exit or expect.answers or expect.undefined):
        lines.append(f"return {expect.returns}")
    if expect.undefined is not None:
        lines.append(f"undefined behaviour {expect.undefined}")
    if expect.exit is not None:
        lines.append(f"exit {exit_text(expect.exit)}")
    lines += [f"event {event}" for event in expect.events]
    return lines


def _seen_story(step: StepOutcome, terse: bool) -> list[str]:
    """A story; ``terse`` leaves out answers and written data, which a fixture does not name."""
    lines = step.story()
    if terse:
        lines = [
            line.split(" = ")[0] if line.startswith("asks ") else line
            for line in lines
            if not line.startswith("  <- ")
        ]
    return lines


def render(
    case: Case, left: Outcome | None, right: Outcome, found: Sequence[Difference], rerun: str
) -> str:
    """What differs, why it should not, both stories, and how to run just this again.

    :param left: the other outcome; None compares with the fixture.
    :param rerun: the command that runs this case again.
    """
    name = left.witness if left else "the fixture"
    lines = [
        f"{case.id}: {right.witness} is not what {name} says",
        f"  behaviour: {case.source}",
        f"  fixture:   {_place(case, right, found)}",
        "",
    ]
    for one in found:
        lines.append(f"  {one.label}: {one.what}")
        lines.append(f"      {name}: {one.left}")
        lines.append(f"      {right.witness}: {one.right}")
    lines.append("")
    lines += _side_by_side(case, left, right, name)
    lines += ["", f"again: {rerun}"]
    return "\n".join(lines)


def _place(case: Case, outcome: Outcome, found: Sequence[Difference]) -> str:
    """File and line of the first expectation that is not met."""
    steps = [case.opening, *case.steps]
    for one in found:
        if one.step is not None and one.step < len(steps):
            expect = nearest_allowed(case, one.step, outcome)
            return f"{short_path(case.file)}:{expect.line if expect else steps[one.step].line}"
    return f"{short_path(case.file)}:{case.line}"


def _side_by_side(case: Case, left: Outcome | None, right: Outcome, name: str) -> list[str]:
    half = (WIDTH - 5) // 2
    lines = [f"  {name:<{half}} | {right.witness}"]
    marked = False
    expected = expected_outcome(case, right) if left is None else None
    count = max(len(left.steps) if left else 0, len(right.steps))
    for i in range(count):
        seen = right.steps[i] if i < len(right.steps) else StepOutcome("(not reached)")
        if left is None:
            assert expected is not None
            a = expected[i]
            b = _seen_story(seen, terse=True)
        else:
            a = left.steps[i].story() if i < len(left.steps) else []
            b = seen.story()
        lines.append(f"  -- {seen.label}")
        for x, y in zip_longest(a, b, fillvalue=""):
            differs = x != y and not marked
            marked = marked or differs
            lines += _row(x, y, half, ">" if differs else " ")
    return lines


def _row(left: str, right: str, half: int, mark: str) -> list[str]:
    a, b = _wrapped(left, half), _wrapped(right, half)
    rows = []
    for x, y in zip_longest(a, b, fillvalue=""):
        rows.append(f"{mark} {x:<{half}} | {y}".rstrip())
        mark = " "
    return rows


def _wrapped(text: str, width: int) -> list[str]:
    lines = wrap(
        text, width, subsequent_indent="    ", drop_whitespace=False, break_on_hyphens=False
    )
    return lines or [""]


def rerun_command(
    case: Case, binary: str | None, revision: str | None = None, iothread: bool = False
) -> str:
    """The command that runs just this case again; ``revision`` as it was asked for."""
    words = ["qsim", "compare", f"{short_path(case.file)}::{case.name}"]
    if binary:
        words += ["--qemu", binary]
        if iothread:
            words.append("--iothread")
    if revision:
        words += ["--revision", revision]
    return shlex.join(words)


def short_path(file: str) -> str:
    """A path as a person would type it from here."""
    path = Path(file)
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def render_outcome(outcome: Outcome) -> str:
    """One outcome as a story."""
    lines = [outcome.witness]
    for step in outcome.steps:
        lines.append(f"-- {step.label}")
        lines += [f"   {line}" for line in step.story()]
    if outcome.contents:
        lines.append("-- at the end")
        lines += [f"   {name} holds {describe(data)}" for name, data in outcome.contents.items()]
    lines += [f"!! {text}" for text in outcome.trouble]
    return "\n".join(lines)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What came of fuzzing, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis

from qsim.fuzz.judge import Kind
from qsim.fuzz.run import Plan, Result
from qsim.report.terminal import render


def summary(result: Result, plan: Plan) -> list[str]:
    """The counts, and whatever needs looking at, in lines."""
    return list(_summary(result, plan))


def _summary(result: Result, plan: Plan) -> Iterator[str]:
    tally = result.tally
    # Another Hypothesis may draw other scenarios by the same seed.
    yield (
        f"{tally.total} scenarios, seed {plan.seed} from block {plan.first_block} on "
        f"(Hypothesis {hypothesis.__version__})"
    )
    for kind in Kind:
        if tally.counts[kind]:
            yield f"{tally.counts[kind]:7} {kind.value}"
    for title, counts in (("known", tally.known), ("outside the model", tally.outside)):
        for reason, count in counts.most_common():
            yield f"{title}: {count} {reason}"
    for one in result.flaky:
        yield f"only once, {one}: {one.judged.found[0]}"
    for one in result.broken:
        yield f"the model fails, {one}: {one.judged.reason}"
        yield one.drawn.canonical()
    if result.stopped_in is not None:
        yield f"interrupted; --from-block={result.stopped_in} goes on"


def stories(result: Result, again: str) -> list[str]:
    """Each difference by its smallest scenario, model and binary side by side.

    :param again: a command to run a scenario file again, with {} for its name.
    """
    texts = []
    for one in result.smallest:
        scenario, binary = one.judged.scenario, one.judged.binary
        assert scenario is not None and binary is not None
        rerun = again.format(one.file_name)
        story = render(scenario.case, scenario.model, binary, one.judged.found, rerun)
        texts.append(f"{one.found}\n{one.text}\n{story}")
    return texts

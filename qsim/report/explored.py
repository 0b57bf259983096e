# SPDX-License-Identifier: GPL-2.0-or-later
"""What can come of a case that leaves something open, for people."""

from __future__ import annotations

from collections.abc import Mapping

from qsim.explore.possible import Possible
from qsim.explore.search import Way
from qsim.explore.ways import unmet
from qsim.outcome import against_fixture
from qsim.quorum.revisions import Revision
from qsim.report.terminal import short_path
from qsim.scenario import Case
from qsim.select import holds


def render_outcomes(
    case: Case, outcomes: Mapping[Possible, Way], revision: Revision, whole: bool
) -> tuple[str, bool]:
    """The set of outcomes and a way to each, and whether it is what the case allows.

    A case that does not hold for ``revision`` allows anything.

    :param whole: whether these are all outcomes there are.
    """
    lines = [f"{case.id} ({short_path(case.file)}:{case.line}): {len(outcomes)} outcomes"]
    judged = case.is_open and holds(case, revision)
    fine = True
    for number, (outcome, way) in enumerate(outcomes.items(), 1):
        closed = way.closed(case)
        lines.append(f"  {number}. {closed.name.removeprefix(case.name).strip() or 'at once'}")
        lines += [f"       {line}" for line in outcome.lines]
        wrong = against_fixture(closed, way.outcome) if judged else []
        lines += [f"     NOT ALLOWED: {one}" for one in wrong]
        fine = fine and not wrong
    never = unmet(case, outcomes.values()) if judged and whole else []
    lines += [f"  {text}" for text in never]
    return "\n".join(lines) + "\n", fine and not never

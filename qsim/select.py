# SPDX-License-Identifier: GPL-2.0-or-later
"""Which cases hold for a revision, and what of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from qsim.quorum.revisions import Revision, covers
from qsim.scenario import Case


def case_of(case: Case, revision: Revision) -> Case:
    """A case with what it says of ``revision`` only: other revisions' leaks are left out."""
    leaks = tuple(leak for leak in case.leaks if covers(leak.since, leak.until, revision))
    return replace(case, leaks=leaks)


def holds(case: Case, revision: Revision) -> bool:
    """Whether a case is about ``revision``."""
    return covers(case.since, case.until, revision, case.without)


def cases_of(cases: Iterable[Case], revision: Revision) -> list[Case]:
    """Of ``cases`` those that hold for ``revision``, as they hold for it."""
    return [case_of(case, revision) for case in cases if holds(case, revision)]

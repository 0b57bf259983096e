# SPDX-License-Identifier: GPL-2.0-or-later
"""That a request ends, once and when it is over, and that its memory ends with it."""

from __future__ import annotations

from collections.abc import Iterator

from qsim.block.aio import Hang
from qsim.outcome import Outcome
from qsim.quorum.revisions import Revision
from qsim.scenario.case import IO_VERBS, Case

#: The kinds of undefined behaviour that are about the callback; all others are about memory.
CALLS = ("called back twice", "called back after it was cancelled", "never called back")
#: How the trouble a run can have begins where its end is meant.
CLOSING = "at the end of the process: "


def callback(case: Case, revision: Revision, outcome: Outcome) -> Iterator[str]:
    """Hangs, calls too many, calls too early, calls that never came."""
    for step, shown in zip((case.opening, *case.steps), outcome.steps, strict=False):
        if shown.early:
            yield "called back before all that was asked has ended"
        if shown.undefined:
            if shown.undefined.startswith(CALLS):
                yield shown.undefined
        elif not (shown.exit or shown.error or outcome.trouble):
            if step.verb in IO_VERBS and shown.ret is None:
                yield "never called back"
            if step.parts and sorted(shown.finish) != list(range(len(step.parts))):
                yield "not every one of the requests in flight is called back once"
    for text in outcome.trouble:
        if ": hangs: " in text or text == f"{CLOSING}{Hang()}":
            yield "never called back"
        elif text.removeprefix(CLOSING).startswith(CALLS):
            yield text


def memory(case: Case, revision: Revision, outcome: Outcome) -> Iterator[str]:
    """What C leaves undefined of memory, and what is never freed."""
    for shown in outcome.steps:
        if shown.undefined and not shown.undefined.startswith(CALLS):
            yield shown.undefined
    for text in outcome.trouble:
        end = text.removeprefix(CLOSING)
        if end not in (text, str(Hang())) and not end.startswith(CALLS):
            yield text
    for what in outcome.leaks or ():
        yield f"leak of {what}"

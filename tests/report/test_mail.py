# SPDX-License-Identifier: GPL-2.0-or-later
"""A letter for the list: no line is longer than 72 columns, and its command can be copied."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from itertools import groupby

import pytest

from qsim.cli.asked import title
from qsim.explore.ways import expanded
from qsim.quorum.revisions import Revision, revision
from qsim.report.lanes import Look, draw
from qsim.report.mail import WIDTH, command, letter, of_model
from qsim.scenario import Case
from qsim.trace.diagram import diagram
from qsim.trace.watch import watched

#: Cases with longer requests take long to watch.
WATCHED_BYTES = 256 * 1024


def as_a_shell_has_it(lines: list[str]) -> list[str]:
    """The words of a command that was copied, without the prompt."""
    text = "\n".join(lines).removeprefix("  $")
    told = subprocess.run(
        ["/bin/sh", "-c", f"printf '%s\\0' {text}"], capture_output=True, text=True, check=True
    )
    return told.stdout.split("\0")[:-1]


@pytest.mark.parametrize(
    "words",
    [
        ["flush"],
        ["children=2 pattern=fifo; c0: EIO; read 0 512", "--why"],
        ["--revision", "v4", "--against", "7.2", "x" * 40, "y" * 54, "z" * 66, "--why"],
        ["x" * 59, "y"],
        ["x" * 57, "--why"],
        ["x" * 200, "--why"],
        ["a b, c-" * 40, "d " * 40, "--why"],
        ["it's " * 30, "'" * 80, '"$HOME" \\ `id`\n' * 9],
    ],
)
def test_a_command_that_is_copied_is_the_one_that_was_given(words: list[str]) -> None:
    given = ["qsim", "trace", *words]
    lines = command(given)
    assert as_a_shell_has_it(lines) == given
    assert all(len(line) <= WIDTH for line in "\n".join(lines).splitlines())


def test_a_command_that_fits_is_one_line() -> None:
    assert command(["qsim", "trace", "x" * 57]) == [f"  $ qsim trace {'x' * 57}"]
    assert len(command(["qsim", "trace", "x" * 58])) == 2


def test_a_name_that_is_too_long_goes_on_behind_a_hyphen() -> None:
    name = "repair/killed-in-the-middle,-the-target-is-part-of-a-copy-and-the-stale-child-is-read"
    assert command(["qsim", "trace", name, "--why"]) == [
        "  $ qsim trace \\",
        "      repair/killed-in-the-middle,-the-target-is-part-of-a-copy-\\",
        "and-the-stale-child-is-read --why",
    ]


def test_the_command_of_every_shipped_case_fits(shipped_cases: list[Case]) -> None:
    for case in shipped_cases:
        lines = command(["qsim", "trace", "--why", "--revision", "10.0", case.id])
        assert max(map(len, lines)) <= WIDTH


def letters(case: Case, on: Revision) -> Iterator[str]:
    """What qsim trace makes of a case, with reasons and without."""
    closed = next(iter(expanded([case], on)))
    outcome, remarks = watched(closed, on)
    shown = diagram(closed, outcome, remarks)
    for why in (False, True):
        drawn = draw(shown, Look(WIDTH, why=why))
        yield letter(f"{title(closed)}\n{drawn}", [of_model(on)], ["qsim", "trace", closed.id])


def test_no_line_about_a_case_of_any_family_is_longer(shipped_cases: list[Case]) -> None:
    # All cases would take a minute: of each family that with most steps, and of jobs all.
    for family, some in groupby(shipped_cases, lambda case: case.family):
        short = [case for case in some if all(step.bytes <= WATCHED_BYTES for step in case.steps)]
        chosen = short if family == "repair" else [max(short, key=lambda case: len(case.steps))]
        for text in (text for case in chosen for text in letters(case, revision("7.2"))):
            assert [line for line in text.splitlines() if len(line) > WIDTH] == []

# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios that are asked on the command line instead of named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from qsim.cli.common import cases_named
from qsim.explore.ways import expanded
from qsim.fuzz.expecting import expecting
from qsim.outcome import Outcome
from qsim.quorum.revisions import Revision
from qsim.report.saved import Head, saved
from qsim.report.terminal import short_path
from qsim.scenario import Case
from qsim.scenario.asked import load_asked
from qsim.scenario.opened import of_blockdev, of_drive
from qsim.scenario.short import ShortFormError, looks_short, parse_short
from qsim.target.model import run_model

T = TypeVar("T")

#: What stands for the file of a case that is in none.
FAMILY = "asked"


def node_options(command: Callable[..., T]) -> Callable[..., T]:
    """The options that give the node as QEMU's command line has it."""
    command = click.option(
        "-blockdev",
        "--blockdev",
        metavar="OPTIONS",
        help="The quorum node as for QEMU's -blockdev; its children are scripted ones.",
    )(command)
    return click.option(
        "-drive",
        "--drive",
        metavar="OPTIONS",
        help="The quorum drive as for QEMU's -drive; the qcow2 files it names are made.",
    )(command)


def asked_or_named(
    selectors: Sequence[str], drive: str | None = None, blockdev: str | None = None
) -> list[Case]:
    """The cases that selectors name, and those that they are.

    :raise click.UsageError: for one that is neither.
    """
    if drive is not None and blockdev is not None:
        raise click.UsageError("give either -drive or -blockdev")
    try:
        if drive is not None or blockdev is not None:
            raw = of_drive(drive) if drive is not None else of_blockdev(blockdev or "")
            return [load_asked(parse_short("; ".join(selectors), raw), FAMILY)]
        cases: list[Case] = []
        for selector in selectors:
            short = not Path(selector.partition("::")[0]).exists() and looks_short(selector)
            cases += (
                [load_asked(parse_short(selector), FAMILY)] if short else cases_named([selector])
            )
    except ShortFormError as error:
        raise click.UsageError(str(error)) from error
    return cases


def is_asked(case: Case) -> bool:
    """Whether a case stands in no file, and so expects nothing."""
    return case.file == FAMILY


def title(case: Case) -> str:
    """A case by its name and where it stands."""
    if is_asked(case):
        return "asked on the command line"
    return f"{case.id} ({short_path(case.file)}:{case.line})"


def closed(cases: Sequence[Case], wanted: Revision) -> list[Case]:
    """Cases with nothing left open; one that expects nothing expects what the model shows.

    A binary is given time for the events that are expected of it.
    """
    return [
        expecting(case, run_model(case, wanted)) if is_asked(case) else case
        for case in expanded(cases, wanted)
    ]


def save(case: Case, outcome: Outcome, file: Path, revision: Revision) -> None:
    """Write a case and what came of it as a scenario file.

    :raise OSError: when it cannot be written.
    """
    head = Head(
        family=file.stem.lower().replace("_", "-"),
        about=f"Asked on the command line; expects what {outcome.witness} shows.",
        source=f"block/quorum.c ({revision.name})",
        revision=revision.name,
    )
    file.write_text(saved(case.raw, outcome, head), "utf-8")

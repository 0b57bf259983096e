# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim list``, ``run`` and ``compare``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from qsim.cli.asked import asked_or_named, closed, node_options, save, title
from qsim.cli.common import (
    cases_named,
    iothread_option,
    on_binary,
    qemu_option,
    reports,
    revision_option,
)
from qsim.cli.format import format_option, here
from qsim.explore.ways import expanded
from qsim.outcome import Outcome, against_fixture, between
from qsim.quorum.revisions import DEFAULT, Revision, revision
from qsim.report import mail
from qsim.report.terminal import render, render_outcome, rerun_command, short_path
from qsim.scenario import Case
from qsim.select import cases_of
from qsim.target.model import run_model


@click.command("list")
@click.argument("selectors", nargs=-1, metavar="[CASE|FILE]...")
@reports
def list_cases(selectors: tuple[str, ...]) -> None:
    """Name the cases there are, and where each stands."""
    for case in cases_named(selectors):
        click.echo(f"{case.id:<60} {short_path(case.file)}:{case.line}")


@click.command()
@click.argument("selectors", nargs=-1, metavar="[CASE|FILE|SCENARIO]...")
@revision_option
@qemu_option
@iothread_option
@node_options
@click.option(
    "--save",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the scenario and what came of it as a scenario file.",
)
@format_option
@reports
def run(
    selectors: tuple[str, ...],
    revision_name: str | None,
    qemu: str | None,
    iothread: bool,
    drive: str | None,
    blockdev: str | None,
    file: Path | None,
    format_: str,
) -> None:
    """Run cases and tell what happened: on the model, or on a binary with --qemu.

    \b
    Examples:
      qsim run fifo/second-child-answers
      qsim run 'children=3 threshold=2; child 1: read EIO; read 0 512'
      qsim run 'children=A,B pattern=fifo; c0: EIO x2; write -P 0x41 0 1k; read 0 512'
      qsim run -blockdev driver=quorum,children.0=c0,vote-threshold=1 'read 0 512'
      qsim run 'children=2; flush' --qemu ./qemu-system-x86_64 --save flush.yaml

    A SCENARIO is statements with ';' between them: settings (children, threshold, pattern,
    rewrite, blkverify, size), what a child holds or how it fails, and what is done, in the words
    of qemu-io.
    """
    named = asked_or_named(selectors, drive, blockdev)
    if not named:
        raise click.UsageError("name a case or a file, or say what is to be done")
    if qemu is None:
        wanted = revision(revision_name or DEFAULT)
        cases = closed(named, wanted)
        outcomes = [run_model(case, wanted) for case in cases]
        about = mail.of_model(wanted)
    else:
        version, wanted, cases, outcomes = on_binary(
            qemu, partial(closed, named), revision_name, iothread
        )
        about = mail.of_binary(version, qemu)
    if file is not None:
        if len(cases) != 1:
            raise click.UsageError(f"--save takes one case, these are {len(cases)}")
        save(cases[0], outcomes[0], file, wanted)
    told = [
        f"{title(case)}\n{render_outcome(outcome)}"
        for case, outcome in zip(cases, outcomes, strict=True)
    ]
    here("\n".join(told), format_, [about])
    sys.exit(1 if any(outcome.trouble for outcome in outcomes) else 0)


@click.command("compare")
@click.argument("selectors", nargs=-1, metavar="[CASE|FILE]...")
@revision_option
@qemu_option
@iothread_option
@reports
def compare_cases(
    selectors: tuple[str, ...], revision_name: str | None, qemu: str | None, iothread: bool
) -> None:
    """Compare fixture, model and (with --qemu) binary; show where they part."""
    choose = partial(_about, cases_named(selectors))
    version = ""
    real: Sequence[Outcome | None]
    if qemu:
        version, wanted, cases, real = on_binary(qemu, choose, revision_name, iothread)
    else:
        wanted = revision(revision_name or DEFAULT)
        cases = choose(wanted)
        real = [None] * len(cases)
    differing = 0
    for case, outcome in zip(cases, real, strict=True):
        again = rerun_command(case, qemu, revision_name, iothread)
        texts = _compare(case, run_model(case, wanted), outcome, again)
        differing += bool(texts)
        for text in texts:
            click.echo(f"{text}\n")
    witnesses = f"fixture, model {wanted.name}" + (f", QEMU {version}" if qemu else "")
    click.echo(f"{len(cases)} cases, {differing} differ ({witnesses})")
    sys.exit(1 if differing else 0)


def _compare(case: Case, model: Outcome, real: Outcome | None, again: str) -> list[str]:
    texts = []
    for left, right in ((None, model), (None, real), (model, real)):
        if right is None:
            continue
        found = against_fixture(case, right) if left is None else between(left, right)
        if found:
            texts.append(render(case, left, right, found, again))
    return texts


def _about(cases: Sequence[Case], wanted: Revision) -> list[Case]:
    """What is about a revision, as it holds for it, with nothing left open."""
    return expanded(cases_of(cases, wanted), wanted)

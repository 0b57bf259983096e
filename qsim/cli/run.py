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
    cases_argument,
    cases_named,
    iothread_option,
    on_binary,
    qemu_option,
    reports,
    revision_option,
)
from qsim.cli.ends import NO_BINARY, WRONG, ends
from qsim.cli.format import format_option, here
from qsim.explore.ways import expanded
from qsim.outcome import Outcome, against_fixture, between
from qsim.quorum.revisions import DEFAULT, Revision, revision
from qsim.report import mail
from qsim.report.terminal import render, render_outcome, rerun_command, short_path
from qsim.scenario import Case
from qsim.select import cases_of
from qsim.target.model import run_model


@click.command("list", epilog=ends(WRONG, fine="they are named"))
@cases_argument(none="without any, all there are")
@reports
def list_cases(selectors: tuple[str, ...]) -> None:
    """Name the cases there are, and where each stands.

    \b
    Examples:
      qsim list
      qsim list fifo
      qsim list fixtures/2014

    A line each: the name that the other commands take, and FILE:LINE.
    """
    for case in cases_named(selectors):
        click.echo(f"{case.id:<60} {short_path(case.file)}:{case.line}")


@click.command(
    epilog=ends(
        "1  a run went wrong: a hang, say, or a schedule that is impossible",
        WRONG,
        NO_BINARY,
        fine="they were run, whatever came out",
    )
)
@cases_argument(scenarios=True, none="at least one")
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
    """Run cases and tell what happened.

    \b
    Examples:
      qsim run fifo/second-child-answers
      qsim run --revision v4 2014-fifo/neither-of-two-children-answers
      qsim run fixtures/fifo.yaml --qemu /usr/bin/qemu-system-x86_64
      qsim run 'children=3 threshold=2; child 1: read EIO; read 0 512'
      qsim run 'children=A,B pattern=fifo; c0: EIO x2; write -P 0x41 0 1k; read 0 512'
      qsim run -blockdev driver=quorum,children.0=c0,vote-threshold=1 'read 0 512'
      qsim run 'children=2; flush' --qemu /usr/bin/qemu-system-x86_64 --save flush.yaml

    On the model, or with --qemu on a binary.  What was expected is not looked at; 'qsim compare'
    does that.  A SCENARIO is statements with ';' between them: settings (children, threshold,
    pattern, rewrite, blkverify, size), what a child holds or how it fails, and what is done, as
    qemu-io has it.
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


@click.command(
    "compare",
    epilog=ends("1  something differs", WRONG, NO_BINARY, fine="nothing differs"),
)
@cases_argument(none="without any, all there are")
@revision_option
@qemu_option
@iothread_option
@reports
def compare_cases(
    selectors: tuple[str, ...], revision_name: str | None, qemu: str | None, iothread: bool
) -> None:
    """Compare fixture, model and binary; show where they part.

    \b
    Examples:
      qsim compare fifo/second-child-answers --qemu /usr/bin/qemu-system-x86_64
      qsim compare 'fixtures/fifo.yaml::second child answers'
      qsim compare fifo rewrite --revision 10.0

    Without --qemu: fixture and model alone.  Of what differs the two stories are shown side by
    side, the first difference marked, and the command that shows it again.  A case that is not
    about the revision is left out; the last line says how many were compared.
    """
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

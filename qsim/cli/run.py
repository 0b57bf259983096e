# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim list``, ``run`` and ``compare``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

import click

from qsim.cli.common import (
    cases_named,
    iothread_option,
    on_binary,
    qemu_option,
    reports,
    revision_option,
)
from qsim.explore.ways import expanded
from qsim.outcome import Outcome, against_fixture, between
from qsim.quorum.revisions import DEFAULT, Revision, revision
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
@click.argument("selectors", nargs=-1, required=True, metavar="CASE|FILE...")
@revision_option
@qemu_option
@iothread_option
@reports
def run(
    selectors: tuple[str, ...], revision_name: str | None, qemu: str | None, iothread: bool
) -> None:
    """Run cases and tell what happened: on the model, or on a binary with --qemu."""
    named = cases_named(selectors)
    if qemu is None:
        wanted = revision(revision_name or DEFAULT)
        cases = expanded(named, wanted)
        outcomes = [run_model(case, wanted) for case in cases]
    else:
        choose = partial(expanded, named)
        _, _, cases, outcomes = on_binary(qemu, choose, revision_name, iothread)
    trouble = False
    for case, outcome in zip(cases, outcomes, strict=True):
        click.echo(f"{case.id} ({short_path(case.file)}:{case.line})")
        click.echo(render_outcome(outcome))
        trouble = trouble or bool(outcome.trouble)
    sys.exit(1 if trouble else 0)


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

# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: ``qsim run``, ``compare``, ``list``, ``schema``.

Exit status: 0 all is as it should be; 1 there are differences; 2 the command line, a scenario or
the schema is wrong; 3 the binary cannot be used.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, wraps
from itertools import compress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from qsim import __version__
from qsim.data import fixtures_path
from qsim.explore.grid import grid, patterns_of
from qsim.explore.paths import Defect, defects_on, paths, shortest
from qsim.outcome import Outcome, against_fixture, between
from qsim.qapi import (
    QapiError,
    compare,
    default_explained_path,
    default_schema_path,
    load,
    read_explained,
    render_differences,
    split,
)
from qsim.quorum.revisions import DEFAULT, REVISIONS, Revision, nearest, rank, revision
from qsim.report.scenario import is_plain, scenario_text
from qsim.report.series import differing_steps, render_diff, render_series
from qsim.report.terminal import render, render_outcome, rerun_command, short_path
from qsim.scenario import Case, ScenarioError, load_paths
from qsim.select import case_of, holds
from qsim.series.diff import changes
from qsim.target.background import Background
from qsim.target.error import TargetError
from qsim.target.model import run_model
from qsim.target.pool import Pool


class RevisionName(click.ParamType[str]):
    """A revision, by its name or by its upstream commit."""

    name = "revision"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return revision(value).name
        except KeyError as error:
            self.fail(str(error.args[0]), param, ctx)


REVISION = RevisionName()

P = ParamSpec("P")
T = TypeVar("T")

REVISION_NAMES = [one.name for one in REVISIONS]


def _reports(command: Callable[P, T]) -> Callable[P, T]:
    """Errors a user can mend become one line and an exit status."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except (ScenarioError, QapiError) as error:
            click.echo(f"qsim: {error}", err=True)
            sys.exit(2)
        except OSError as error:
            click.echo(f"qsim: {error.filename}: {error.strerror}", err=True)
            sys.exit(2)
        except TargetError as error:
            click.echo(f"qsim: {error}", err=True)
            sys.exit(3)

    return wrapper


def _cases(selectors: Sequence[str]) -> list[Case]:
    """The cases that ``FILE``, ``FILE::NAME`` or ``FAMILY/NAME`` stand for; all for none.

    :raise click.UsageError: for one that stands for nothing.
    """
    if not selectors:
        return load_paths([fixtures_path()], REVISION_NAMES)
    found: list[Case] = []
    for selector in selectors:
        place, _, name = selector.partition("::")
        if Path(place).exists():
            cases = load_paths([Path(place)], REVISION_NAMES)
            chosen = [case for case in cases if name in ("", case.name)]
        else:
            cases = load_paths([fixtures_path()], REVISION_NAMES)
            chosen = [case for case in cases if selector in (case.id, case.family)]
        if not chosen:
            raise click.UsageError(
                f"{selector!r} is no file, no FILE::NAME and no case; see 'qsim list'"
            )
        found += chosen
    return found


_revision_option = click.option(
    "--revision",
    "revision_name",
    type=REVISION,
    help=f"The driver's revision. Default: by the binary's version, else {DEFAULT}.",
)
_qemu_option = click.option("--qemu", metavar="PATH", help="The qemu-system binary.")
_iothread_option = click.option(
    "--iothread", is_flag=True, help="On the binary: requests come through an IOThread."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qsim")
def main() -> None:
    """Run scenarios of QEMU's quorum driver on a model and on real binaries.

    \b
    Examples:
      qsim list
      qsim run fifo/second-child-answers
      qsim run fixtures/fifo.yaml --qemu /usr/bin/qemu-system-x86_64
      qsim compare 'fixtures/fifo.yaml::second child answers' --qemu ./qemu-system-x86_64
      qsim schema compare --qemu /usr/bin/qemu-system-x86_64
    """


@main.command("list")
@click.argument("selectors", nargs=-1, metavar="[CASE|FILE]...")
@_reports
def list_cases(selectors: tuple[str, ...]) -> None:
    """Name the cases there are, and where each stands."""
    for case in _cases(selectors):
        click.echo(f"{case.id:<60} {short_path(case.file)}:{case.line}")


@main.command()
@click.argument("selectors", nargs=-1, required=True, metavar="CASE|FILE...")
@_revision_option
@_qemu_option
@_iothread_option
@_reports
def run(
    selectors: tuple[str, ...], revision_name: str | None, qemu: str | None, iothread: bool
) -> None:
    """Run cases and tell what happened: on the model, or on a binary with --qemu."""
    cases = _cases(selectors)
    if qemu is None:
        wanted = revision(revision_name or DEFAULT)
        outcomes = [run_model(case, wanted) for case in cases]
    else:
        outcomes = _on_binary(qemu, cases, iothread)[1]
    trouble = False
    for case, outcome in zip(cases, outcomes, strict=True):
        click.echo(f"{case.id} ({short_path(case.file)}:{case.line})")
        click.echo(render_outcome(outcome))
        trouble = trouble or bool(outcome.trouble)
    sys.exit(1 if trouble else 0)


@main.command("compare")
@click.argument("selectors", nargs=-1, metavar="[CASE|FILE]...")
@_revision_option
@_qemu_option
@_iothread_option
@_reports
def compare_cases(
    selectors: tuple[str, ...], revision_name: str | None, qemu: str | None, iothread: bool
) -> None:
    """Compare fixture, model and (with --qemu) binary; show where they part."""
    everything = _cases(selectors)
    version, played = "", [None] * len(everything)
    if qemu:
        version, played = _on_binary(qemu, everything, iothread)
    wanted = _wanted(revision_name, version)
    about = [holds(case, wanted) for case in everything]
    cases = [case_of(case, wanted) for case in compress(everything, about)]
    real = list(compress(played, about))
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


def _wanted(name: str | None, version: str) -> Revision:
    if name:
        return revision(name)
    return nearest(version) if version else revision(DEFAULT)


def _on_binary(qemu: str, cases: Sequence[Case], iothread: bool) -> tuple[str, list[Any]]:
    """The binary's version, and the outcome of each case on it."""
    background = Background()
    try:
        pool = background.open(qemu, iothread=iothread)
        futures = [background.submit(partial(pool.run, case)) for case in cases]
        return pool.version, [future.result() for future in futures]
    finally:
        background.close()


@main.group(invoke_without_command=True)
@click.pass_context
def series(context: click.Context) -> None:
    """The patch series: its versions, the state after every patch, and what followed."""
    if context.invoked_subcommand is None:
        click.echo(render_series())


@series.command("diff")
@click.argument("left", type=REVISION, metavar="FROM")
@click.argument("right", type=REVISION, metavar="TO")
@click.argument("selectors", nargs=-1, metavar="[CASE|FILE]...")
@_reports
def series_diff(left: str, right: str, selectors: tuple[str, ...]) -> None:
    """Which scenarios come out differently from one revision to a later one, how, and why.

    Without CASE or FILE: the scenarios of 2014, or between two releases all others.
    """
    a, b = sorted((revision(left), revision(right)), key=lambda one: rank(one.name))
    cases = _cases(selectors)
    if not selectors:
        of_2014 = "callback" in (a.engine, b.engine)
        cases = [case for case in cases if _is_of_2014(case) == of_2014]
    steps = differing_steps(a.name, b.name)
    if steps:
        click.echo(f"{steps}\n")
    found = list(changes(cases, a, b))
    click.echo(render_diff(a, b, found, len(cases)))
    sys.exit(1 if any(not change.causes for change in found) else 0)


def _is_of_2014(case: Case) -> bool:
    return case.until is not None and revision(case.until).engine == "callback"


@main.command("explore")
@click.argument("selectors", nargs=-1, metavar="[CASE|FILE]...")
@click.option("--revision", "revision_name", type=REVISION, default=DEFAULT)
@click.option("--children", type=click.Choice(["2", "3"]), help="Only so many. Default: both.")
@click.option("--cancel/--no-cancel", default=True, help="Also cancel requests, at every point.")
@_reports
def explore_cases(
    selectors: tuple[str, ...], revision_name: str, children: str | None, cancel: bool
) -> None:
    """Look for memory and callback defects on every way a request can go.

    Every order in which children answer, every point at which to cancel.  Without CASE or FILE:
    every request on quorums of two and three children, each child answering or failing with one
    of three errnos.  Each defect comes with the shortest scenario that shows it; 1 if any.
    """
    wanted = revision(revision_name)
    if selectors:
        # Image files are not ours to answer for, so there is no order to choose.
        cases = [case for case in _cases(selectors) if len(case.steps) == 1 and not case.images]
    else:
        counts = (int(children),) if children else (2, 3)
        cases = grid(counts, patterns_of(wanted))
    ways = 0
    found: list[Defect] = []
    with click.progressbar(cases, label="exploring", file=sys.stderr) as bar:
        for case in bar:
            for path in paths(case, wanted, cancel):
                ways += 1
                found += defects_on(case, path)
    found = shortest(found)
    for number, defect in enumerate(found, 1):
        click.echo(f"# {number}. {defect.what}")
        if not is_plain(defect.case):
            words = ", ".join(defect.case.steps[0].complete)
            click.echo(f"{defect.case.id} with complete: [{words}]")
            click.echo(render_outcome(defect.outcome) + "\n")
            continue
        named = replace(defect.case, name=f"way {number}", source="an exploration")
        text = scenario_text(named, defect.outcome, f"explored {number}", defect.what, wanted.name)
        click.echo(f"{text}")
    click.echo(f"{len(cases)} cases, {ways} ways, {len(found)} defects (model {wanted.name})")
    sys.exit(1 if found else 0)


@main.group()
def schema() -> None:
    """The QAPI schema of what the driver and the scenarios touch."""


@schema.command("check")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@_reports
def schema_check(path: Path | None) -> None:
    """Read a schema file and say what is wrong in it."""
    loaded = load(path or default_schema_path())
    click.echo(f"{path or default_schema_path()}: {len(loaded.definitions)} definitions")


@schema.command("compare")
@click.option("--qemu", metavar="PATH", required=True, help="The qemu-system binary.")
@click.option("--schema", "path", type=click.Path(path_type=Path), help="Another schema file.")
@click.option("--verbose", "-v", is_flag=True, help="Show explained differences too.")
@_reports
def schema_compare(qemu: str, path: Path | None, verbose: bool) -> None:
    """Compare the schema with a binary's query-qmp-schema; 1 if anything is unexplained."""
    ours = load(path or default_schema_path())
    explanations = read_explained(default_explained_path())
    version, theirs = asyncio.run(_introspect(qemu))
    result = split(compare(ours, theirs), explanations)
    click.echo(render_differences(result, binary=f"QEMU {version}", verbose=verbose))
    sys.exit(1 if result.unexplained else 0)


async def _introspect(qemu: str) -> tuple[str, Any]:
    pool = Pool(qemu, jobs=1)
    try:
        await pool.start()
        return pool.version, await pool.ask("query-qmp-schema")
    finally:
        await pool.close()

# SPDX-License-Identifier: GPL-2.0-or-later
"""What all commands share: how cases and revisions are named, and how mistakes are answered."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
from click.shell_completion import CompletionItem

from qsim.cli.completion import complete_cases
from qsim.cluster.engine import ClusterError
from qsim.data import fixtures_path
from qsim.outcome import Outcome
from qsim.qapi import QapiError
from qsim.quorum.revisions import DEFAULT, REVISIONS, Revision, nearest, revision
from qsim.scenario import Case, ScenarioError, load_paths
from qsim.target.background import Background, result_of
from qsim.target.error import TargetError


class RevisionName(click.ParamType[str]):
    """A revision, by its name or by its upstream commit."""

    name = "revision"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return revision(value).name
        except KeyError as error:
            self.fail(str(error.args[0]), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        begun = [one for one in REVISIONS if one.name.startswith(incomplete)]
        return [CompletionItem(one.name, help=one.describes) for one in begun]


REVISION = RevisionName()

P = ParamSpec("P")
T = TypeVar("T")

REVISION_NAMES = [one.name for one in REVISIONS]


def reports(command: Callable[P, T]) -> Callable[P, T]:
    """Errors a user can mend become one line and an exit status."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except (ScenarioError, QapiError) as error:
            click.echo(f"qsim: {error}", err=True)
            sys.exit(2)
        except BrokenPipeError:
            # Whoever read has seen enough; click ends quietly then.
            raise
        except OSError as error:
            # One that writes to a file that is open names none.
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"qsim: {where}{error.strerror or error}", err=True)
            sys.exit(2)
        except (TargetError, ClusterError) as error:
            click.echo(f"qsim: {error}", err=True)
            sys.exit(3)
        except KeyboardInterrupt:
            # Click would end with 1, which says that there are differences.
            click.echo("qsim: interrupted", err=True)
            sys.exit(130)

    return wrapper


def cases_named(selectors: Sequence[str]) -> list[Case]:
    """The cases that ``FILE``, ``FILE::NAME`` or ``FAMILY/NAME`` stand for; all for none.

    :raise click.UsageError: for one that stands for nothing.
    """
    if not selectors:
        return load_paths([fixtures_path()], REVISION_NAMES)
    found: list[Case] = []
    for selector in selectors:
        place, _, name = selector.partition("::")
        if place and Path(place).exists():
            cases = load_paths([Path(place)], REVISION_NAMES)
            chosen = _named(cases, name)
        else:
            cases = load_paths([fixtures_path()], REVISION_NAMES)
            chosen = [case for case in cases if selector in _ids(case)]
            chosen = chosen or _way_of(cases, selector)
        if not chosen:
            raise click.UsageError(
                f"{selector!r} is no file, no FILE::NAME and no case; see 'qsim list'"
            )
        found += chosen
    return found


def _ids(case: Case) -> tuple[str, str, str]:
    """What a case goes by, its family with dashes or blanks."""
    return case.id, case.family, case.family.replace(" ", "-")


def _named(cases: Sequence[Case], name: str) -> list[Case]:
    """The case of that name, or all for none; of one that leaves something open also one way."""
    chosen = [case for case in cases if name in ("", case.name)]
    openly = name.partition(" by ")[0]
    return chosen or [
        replace(case, way=name) for case in cases if case.is_open and case.name == openly
    ]


def _way_of(cases: Sequence[Case], selector: str) -> list[Case]:
    """The same by ``FAMILY/NAME``, which is an id."""
    openly = selector.partition("-by-")[0]
    return [replace(case, way=selector) for case in cases if case.is_open and case.id == openly]


def cases_argument(
    *, none: str, scenarios: bool = False
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """The argument that names cases.

    :param scenarios: whether a case can also be written out.
    :param none: what it means to give none.
    """
    more = "|SCENARIO" if scenarios else ""
    written = ", or a scenario in one line" if scenarios else ""
    return click.argument(
        "selectors",
        nargs=-1,
        metavar=f"[CASE|FILE{more}]...",
        shell_complete=complete_cases,
        help=f"FAMILY/NAME, a whole FAMILY, a scenario file or folder, FILE::NAME{written}; "
        f"{none}.",
    )


revision_option = click.option(
    "--revision",
    "revision_name",
    type=REVISION,
    help=f"The driver's revision. Default: by the binary's version, else {DEFAULT}.",
)


def qemu_option_with(more: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """The option that names a binary, of a command that says more of it."""
    text = f"The binary: qemu-system-*, or qemu-storage-daemon.{more}"
    return click.option("--qemu", metavar="PATH", type=click.Path(), help=text)


qemu_option = qemu_option_with("")
iothread_option = click.option(
    "--iothread", is_flag=True, help="On the binary: requests come through an IOThread."
)


def where_to_work(command: Callable[..., T]) -> Callable[..., T]:
    """The options that spread a command's work."""
    command = click.option(
        "--scheduler",
        default="",
        metavar="ADDRESS",
        help="Work on the Dask cluster whose scheduler is at tcp://HOST:PORT.",
    )(command)
    return click.option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="Work in N processes of this machine (Dask).",
    )(command)


def look_at(qemu: str) -> None:
    """Start a binary, and see that it can be used later, before work is done that is lost else.

    :raise TargetError: when it cannot.
    """
    with closing(Background()) as background:
        background.open(qemu)


def on_binary(
    qemu: str, choose: Callable[[Revision], list[Case]], name: str | None, iothread: bool
) -> tuple[str, Revision, list[Case], list[Outcome]]:
    """The binary's version and revision, the cases chosen for it, and the outcome of each on it.

    :param name: the revision asked for; None for the one its version suggests.
    """
    background = Background()
    try:
        pool = background.open(qemu, iothread=iothread)
        wanted = revision(name) if name else nearest(pool.version)
        cases = choose(wanted)
        futures = [background.submit(partial(pool.run, case)) for case in cases]
        return pool.version, wanted, cases, [result_of(future) for future in futures]
    finally:
        background.close()

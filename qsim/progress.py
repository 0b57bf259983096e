# SPDX-License-Identifier: GPL-2.0-or-later
"""How far a long run has come: shown in a terminal, on standard error; a log has none of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

#: Told how much is done of all, and what else is known of it.
Tell = Callable[[int, str], None]


def is_shown() -> bool:
    """Whether somebody is looking.

    The stream is asked itself: FORCE_COLOR and its like are about colours, in a log too.
    """
    return sys.stderr.isatty()


def say(text: str) -> None:
    """Say something on standard error, above what is shown there.

    click.echo would write past what keeps the two apart.
    """
    print(text, file=sys.stderr)


@contextmanager
def progress(what: str, total: int, done: int = 0) -> Iterator[Tell]:
    """Show how much of ``total`` is done, and the time that is left; when it is over, nothing.

    :param done: what was done earlier; its time is not known.
    """
    if not is_shown():
        yield lambda done, more: None
        return
    # Who is only asked for completions, or writes to a log, need not wait for it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[more]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(file=sys.stderr)
    shown = Progress(*columns, console=console, transient=True, redirect_stdout=False)
    task = shown.add_task("", total=total, completed=done, more="")
    with shown:
        yield lambda done, more: shown.update(task, completed=done, more=more)


def counted(what: str, items: Iterable[T], total: int) -> Iterator[T]:
    """The items one by one, with progress."""
    with progress(what, total) as tell:
        for number, item in enumerate(items, 1):
            yield item
            tell(number, "")

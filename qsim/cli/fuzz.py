# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim fuzz``: scenarios nobody has thought of, on the model and on a binary."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import click

from qsim.cli.common import qemu_option, reports, revision_option, where_to_work
from qsim.cli.ends import NO_BINARY, WRONG, ends
from qsim.cluster.engine import Where, connected
from qsim.cluster.fuzz import fuzz_spread
from qsim.fuzz.campaign import Tally
from qsim.fuzz.known import Known, read_known, shipped_known
from qsim.fuzz.run import Plan, Result, fuzz
from qsim.fuzz.told import stories, summary
from qsim.progress import Tell, progress, say
from qsim.quorum.revisions import nearest, revision
from qsim.target.background import Background
from qsim.target.pool import Pool


@click.command(
    "fuzz",
    epilog=ends(
        "1  a difference is not known, or showed only once, or the model fails",
        WRONG,
        NO_BINARY,
        "130  it was interrupted; what it had by then is told, unshrunk",
        fine="no difference, or only known ones",
    ),
)
@qemu_option
@revision_option
@click.option(
    "--count",
    "-n",
    type=click.IntRange(min=1),
    metavar="N",
    default=1000,
    show_default=True,
    help="How many scenarios are played.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Which scenarios are generated; another seed gives others.",
)
@click.option(
    "--from-block",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Begin with this block of a hundred scenarios, to go on or to share the work.",
)
@click.option(
    "--known",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A file of known differences, to go on past them (default: those that come with qsim).",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("found"),
    show_default=True,
    help="Where the smallest scenarios that differ are written.",
)
@where_to_work
@reports
def fuzz_binary(
    qemu: str | None,
    revision_name: str | None,
    count: int,
    seed: int,
    from_block: int,
    known: Path | None,
    save: Path,
    workers: int | None,
    scheduler: str,
) -> None:
    """Generate scenarios, play each on the model and on a binary, and shrink what differs.

    \b
    Examples:
      qsim fuzz --qemu /usr/bin/qemu-system-x86_64 --seed 7
      qsim fuzz --qemu /usr/bin/qemu-system-x86_64 -n 100 --known qsim/fuzz/known.yaml
      qsim fuzz --qemu /usr/bin/qemu-system-x86_64 -n 100000 --seed 7 --workers 8

    The same seed gives the same scenarios on any machine.  A difference is shrunk to the smallest
    scenario that shows it, and saved as a fixture that expects what the binary shows.
    """
    if qemu is None:
        raise click.UsageError("--qemu: name the binary the model is compared with")
    plan = Plan(seed, count, from_block)
    entries = read_known(known) if known else shipped_known()
    where = Where(workers or 0, scheduler)
    with progress("fuzzing", plan.count) as tell:
        tick = _tick(tell)
        if where:
            with connected(where) as client:
                result = fuzz_spread(client, plan, qemu, revision_name, entries, tick)
        else:
            result = _fuzz(plan, qemu, revision_name, entries, tick)
    again = shlex.join(["qsim", "compare", str(save / "{}"), "--qemu", qemu])
    for story in stories(result, again):
        click.echo(f"{story}\n")
    for path in result.write(save) if result.smallest else ():
        click.echo(f"saved {path}")
    for line in summary(result, plan):
        click.echo(line)
    if result.stopped_in is not None:
        sys.exit(130)
    sys.exit(1 if result.tally.wrong else 0)


def _fuzz(
    plan: Plan,
    qemu: str,
    revision_name: str | None,
    known: list[Known],
    tick: Callable[[Tally], bool],
) -> Result:
    """Fuzz in this process."""
    background = Background()
    try:
        pool: Pool = background.open(qemu)
        wanted = revision(revision_name) if revision_name else nearest(pool.version)
        return fuzz(
            background,
            pool.run,
            wanted,
            plan,
            f"QEMU {pool.version} ({qemu})",
            known,
            tell=say,
            enough=tick,
        )
    finally:
        background.close()


def _tick(tell: Tell) -> Callable[[Tally], bool]:
    def tick(tally: Tally) -> bool:
        tell(tally.total, f"{tally.wrong} wrong" if tally.wrong else "")
        return False

    return tick

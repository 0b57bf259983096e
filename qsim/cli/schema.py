# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim schema``: the QAPI schema, and a binary's."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from qsim.cli.common import reports
from qsim.cli.ends import NO_BINARY, ends
from qsim.qapi import (
    compare,
    default_explained_path,
    default_schema_path,
    load,
    read_explained,
    render_differences,
    split,
)
from qsim.target.pool import Pool


@click.group()
def schema() -> None:
    """The QAPI schema of what the driver and the scenarios touch.

    \b
    Examples:
      qsim schema check
      qsim schema compare --qemu /usr/bin/qemu-system-x86_64

    It is schema/block-core.json.  Commands, events and scenario options are checked with it, and it
    is itself compared with what binaries say of theirs.
    """


@schema.command("check", epilog=ends("2  it is wrong; one line says where", fine="it is right"))
@click.argument(
    "path",
    type=click.Path(path_type=Path),
    required=False,
    help="The schema file; without one, the schema of qsim.",
)
@reports
def schema_check(path: Path | None) -> None:
    """Read a schema file and say what is wrong in it.

    \b
    Examples:
      qsim schema check
      qsim schema check schema/block-core.json

    Of a right one the definitions are counted.
    """
    loaded = load(path or default_schema_path())
    click.echo(f"{path or default_schema_path()}: {len(loaded.definitions)} definitions")


@schema.command(
    "compare",
    epilog=ends(
        "1  a difference is not explained",
        "2  the command line or a schema is wrong",
        NO_BINARY,
        fine="every difference is explained, or there is none",
    ),
)
@click.option(
    "--qemu",
    metavar="PATH",
    type=click.Path(),
    required=True,
    help="The binary: qemu-system-*, or qemu-storage-daemon.",
)
@click.option(
    "--schema",
    "path",
    type=click.Path(path_type=Path),
    help="The schema file to compare.  Default: the schema of qsim.",
)
@click.option("--verbose", "-v", is_flag=True, help="Show explained differences too.")
@reports
def schema_compare(qemu: str, path: Path | None, verbose: bool) -> None:
    """Compare the schema with what a binary answers to query-qmp-schema.

    \b
    Examples:
      qsim schema compare --qemu /usr/bin/qemu-system-x86_64
      qsim schema compare --qemu /usr/bin/qemu-system-x86_64 --verbose

    Differences that are meant to be, mostly members of other drivers that no scenario needs, stand
    with their reasons in schema/explained.yaml.
    """
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

# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim schema``: the QAPI schema, and a binary's."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from qsim.cli.common import reports
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
    """The QAPI schema of what the driver and the scenarios touch."""


@schema.command("check")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@reports
def schema_check(path: Path | None) -> None:
    """Read a schema file and say what is wrong in it."""
    loaded = load(path or default_schema_path())
    click.echo(f"{path or default_schema_path()}: {len(loaded.definitions)} definitions")


@schema.command("compare")
@click.option("--qemu", metavar="PATH", required=True, help="The qemu-system binary.")
@click.option("--schema", "path", type=click.Path(path_type=Path), help="Another schema file.")
@click.option("--verbose", "-v", is_flag=True, help="Show explained differences too.")
@reports
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

# SPDX-License-Identifier: GPL-2.0-or-later
"""The script section of a CI job, run on this machine as it stands: ``python -m tools.job FILE``.

Of a GitLab job the lines of ``script:``, of a GitHub workflow the last ``run:`` step; what only
prepares a machine (``before_script:``, earlier steps) is left out.  The job's variables are set,
those of the CI service with ``--set``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import yaml


def job_of(path: Path) -> tuple[str, dict[str, str]]:
    """The script of the only job in a file, and its variables.

    :raise ValueError: if it has none, or more than one.
    """
    raw: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    jobs = raw.get("jobs", raw)
    found = [
        job for job in jobs.values() if isinstance(job, dict) and {"script", "steps"} & set(job)
    ]
    if len(found) != 1:
        raise ValueError(f"{path}: one job is wanted, it has {len(found)}")
    (job,) = found
    if "script" in job:
        return "\n".join(job["script"]), job.get("variables", {})
    runs = [step["run"] for step in job["steps"] if "run" in step]
    return runs[-1], job.get("env", {})


def expanded(text: str, known: dict[str, str]) -> str:
    """A variable's value with the CI service's own in it, as the service puts them there."""
    text = re.sub(r"\$\{\{\s*([\w.]+)\s*\}\}", lambda found: known.get(found[1], ""), text)
    return re.sub(r"\$(\w+)", lambda found: known.get(found[1], ""), text)


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of CI.")
@click.option("--show", is_flag=True, help="Only print the script.")
def main(path: Path, settings: tuple[str, ...], show: bool) -> None:
    """Run the script section of the job in PATH in this folder; its exit status is the job's."""
    script, variables = job_of(path)
    if show:
        click.echo(script)
        return
    known = {name: value for name, _, value in (one.partition("=") for one in settings)}
    given = {name: expanded(str(value), known) for name, value in variables.items()}
    # What a project sets goes before what the job's file says.
    shell = {name: value for name, value in known.items() if name.isidentifier()}
    run = subprocess.run(["bash", "-e", "-c", script], env=os.environ | given | shell, check=False)
    sys.exit(run.returncode)


if __name__ == "__main__":
    main()

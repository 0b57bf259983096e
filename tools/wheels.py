# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder of wheels of qsim and all it needs, for machines without a package index.

``python -m tools.wheels`` here, and there ``pip install --no-index --find-links=wheels qsim``.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from pathlib import Path

import click
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent


def _pip(*words: str) -> None:
    """Run pip; what it says of a failure is enough."""
    done = subprocess.run([sys.executable, "-m", "pip", *words], check=False)
    if done.returncode:
        click.echo(
            f"wheels: pip {words[0]} ended with status {done.returncode}, see above; "
            "here a package index is needed",
            err=True,
        )
        sys.exit(1)


def requirements(wheel: Path, python: str) -> Iterator[Requirement]:
    """What a wheel needs on a Python of version ``python``."""
    environment = {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "extra": "",
    }
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        lines = message_from_bytes(archive.read(name)).get_all("Requires-Dist", [])
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement


def missing(folder: Path, python: str) -> list[str]:
    """What the wheels of a folder need and it does not have.

    pip download follows the markers of the Python that runs it, whatever --python-version says.
    """
    wheels = sorted(folder.glob("*.whl"))
    names = {parse_wheel_filename(wheel.name)[0] for wheel in wheels}
    wanted = [one for wheel in wheels for one in requirements(wheel, python)]
    lacking = [one for one in wanted if canonicalize_name(one.name) not in names]
    return sorted({f"{one.name}{one.specifier}" for one in lacking})


def _dotted(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Markers compare versions, so pip's short form ``313`` is not enough."""
    if value and not re.fullmatch(r"3\.\d+(\.\d+)?", value):
        raise click.BadParameter(f"{value!r} is not like 3.13", context, option)
    return value


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("wheels"),
    show_default=True,
    help="Where they go; wheels that are there already stay.",
)
@click.option(
    "--python-version",
    callback=_dotted,
    help="The other machine's Python, as 3.13.  Default: this one.",
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    help="The other machine's platform, as manylinux2014_x86_64.  Default: this one.",
)
def main(folder: Path, python_version: str | None, platforms: Sequence[str]) -> None:
    """Collect wheels of qsim and of all it needs at run time."""
    options = [f"--platform={one}" for one in platforms]
    options += [f"--python-version={python_version}"] if python_version else []
    python = python_version or platform.python_version()
    fetch = ["download", "--quiet", "--only-binary=:all:", f"--dest={folder}", *options]
    _pip("wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(ROOT))
    own = max(folder.glob("qsim-*.whl"), key=lambda wheel: wheel.stat().st_mtime)
    _pip(*fetch, str(own))
    while lacking := missing(folder, python):
        _pip(*fetch, *lacking)
    click.echo(f"{len(list(folder.glob('*.whl')))} wheels for Python {python} in {folder}:")
    for wheel in sorted(folder.glob("*.whl")):
        click.echo(f"  {wheel.name}")


if __name__ == "__main__":
    main()

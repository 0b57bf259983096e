# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite beside QEMU's own tests of the driver (``python -m bench.iotests --tree BUILD``).

Both are run one after the other on the same binary; what counts is the ratio of their times.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import click

#: The image formats the tests are for; each test skips those it is not for.
FORMATS = ("raw", "qcow2")
#: How check(1) tells the end of a test and its time, in seconds.
ENDED = re.compile(r"(\S+)\s+(pass|fail)\s+\[\S+\] \[\S+\]\s+([\d.]+)s")


def tests_of(check: Path) -> list[str]:
    """The tests in a source tree that use the driver."""
    folder = check.resolve().parent
    named = [*folder.glob("[0-9][0-9][0-9]"), *folder.glob("tests/*")]
    return sorted(
        str(path.relative_to(folder))
        for path in named
        if path.is_file()
        and path.suffix != ".out"
        and "quorum" in path.read_text("utf-8", "replace")
    )


def run_check(check: Path, qemu: Path, fmt: str, tests: list[str]) -> dict[str, tuple[str, float]]:
    """Each test that ran: how it ended and its seconds."""
    done = subprocess.run(
        [str(check), f"-{fmt}", *tests],
        cwd=check.parent,
        env={**os.environ, "QEMU_PROG": str(qemu)},
        text=True,
        errors="replace",
        capture_output=True,
        check=False,
    )
    return {name: (end, float(took)) for name, end, took in ENDED.findall(done.stdout)}


def run_suite(qemu: Path) -> tuple[float, bool]:
    """Seconds of the suite, its start and its end included, and whether all agreed."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--pyargs", "qsim.conformance", f"--qemu={qemu}"],
        capture_output=True,
        check=False,
    )
    return time.perf_counter() - began, done.returncode == 0


@click.command()
@click.option(
    "--tree",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A build of QEMU, with tests/qemu-iotests/check in it.",
)
@click.option(
    "--qemu",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Another binary than the build's (a wrapper that knows where firmware is, say).",
)
def main(tree: Path, qemu: Path | None) -> None:
    """Time both, and print the ratio; 1 if a test of either fails."""
    check = tree.absolute() / "tests" / "qemu-iotests" / "check"
    if not check.exists():
        raise click.UsageError(f"--tree: there is no {check}; name a build of QEMU")
    binary = (qemu or tree / "qemu-system-x86_64").absolute()
    tests = tests_of(check)
    ran: dict[str, tuple[str, float]] = {}
    for fmt in FORMATS:
        ran |= {
            f"{name} ({fmt})": one for name, one in run_check(check, binary, fmt, tests).items()
        }
    if not ran:
        raise click.UsageError(f"--tree: none of {', '.join(tests)} ran; try {check} by hand")
    for name, (end, took) in ran.items():
        click.echo(f"{name:<14} {end}  {took:5.1f} s")
    theirs = sum(took for _, took in ran.values())
    ours, fine = run_suite(binary)
    click.echo(f"qemu-iotests with quorum in them: {theirs:.1f} s")
    click.echo(f"the suite: {ours:.1f} s{'' if fine else ', and not all agrees'}")
    click.echo(f"suite / qemu-iotests: {ours / theirs:.2f}")
    sys.exit(0 if fine and all(end == "pass" for end, _ in ran.values()) else 1)


if __name__ == "__main__":
    main()

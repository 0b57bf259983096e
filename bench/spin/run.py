# SPDX-License-Identifier: GPL-2.0-or-later
"""Verify ``read.pml`` with SPIN; what it cost, and every outcome that can be reached.

The world is small: each child answers with A or B, or fails with EIO or ENOSPC, in any order.
SPIN checks the assertions of the model and that no run gets stuck, and on the way the model writes
down each outcome it comes to.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).with_name("read.pml")

#: One way a read of 512 bytes at 0 of node ``q`` over ``c0``, ``c1``, ... can end, as text:
#: how each child answers (``"A,B,EIO,A,A"``), ``ret`` (``"0"``, ``"EIO"``, ``"ENOSPC"``), what was
#: read (``"A"``, ``"B"``, or ``"none"`` when it failed), and its events, sorted, each as
#: ``str(event)`` of qsim gives it (``"QUORUM_REPORT_BAD read c2 0 1 EIO"``).
Outcome = tuple[str, str, str, tuple[str, ...]]


class SpinError(Exception):
    """A tool is missing or failed, the model is violated, or the search was not complete."""


@dataclass(frozen=True)
class SpinRun:
    """One exhaustive verification without a violation.

    ``states`` are those stored, ``matched`` the arrivals at one that was stored already,
    ``transitions`` the sum of both.  States inside an atomic step are in none of them.
    ``seconds`` is how long the verifier ran, compilation not included; ``memory_mib`` is its
    memory, 8.5 MiB of which are tables whose size is fixed.
    """

    states: int
    matched: int
    transitions: int
    seconds: float
    outcomes: frozenset[Outcome]
    memory_mib: float


def verify(children: int, threshold: int, fifo: bool, reduced: bool = True) -> SpinRun:
    """Try every answer of every child in every order.

    :param threshold: FIFO does not look at it.
    :param reduced: with SPIN's partial-order reduction.
    :raise SpinError: when a property does not hold, or there was no complete search.
    :raise ValueError: for a quorum that cannot be opened.
    """
    if children < 1 or not (fifo or 1 <= threshold <= children):
        raise ValueError(f"there is no threshold {threshold} with {children} children")
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            raise SpinError(f"{tool} is not installed: apt-get install {tool}")
    parameters = [f"-DCHILDREN={children}", f"-DTHRESHOLD={threshold}", f"-DFIFO={int(fifo)}"]
    # Without -DXUSAFE the verifier checks what the model claims about its channels.
    flags = ["-O2", "-w", "-DSAFETY", *([] if reduced else ["-DNOREDUCE"])]
    with tempfile.TemporaryDirectory(prefix="qsim-spin-") as folder:
        _run(["spin", "-a", *parameters, str(MODEL)], folder)
        _run(["gcc", *flags, "-o", "pan", "pan.c"], folder)
        began = time.perf_counter()
        said = _run(["./pan", "-n", "-w20"], folder)
        seconds = time.perf_counter() - began
        _check(said)
        outcomes = _outcomes(Path(folder, "OUTCOMES"))
    return SpinRun(
        states=int(_number(said, "states, stored")),
        matched=int(_number(said, "states, matched")),
        transitions=int(_number(said, "transitions")),
        seconds=seconds,
        outcomes=outcomes,
        memory_mib=_number(said, "total actual memory usage"),
    )


def _run(command: Sequence[str], folder: str) -> str:
    """What a tool printed.

    :raise SpinError: when it failed.
    """
    ended = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise SpinError(f"{' '.join(command)}: status {ended.returncode}\n{ended.stdout}")
    return ended.stdout


def _check(said: str) -> None:
    """The verifier's exit status says nothing about violations, its text does.

    :raise SpinError: unless there was none, in a complete search.
    """
    if "errors: 0\n" not in said:
        violated = re.search(r"^pan:\d+: (.*)$", said, re.MULTILINE)
        raise SpinError(f"{MODEL.name}: {violated[1] if violated else said}")
    for incomplete in ("Search not completed", "max search depth too small"):
        if incomplete in said:
            raise SpinError(f"{MODEL.name}: {incomplete}\n{said}")


def _number(said: str, what: str) -> float:
    found = re.search(rf"^\s*([\d.e+]+)\s+{re.escape(what)}", said, re.MULTILINE)
    if found is None:
        raise SpinError(f"the verifier does not say {what!r}:\n{said}")
    return float(found[1])


def _outcomes(file: Path) -> frozenset[Outcome]:
    """The outcomes in a file of the model; each is there as often as its states were reached."""
    found: set[Outcome] = set()
    for line in file.read_text("ascii").splitlines():
        inputs, ret, data, *events = line.split("\t")
        found.add((inputs, ret, data, tuple(sorted(events))))
    return frozenset(found)

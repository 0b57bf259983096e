# SPDX-License-Identifier: GPL-2.0-or-later
"""A session that is killed in the middle leaves no QEMU and no file, however it was killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qsim.data import data_path

Qemus = Callable[[], dict[int, str]]
Eventually = Callable[[Callable[[], bool], float], bool]
Start = Callable[..., subprocess.Popen[str]]

#: Bounds in seconds: for QEMUs to be there, and for everything to be gone (expected: below one).
START_S = 60
GONE_S = 10
#: Several processes, none of which has much to do but to wait for QEMU's event limiter.
BUSY = ["read-errors", "fifo"]

#: pytest without Python's garbage collection: a finalizer that runs while pytest parses a source
#: to show where it was interrupted makes CPython 3.11 fail (SystemError, "AST constructor").
#: Whoever runs us in the background of a shell may have SIGINT ignored: not here.
PYTEST = (
    "import gc, signal, sys, pytest; gc.disable(); "
    "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(pytest.main())"
)


@pytest.fixture
def session(suite: Path, tmp_path: Path) -> Start:
    """Start ``pytest conformance`` in a session of its own."""

    def start(binary: str, *families: str) -> subprocess.Popen[str]:
        scenarios = [f"--scenarios={data_path('fixtures') / family}.yaml" for family in families]
        return subprocess.Popen(
            [sys.executable, "-c", PYTEST, "-p", "no:cacheprovider", "-q", str(suite)]
            + [f"--qemu={binary}", "--jobs=3", "--repeat=20", *scenarios],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            cwd=tmp_path,
        )

    return start


def _said(running: subprocess.Popen[str]) -> str:
    """What a session that has not come to anything has to say."""
    status = running.poll()
    running.kill()
    return f"status {status}: {running.communicate()[0]}"


@pytest.fixture
def wrapper(qemu: str, tmp_path: Path) -> str:
    """A script around QEMU that does not become QEMU."""
    path = tmp_path / "wrapper"
    path.write_text(f'#!/bin/sh\n"{qemu}" "$@"\nexit $?\n', "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_session_takes_every_qemu_and_the_folder_with_it(
    session: Start,
    wrapper: str,
    qemus: Qemus,
    tmpdir_here: Path,
    eventually: Eventually,
    number: signal.Signals,
) -> None:
    running = session(wrapper, *BUSY)
    try:
        # Each is two: the script and its QEMU.
        assert eventually(lambda: len(qemus()) >= 4, START_S)
        running.send_signal(number)
        assert running.wait(GONE_S) == -number
        gone = eventually(lambda: not qemus() and not os.listdir(tmpdir_here), GONE_S)
        left = qemus()
    finally:
        running.kill()
        running.communicate()
        for pid in qemus():
            os.kill(pid, signal.SIGKILL)
    assert gone, left


@pytest.mark.parametrize(
    ("families", "sign"), [(BUSY, "qmp-1.sock"), (["drive"], "-drive")], ids=["pool", "drives"]
)
def test_interrupted_session_says_so_and_has_nothing_left_when_it_ends(
    session: Start,
    qemu: str,
    qemus: Qemus,
    tmpdir_here: Path,
    processes_naming: Callable[[str], list[int]],
    eventually: Eventually,
    families: list[str],
    sign: str,
) -> None:
    running = session(qemu, *families)

    try:
        begun = eventually(lambda: any(sign in line for line in qemus().values()), START_S)
        assert begun, _said(running)
        running.send_signal(signal.SIGINT)
        printed, _ = running.communicate(timeout=START_S)
        assert running.returncode == pytest.ExitCode.INTERRUPTED == 2
        assert "KeyboardInterrupt" in printed
        assert "Traceback" not in printed
        assert qemus() == {}
        assert os.listdir(tmpdir_here) == []
        assert processes_naming(str(tmpdir_here)) == []
    finally:
        running.kill()
        running.communicate()

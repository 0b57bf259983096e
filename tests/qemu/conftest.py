# SPDX-License-Identifier: GPL-2.0-or-later
"""The real QEMU these tests need.  No ``__init__.py`` here: the name ``qemu`` is qemu.qmp's."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

DEFAULT = "/usr/bin/qemu-system-x86_64"


def _find_qemu(environ: Mapping[str, str]) -> str:
    """``QSIM_QEMU``, or where distributions put it; in CI its absence is a failure."""
    named = environ.get("QSIM_QEMU")
    path = named or DEFAULT
    if os.access(path, os.X_OK):
        return path
    if named or environ.get("CI"):
        pytest.fail(f"no QEMU at {path}: set QSIM_QEMU, or install qemu-system-x86 and qemu-utils")
    pytest.skip(f"NOTHING WAS TESTED ON A REAL QEMU: none at {path}; set QSIM_QEMU")


@pytest.fixture(scope="session")
def find_qemu() -> Callable[[Mapping[str, str]], str]:
    """How the binary is found, for its own test."""
    return _find_qemu


@pytest.fixture(scope="session")
def qemu() -> str:
    """The binary.  Skips loudly when there is none, fails in CI or when it was named."""
    return _find_qemu(os.environ)


@pytest.fixture
def qemus(
    tmpdir_here: Path, processes_naming: Callable[[str], list[int]]
) -> Callable[[], dict[int, str]]:
    """Ask which QEMUs run whose sockets are in this test's temporary folder, and how called."""

    def running() -> dict[int, str]:
        found = {}
        for pid in processes_naming(str(tmpdir_here)):
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            words = line.decode(errors="replace").split("\0")
            if "-chardev" in words:
                found[pid] = " ".join(words)
        return found

    return running

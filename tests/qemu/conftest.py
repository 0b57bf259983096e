# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests on a real QEMU share.  No ``__init__.py`` here: the name ``qemu`` is qemu.qmp's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


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

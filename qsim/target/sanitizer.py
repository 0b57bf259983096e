# SPDX-License-Identifier: GPL-2.0-or-later
"""Binaries built with sanitizers: how they are started, and how one is known.

What a sanitizer reports is read in :mod:`qsim.target.postmortem`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

#: AddressSanitizer reserves its shadow of the address space: terabytes that no other build maps.
SHADOW_BYTES = 1 << 40
PAGE_BYTES = 4096


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables for a process; what ``environ`` says of them has the last word.

    What is still allocated when a process ends in the middle of its work (blkverify does that) is
    no leak; leaks are looked for otherwise (:mod:`qsim.leak`).
    """
    options = ["detect_leaks=0", environ.get("ASAN_OPTIONS", "")]
    return {"ASAN_OPTIONS": ":".join(filter(None, options))}


def has_asan(pid: int) -> bool:
    """Whether a process that runs was built with AddressSanitizer (proc(5))."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[0])
    return pages * PAGE_BYTES > SHADOW_BYTES

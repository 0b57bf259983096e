# SPDX-License-Identifier: GPL-2.0-or-later
"""What is left to learn of a process that died, hangs, or has printed what it should not."""

from __future__ import annotations

import asyncio
import re
import shutil

from qsim.target.spawn import end, spawn

#: How much of what it printed last is told, in lines.
LAST_LINES = 20
#: How long a debugger may take to look at a process that hangs, in seconds.
STACKS_S = 15.0
#: How deep the stacks are told, in frames.
FRAMES = 16
#: How much of the stacks is told: the main thread is the first.
MOST_LINES = 40
WIDTH = 160

_REPORT = re.compile(
    r"^.*(?:ERROR: (?:Address|Leak|Thread|Memory)Sanitizer|runtime error: |==\d+==ERROR: ).*$",
    re.MULTILINE,
)


def last_words(stderr: str) -> str:
    """The last lines a process printed."""
    lines = stderr.splitlines()
    if len(lines) <= LAST_LINES:
        return stderr
    return "\n".join([f"({len(lines) - LAST_LINES} lines before)", *lines[-LAST_LINES:]])


def sanitizer_report(stderr: str) -> str:
    """What a sanitizer has printed, "" when none has."""
    found = _REPORT.search(stderr)
    return stderr[found.start() :].strip() if found else ""


async def stacks(pid: int) -> str:
    """The stacks of all threads of a process, as far as gdb is there and may look; else ""."""
    gdb = shutil.which("gdb")
    if gdb is None:
        return ""
    try:
        process = await spawn(
            gdb,
            *("-p", str(pid), "-batch", "-nx"),
            *("-iex", "set debuginfod enabled off"),
            *("-ex", f"thread apply all -ascending backtrace {FRAMES}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    said = b""
    try:
        async with asyncio.timeout(STACKS_S):
            said, _ = await process.communicate()
    except TimeoutError:
        return ""
    finally:
        await end(process)
    lines = said.decode(errors="replace").splitlines()
    telling = [line[:WIDTH] for line in lines if line.startswith(("Thread ", "#"))]
    return "\n".join(telling[:MOST_LINES])

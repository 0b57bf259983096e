# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting programs that must not outlive us."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import signal
from functools import partial
from typing import Any

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
TRIES = 5


def _die_with_parent(parent: int) -> None:
    """Between fork and exec: the kernel kills the program when the thread that started it ends.

    :param parent: our process; when it has ended before the kernel was told, so does the program.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


async def spawn(program: str, *arguments: str, **options: Any) -> asyncio.subprocess.Process:
    """asyncio.create_subprocess_exec() in a session of its own, killed when we are.

    An execve() that fails with EFAULT is tried again: seen about once in a thousand starts under
    load (Linux 6.18, vfork beside other threads), with a path that is there and the next call
    succeeding.  The program was not started then, so nothing is done twice.

    :raise OSError: when it cannot be started.
    """
    for attempt in range(TRIES):
        try:
            return await asyncio.create_subprocess_exec(
                program,
                *arguments,
                start_new_session=True,
                preexec_fn=partial(_die_with_parent, os.getpid()),
                **options,
            )
        except OSError as error:
            if error.errno != errno.EFAULT or attempt == TRIES - 1:
                raise
            await asyncio.sleep(0.01 * (attempt + 1))
    raise AssertionError("unreachable")


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill what :func:`spawn` has started, with all that it has started, and wait for it.

    All of the group: whoever holds the other end of a pipe keeps it open.
    """
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    await process.wait()

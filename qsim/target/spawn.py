# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting programs, where a kernel is sometimes not able to at once."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

TRIES = 5


async def spawn(program: str, *arguments: str, **options: Any) -> asyncio.subprocess.Process:
    """asyncio.create_subprocess_exec(), again when execve() fails with EFAULT.

    Seen about once in a thousand starts under load on a sandboxed kernel: the path is readable, the
    same call succeeds the next time.  The program was not started, so nothing is done twice.

    :raise OSError: for any other reason, or when it does not end.
    """
    for attempt in range(TRIES):
        try:
            return await asyncio.create_subprocess_exec(program, *arguments, **options)
        except OSError as error:
            if error.errno != errno.EFAULT or attempt == TRIES - 1:
                raise
            await asyncio.sleep(0.01 * (attempt + 1))
    raise AssertionError("unreachable")

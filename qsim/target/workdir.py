# SPDX-License-Identifier: GPL-2.0-or-later
"""A private folder for sockets and logs, and a reaper for when this process is killed.

The reaper is a shell that waits on a pipe.  When the pipe closes, because this process ended in
whatever way, SIGKILL included, it kills the process groups it was told of, and what names the
folder in its arguments, and removes the folder.  It makes the folder too: whoever else made it
could be killed before there is a reaper.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from qsim.target.error import TargetError

#: The longest path a unix socket can have (sun_path without its terminating zero), in bytes.
MAX_SOCKET_PATH = 107
_LONGEST_NAME = "qmp-9999.sock"

_REAPER = r"""
trap '' INT TERM HUP QUIT PIPE
mkdir -m 700 -- "$1" || exit
echo made
exec >/dev/null 2>&1
groups=" "
while read -r sign group; do
    case $sign in
        +) groups="$groups$group " ;;
        # Only one that is there: taking out another would put the whole list in twice.
        -) case $groups in
            *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;;
        esac ;;
    esac
done
for group in $groups; do kill -9 "-$group" 2>/dev/null; done
# What was being started just then was not told of yet, but has the folder in its arguments.
for pass in 1 2 3; do
    for proc in /proc/[0-9]*; do
        if grep -qaF -- "$1/" "$proc/cmdline" 2>/dev/null; then
            kill -9 "${proc#/proc/}" 2>/dev/null
        fi
    done
    [ "$pass" = 3 ] || sleep 0.1
done
rm -rf -- "$1"
"""


class WorkDir:
    """The folder, mode 0700, gone after :meth:`close` or when this process has died."""

    def __init__(self) -> None:
        """:raise TargetError: when it cannot be made, or its path is too long for a socket."""
        try:
            place = Path(tempfile.gettempdir())
        except OSError as error:
            raise _cannot_be_made(str(error)) from error
        self.path = place / f"qsim-{secrets.token_hex(4)}"
        longest = len(os.fsencode(self.path / _LONGEST_NAME))
        if longest > MAX_SOCKET_PATH:
            raise TargetError(
                f"the temporary folder {self.path} makes socket paths of {longest} bytes, a unix "
                f"socket takes {MAX_SOCKET_PATH}; set TMPDIR to a shorter one"
            )
        self._reaper = subprocess.Popen(
            ["/bin/sh", "-c", _REAPER, "qsim-reaper", str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        assert self._reaper.stdout is not None
        with self._reaper.stdout as said:
            answer = said.read().strip()
        if answer != "made":
            self.close()
            raise _cannot_be_made(answer)

    def started(self, group: int) -> None:
        """A process group the reaper must not let survive us."""
        self._tell(f"+ {group}\n")

    def ended(self, group: int) -> None:
        """The group is gone; its number may be somebody else's from now on."""
        self._tell(f"- {group}\n")

    def _tell(self, line: str) -> None:
        pipe: IO[str] | None = self._reaper.stdin
        assert pipe is not None
        # Whoever ends after the folder was closed has nothing to tell any more.
        if not pipe.closed:
            pipe.write(line)
            pipe.flush()

    def close(self) -> None:
        """Remove the folder and let the reaper end."""
        assert self._reaper.stdin is not None
        self._reaper.stdin.close()
        self._reaper.wait()
        shutil.rmtree(self.path, ignore_errors=True)


def _cannot_be_made(why: str) -> TargetError:
    return TargetError(f"cannot make a temporary folder: {why}; set TMPDIR to one you can write")

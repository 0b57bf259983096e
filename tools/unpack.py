# SPDX-License-Identifier: GPL-2.0-or-later
"""Unpack releases of QEMU side by side, without installing anything.

The folder then has ``trees/SUITE`` and ``bin/VERSION/PROGRAM``.  A tree gets its name when it is
whole, so that one of this name can be used, whatever has happened to the call that made it.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.catalogue import PACKAGES, Release
from tools.error import ToolError
from tools.tree import version, write_wrappers

#: A tree takes so much.
SIZE = "200 MB"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Unpacked:
    """A release that is there.

    :param version: what it really is, as major.minor.micro.
    :param bin: the folder of its wrappers.
    """

    release: Release
    version: str
    bin: Path


def default_folder() -> Path:
    """Where releases go: a cache, since what is there can be had again."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "qsim" / "releases"


def check_machine() -> None:
    """Whether programs for x86-64 Linux run here.

    :raise ToolError: when they do not.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise ToolError(
            "these releases are unpacked for Linux on x86_64, and this machine is "
            f"{platform.system()} on {platform.machine()}; "
            "point the suite at a QEMU of this machine: pytest conformance --qemu=PATH"
        )


def unpack(release: Release, folder: Path, say: Say) -> Unpacked:
    """Have a release in ``folder``: unpacked now, or before.

    :param say: is told what takes its time.
    :raise ToolError: when it cannot be had.
    """
    folder = folder.absolute()
    if ":" in str(folder):
        raise ToolError(f"{folder}: the loader takes no path with a colon; name another folder")
    tree = folder / "trees" / release.suite
    try:
        if not tree.is_dir():
            _unpack_alone(release, tree, say)
        full = version(tree)
        name = full.rpartition(".")[0]
        if name != release.name:
            say(f"{release.suite} has QEMU {full}, not {release.name}: see tools/catalogue.py")
        write_wrappers(tree, folder / "bin" / name)
    except OSError as error:
        raise ToolError(
            f"{error.filename or folder}: {error.strerror}; name another folder with --folder"
        ) from error
    return Unpacked(release, full, folder / "bin" / name)


def _unpack_alone(release: Release, tree: Path, say: Say) -> None:
    """Unpack a tree, unless another call does so at this moment: then wait for that."""
    tree.parent.mkdir(parents=True, exist_ok=True)
    with _lock(tree.parent / f"{release.suite}.lock", say) as lock:
        if tree.is_dir():
            return
        if shutil.which("mmdebstrap") is None:
            raise ToolError(
                "mmdebstrap is needed to unpack a release; as root: apt-get install mmdebstrap"
            )
        say(f"unpacking QEMU {release.name} (Debian {release.suite}) to {tree}")
        part = tree.parent / f"{release.suite}.part"
        _remove(part)
        _mmdebstrap(release, part, tree.parent / f"{release.suite}.log", lock)
        part.rename(tree)


@contextmanager
def _lock(path: Path, say: Say) -> Iterator[int]:
    """Hold a lock that is gone when all who hold it are, in whatever way."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another call that holds {path}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _remove(tree: Path) -> None:
    """Remove what a call that was interrupted has left; never what may be mounted in it."""
    words = ["rm", "-rf", "--one-file-system", str(tree)]
    if subprocess.run(words, check=False).returncode:
        raise ToolError(f"an interrupted call has left {tree}: remove it, and call this again")


def command(release: Release, tree: Path) -> list[str]:
    """What unpacks a release.  No mirror is named: mmdebstrap knows Debian's own.

    Packages are only extracted, none of their scripts is run.  So a user who is not root needs
    no namespaces either: the mode without a chroot will do, and the files are that user's own.
    """
    mode = "root" if os.geteuid() == 0 else "chrootless"
    return [
        *("mmdebstrap", "--variant=extract", f"--mode={mode}", "--format=directory"),
        f"--include={','.join(PACKAGES)}",
        *(f"--aptopt={option}" for option in release.aptopts),
        *(release.suite, str(tree)),
    ]


def _mmdebstrap(release: Release, tree: Path, log: Path, lock: int) -> None:
    words = command(release, tree)
    with log.open("w", encoding="utf-8") as file:
        # It keeps the lock too: when we are killed and it is not, it still writes to the tree.
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, pass_fds=[lock], check=False
        )
    if done.returncode:
        raise ToolError(
            f"mmdebstrap ended with status {done.returncode}: {_errors(log)}\n"
            f"  all it said: {log}\n"
            f"  it needs a mirror of Debian that can be reached and {SIZE} in {tree.parent}\n"
            f"  by hand: {shlex.join([*words[:-1], '/tmp/try'])}"
        )


def _errors(log: Path) -> str:
    """What mmdebstrap and apt call errors, else the last they said."""
    lines = log.read_text("utf-8", "replace").splitlines()
    return "; ".join([line for line in lines if line.startswith("E: ")] or lines[-1:])

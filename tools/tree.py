# SPDX-License-Identifier: GPL-2.0-or-later
"""An unpacked release: how its programs run outside a chroot, with its own loader and libraries."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tools.catalogue import IMG, PROGRAMS
from tools.error import ToolError

#: Where a tree may have its dynamic loader.
LOADERS = tuple(
    f"{folder}/ld-linux-x86-64.so.2"
    for folder in ("lib64", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib64")
)
#: Where a tree may have libraries.
LIBRARIES = (
    "usr/lib/x86_64-linux-gnu",
    "lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu/pulseaudio",
)
#: Where QEMU has its modules; it would look beside the loader, which is the running program.
MODULES = "usr/lib/x86_64-linux-gnu/qemu"
#: Longer chains of symbolic links than the kernel follows are loops.
MOST_LINKS = 40


def inside(tree: Path, name: str) -> Path:
    """Where ``name`` leads when the tree is the root: an absolute link does not lead out."""
    path = tree / name
    for _ in range(MOST_LINKS):
        if not path.is_symlink():
            break
        target = path.readlink()
        path = tree / target.relative_to("/") if target.is_absolute() else path.parent / target
    return path


def loader(tree: Path) -> Path:
    """The dynamic loader of a tree.

    :raise ToolError: when it has none.
    """
    for name in LOADERS:
        found = inside(tree, name)
        if found.is_file():
            return found
    raise ToolError(f"{tree} has no dynamic loader; remove it, and call this again")


def command(tree: Path, program: str) -> list[str]:
    """What runs a program of a tree: its loader, which is then the process that is QEMU.

    :raise ToolError: when it cannot be run.
    """
    path = inside(tree, f"usr/bin/{program}")
    if not path.is_file():
        raise ToolError(f"{tree} has no {program}; remove it, and call this again")
    folders = ":".join(str(tree / name) for name in LIBRARIES if (tree / name).is_dir())
    # The cache is this system's: a library that lacks in the tree is not to come from there.
    return [str(loader(tree)), "--inhibit-cache", "--library-path", folders, str(path)]


def version(tree: Path) -> str:
    """The version of QEMU in a tree, as major.minor.micro; also the proof that it runs here.

    :raise ToolError: when it does not.
    """
    asked = subprocess.run(
        [*command(tree, IMG), "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"version (\d+\.\d+\.\d+)", asked.stdout)
    if asked.returncode or not found:
        said = " ".join((asked.stderr or asked.stdout).split()) or f"status {asked.returncode}"
        raise ToolError(
            f"{IMG} of {tree} does not run here: {said}; remove it, and call this again"
        )
    return found[1]


def wrapper(tree: Path, program: str) -> str:
    """A script that becomes a program of the tree."""
    return (
        "#!/bin/sh\n"
        f"# {program} with the loader, libraries and modules of its own release.\n"
        f"export QEMU_MODULE_DIR={shlex.quote(str(tree / MODULES))}\n"
        f'exec {shlex.join(command(tree, program))} "$@"\n'
    )


def write_wrappers(tree: Path, folder: Path, programs: Iterable[str] = PROGRAMS) -> None:
    """Put a script for each program into ``folder``; what is right already is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for program in programs:
        text = wrapper(tree, program)
        path = folder / program
        if not path.exists() or path.read_text("utf-8") != text:
            _replace(path, text)


def _replace(path: Path, text: str) -> None:
    """Write an executable file at once: who runs the old one meanwhile is not disturbed."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
    fresh = Path(name)
    fresh.chmod(0o755)
    fresh.replace(path)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Real qcow2 images for ``-drive`` scenarios: made and read back with qemu-img, damaged by hand."""

from __future__ import annotations

import asyncio
import shutil
import struct
from pathlib import Path

from qsim.block.sparse import Sparse
from qsim.scenario.case import ChildSpec
from qsim.target.error import TargetError
from qsim.target.spawn import spawn

#: Where the qcow2 header has the L1 table's size and offset (docs/interop/qcow2.txt, "Header").
_L1 = struct.Struct(">IQ")
_L1_AT = 36
_ENTRY = struct.Struct(">Q")
_L1_OFFSET = 0x00FFFFFFFFFFFE00
#: A compressed cluster at a place of the header that holds zeroes, which are no deflate stream:
#: what reads it fails with EIO, in every release ("Cluster mapping").
_GARBAGE = 1 << 62 | 0x400
CLUSTER = 65536


def find_qemu_img(binary: str) -> str:
    """qemu-img beside the binary, else on PATH.

    :raise TargetError: when there is none.
    """
    beside = Path(shutil.which(binary) or binary).resolve().parent / "qemu-img"
    found = str(beside) if beside.exists() else shutil.which("qemu-img")
    if found is None:
        raise TargetError("qemu-img is needed for cases with image files; install qemu-utils")
    return found


async def _qemu_img(tool: str, *arguments: str) -> None:
    process = await spawn(
        tool, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, stderr = await process.communicate()
    if process.returncode:
        raise TargetError(f"{tool} {arguments[0]} failed: {stderr.decode(errors='replace')}")


async def make(tool: str, folder: Path, name: str, spec: ChildSpec) -> None:
    """A qcow2 image with the contents of ``spec``.

    If ``spec`` has a fault its reads fail; if that is a death, the first one also ends the image.
    """
    raw = folder / f"{name}.raw"
    raw.write_bytes(spec.content.data.read(0, len(spec.content.data)))
    # No sparse detection: a cluster of zeroes is to be a cluster like the others.
    await _qemu_img(
        tool, "convert", "-S", "0", "-f", "raw", "-O", "qcow2", str(raw), str(folder / name)
    )
    raw.unlink()
    if any(fault.dead for fault in spec.faults):
        _misplace(folder / name)
    elif spec.faults:
        _damage(folder / name, len(spec.content.data))


def _misplace(image: Path) -> None:
    """Let the L1 table say that its L2 table begins within a cluster, which no table does.

    Whoever comes to it says that the image is corrupt, and takes its driver away.
    """
    with image.open("r+b") as file:
        file.seek(_L1_AT)
        _, offset = _L1.unpack(file.read(_L1.size))
        file.seek(offset)
        (entry,) = _ENTRY.unpack(file.read(_ENTRY.size))
        file.seek(offset)
        file.write(_ENTRY.pack(entry | 0x200))


def _damage(image: Path, size: int) -> None:
    """Make garbage of every cluster, of an image that needs one L2 table."""
    with image.open("r+b") as file:
        file.seek(_L1_AT)
        _, offset = _L1.unpack(file.read(_L1.size))
        file.seek(offset)
        (entry,) = _ENTRY.unpack(file.read(_ENTRY.size))
        file.seek(entry & _L1_OFFSET)
        file.write(_ENTRY.pack(_GARBAGE) * -(-size // CLUSTER))


async def contents(tool: str, folder: Path, name: str) -> Sparse:
    """The bytes a guest would see in the image."""
    raw = folder / f"{name}.raw"
    await _qemu_img(tool, "convert", "-f", "qcow2", "-O", "raw", str(folder / name), str(raw))
    data = raw.read_bytes()
    raw.unlink()
    return Sparse.of(data)

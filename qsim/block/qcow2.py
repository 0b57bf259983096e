# SPDX-License-Identifier: GPL-2.0-or-later
"""As much of qcow2 as it takes to ask the node below for a base directory.

A relative backing file name is looked up from the directory of the image.  Over a quorum node
there is none, so opening fails, after the header and the tables were read (block/qcow2.c
qcow2_do_open(), qcow2_inactivate(); docs/interop/qcow2.txt; 7.2).
"""

from __future__ import annotations

import struct

from qsim.block.flags import Perm, Req
from qsim.block.io import bdrv_co_flush, bdrv_co_preadv
from qsim.block.iovec import qemu_iovec_init_buf
from qsim.block.node import BdrvChild, BlockDriverState

#: magic, version, backing file offset and size, cluster bits, size, encryption, L1 size, L1
#: table offset, refcount table offset and clusters, snapshots and their offset.
_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
#: What is read of a header of any version.
HEADER_READ = 112


class Qcow2Node(BlockDriverState):
    """An image over its ``file`` child."""

    driver = "qcow2"

    @property
    def file(self) -> BdrvChild:
        """The protocol child."""
        return self.children[0]

    def child_perm(self, perm: Perm, shared: Perm) -> tuple[Perm, Perm]:
        """bdrv_default_perms() of an image file: metadata is written, nobody else may write."""
        return (
            perm | Perm.CONSISTENT_READ | Perm.WRITE | Perm.RESIZE,
            shared & (Perm.CONSISTENT_READ | Perm.WRITE_UNCHANGED),
        )

    async def _pread(self, offset: int, bytes_: int) -> bytes:
        block = self.world.ledger.alloc("qcow2 metadata", bytes_)
        qiov = qemu_iovec_init_buf(self.world.ledger, block, 0, bytes_)
        await bdrv_co_preadv(self.file, offset, bytes_, qiov, Req.NONE)
        self.world.ledger.free(block)
        return bytes(block.data)

    async def read_metadata(self) -> str:
        """The reads of qcow2_do_open(), in their order; the backing file's name.

        :raise NotImplementedError: for an image without one: reading it is outside the model.
        """
        header = _HEADER.unpack_from(await self._pread(0, HEADER_READ))
        name_at, name_len, cluster_bits, l1_size, l1_at, refcount_at, clusters = (
            header[i] for i in (2, 3, 4, 7, 8, 9, 10)
        )
        await self._pread(l1_at, l1_size * 8)
        await self._pread(refcount_at, clusters << cluster_bits)
        if not name_len:
            raise NotImplementedError("qcow2 without a backing file is outside the model")
        return (await self._pread(name_at, name_len)).decode()

    async def co_flush(self) -> int:
        """Nothing of its own: the file is flushed."""
        return await bdrv_co_flush(self.file.bs)

    async def co_flush_and_forget(self) -> None:
        """bdrv_close() flushes and does not look at the result."""
        await self.co_flush()

    async def inactivate(self) -> None:
        """qcow2_inactivate(): both metadata caches are flushed, and with each the file."""
        await bdrv_co_flush(self.file.bs)
        await bdrv_co_flush(self.file.bs)

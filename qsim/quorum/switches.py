# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between the driver's revisions, each with its source."""

from __future__ import annotations

from qsim.block.switches import Switch

COVER = "cover letter of v4, change log"

SCHEMA_READ_PATTERN = Switch(
    "the QAPI schema has read-pattern, so blockdev-add lets it through to the driver",
    "qapi/block-core.json, 62c6031f96",
    "2014-fifo/first-child-answers",
)
SCHEMA_READ_PATTERN_ENUM = Switch(
    "the schema says which read patterns there are, so blockdev-add refuses others by itself",
    f"62c6031f96; {COVER}, v3",
    "2014-open/pattern-the-schema-does-not-know",
)
READ_PATTERN = Switch(
    "the driver knows read-pattern: one child is read, the next when that fails, and the threshold "
    "is not checked then",
    "block/quorum.c, a9db86b223",
    "2014-drive/second-image-serves-when-the-first-fails",
)
NAMED_FIFO = Switch(
    "the pattern is called fifo, not single",
    f"{COVER}, v2",
    "2014-drive/first-image-serves",
)
FINALIZE_FIFO = Switch(
    "quorum_aio_finalize() frees the buffers up to the child last read, not those of all children",
    f"block/quorum.c quorum_aio_finalize(), a9db86b223; {COVER}, v2",
)
ERROR_WITHOUT_NEWLINE = Switch(
    "the error text for an unknown pattern has no newline at its end",
    "a9db86b223, note of the committer in its message",
    "2014-drive/pattern-there-is-not-as-merged",
)
OPTS_FREED = Switch(
    "quorum_open() frees its option list",
    "8df3abfcee",
)
CANCEL_SKIPS_NULL = Switch(
    "quorum_aio_cancel() leaves out children whose AIOCB it does not know",
    "997dd8df3e",
)
CANCEL_ASYNC = Switch(
    "quorum_aio_cancel() asks the children to end early and leaves the request to its callbacks",
    "7940e5056b",
)
OPEN_IMAGE = Switch(
    "the children's options are read by the block layer's bdrv_open_image()",
    "ea6828d81b",
    "2014-drive/children-with-a-gap",
)
PWRITE_ZEROES = Switch(
    "zeroes are written to the children as such, with the flags that all of them support, not as "
    "data",
    "block/quorum.c quorum_co_pwrite_zeroes(), quorum_refresh_flags(), between 5.2 and 7.2",
    "write-zeroes/all-succeed",
)
BLOCK_STATUS = Switch(
    "block status is asked of the children, and zero where all of them say so",
    "block/quorum.c quorum_co_block_status(), between 5.2 and 7.2",
    "block-status/all-zero",
)
CO_FLUSH = Switch(
    "a flush is the driver's, every time, and its vote the result, instead of a first half, for "
    "when something was written, before the block layer flushes each child that can be written",
    "block/quorum.c bdrv_quorum, .bdrv_co_flush for .bdrv_co_flush_to_disk, between 5.2 and 7.2",
    "flush/all-succeed",
)
THRESHOLD_ARTICLE = Switch(
    "a threshold below one is told to expect a value",
    "block/quorum.c quorum_valid_threshold(), between 5.2 and 7.2",
    "options/threshold-zero",
)

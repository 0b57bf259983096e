# SPDX-License-Identifier: GPL-2.0-or-later
"""What changed between mid-2015 and 5.2, read off both ends: the history at hand has a gap there.

A row says how a difference of that kind looks, what the reason is, and the function of 5.2 that
shows it.  A scenario that differs and fits no row is unexplained, which is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qsim.outcome import Difference
from qsim.scenario import Case


@dataclass(frozen=True)
class Row:
    """One reason; ``pattern`` is found in ``what: mid-2015 => 5.2`` of a difference.

    ``fifo`` restricts it to quorums in FIFO order, or to all others.
    """

    pattern: str
    reason: str
    source: str
    fifo: bool | None = None


ROWS = (
    Row(
        r"^undefined: null dereference in quorum_aio_cb",
        "a child whose read fails in a vote is reported, instead of ending the process",
        "quorum_report_bad_acb()",
    ),
    Row(
        r"^undefined: out of bounds in quorum_aio_finalize",
        "a FIFO read that no child answers ends with the last child's error and nothing else",
        "read_fifo_child()",
    ),
    Row(
        r"^undefined: use after free in bdrv_aio_cancel_async",
        "requests are coroutines: there is nothing left to cancel in the driver",
        "no quorum_aio_cancel() any more",
    ),
    Row(
        r"^events: (QUORUM_REPORT_BAD c\d \d|.*, QUORUM_REPORT_BAD c\d \d)",
        "a report says what failed: a read, a write or a flush",
        "quorum_report_bad()",
    ),
    Row(
        r"^events: none => QUORUM_REPORT_BAD read",
        "a child that fails a FIFO read is reported",
        "read_fifo_child()",
        fifo=True,
    ),
    Row(
        r"^events: none => QUORUM_REPORT_BAD flush",
        "the driver's flush succeeds when as many children as the threshold says have; one that "
        "fails is reported, and only errors vote",
        "quorum_co_flush()",
    ),
    Row(
        r"^ret: (0 => E|E\w+ => 0)|^story: .*c1 flush.* => .*c[1-9] flush; \[c\d flush: \w+\]; c0",
        "after the driver's flush, which is left out when nothing was written, the block layer "
        "flushes each child that can be written, the newest first, and takes the first error",
        "block/io.c bdrv_co_flush()",
    ),
    Row(
        r"^story: .*flush fua",
        "the block layer's NBD client does not put FUA on a flush any more",
        "block/nbd.c nbd_client_co_flush()",
    ),
    Row(
        r"^story: .* 1044480.* => .* 1048576",
        "the block layer's NBD client asks for up to 32 MiB at once",
        "block/nbd.c nbd_refresh_limits()",
    ),
    Row(
        r"^error: none => .*('vote-threshold' expects|threshold may not exceed)",
        "the threshold is checked in FIFO order too: writes and flushes need it",
        "quorum_open()",
        fifo=True,
    ),
    Row(
        r"^error: .*must be greater than 1",
        "one child is enough",
        "quorum_open()",
    ),
    Row(
        r"^error: none => .*blkverify=on can only be set",
        "blkverify=on with other numbers than two and two is an error",
        "quorum_open()",
    ),
    Row(
        r"^exit: .*sector_num=.* => .*offset=",
        "requests, and what blkverify says of them, are counted in bytes",
        "quorum_compare()",
    ),
    Row(
        r"^error: .*(is unexpected|expected: |Invalid parameter '|expects value).* => .*(Parameter|"
        r"Invalid parameter)",
        "the texts of QMP's refusals",
        "qapi/qobject-input-visitor.c and include/qapi/qmp/qerror.h",
    ),
    Row(
        r"^error: .* => .*too large",
        "a number that does not fit is refused",
        "util/qemu-option.c parse_option_number()",
    ),
    Row(
        r'^events: QUORUM_REPORT_BAD ""',
        "every node has a name, given or made up",
        "block.c bdrv_assign_node_name()",
    ),
    Row(
        r"^error: none => .*read-only",
        "who will write says so beforehand: a read-only child is refused when the guest comes",
        "block.c bdrv_refresh_perms()",
    ),
    Row(
        r"^error: .*doesn't support the option .* => .*does not support the option",
        "the text for an option nobody has used",
        "block.c bdrv_open_inherit()",
    ),
    Row(
        r"^leaks: (?!s->bs).*BdrvChild of bdrv_attach_child",
        "an open that fails lets go of the children it has, edges and all",
        "quorum_open()",
    ),
    Row(
        r"^leaks: s->bs",
        "a node whose length cannot be told is closed in an orderly way, its children with it",
        "block.c bdrv_open_common()",
    ),
    Row(
        r"^error: .*x-blockdev-change",
        "children can come and go (since 2.7)",
        "quorum_add_child(), quorum_del_child()",
    ),
    Row(
        r"^returns: .*'rewrite-corrupted': False",
        "the json: file name has the options that were given, read-pattern among them",
        "quorum_gather_child_options() and .strong_runtime_opts",
    ),
)


def reasons(case: Case, found: Sequence[Difference]) -> list[tuple[Row, Difference]]:
    """The rows that explain a scenario's differences, each with the first it explains."""
    fifo = case.options is not None and case.options.get("read-pattern") == "fifo"
    fifo = fifo or "read-pattern=fifo" in (case.drive or "")
    explained = []
    for row in ROWS:
        for one in found:
            text = f"{one.what}: {one.left} => {one.right}"
            if row.fifo in (None, fifo) and re.search(row.pattern, text):
                explained.append((row, one))
                break
    return explained

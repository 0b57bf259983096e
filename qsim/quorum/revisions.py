# SPDX-License-Identifier: GPL-2.0-or-later
"""Which revisions of the driver the model knows, as data.

A switch is named for the behaviour and carries where it comes from.  Of the series every state is
a revision: the tree before, after each patch in either order, the versions, v4 as merged and the
fixes up to mid-2015.  From 5.2 to 7.2 the driver gained zeroes, block status and a flush of its
own.  ``block/quorum.c`` of 7.2 and of 10.0 do the same: between them it gained graph locks, and the
drained sections moved to its callers; what differs lies in the block layer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qsim.block.switches import (
    AIOCB_REFCOUNT,
    BDRV_CHILD,
    CHILDREN_CLOSE_TOGETHER,
    CONFLICT_NAMES_BOTH,
    CYCLE_REFUSED,
    DEL_LOOKS_UP,
    DUPLICATE_NAMES_NODE,
    ENUM_NAMES_MEMBER,
    GRAPH_WRLOCK_FIRST,
    JOB_CANCEL_BY_FORCE,
    LOOKUP_QUOTES,
    MIRROR_LEAVES_WRITES,
    NBD_FEW_ERRNOS,
    NBD_GONE_IS_EBADF,
    NBD_GONE_WAITS,
    NBD_READER,
    NBD_REPLY_AT_ONCE,
    NO_FLUSH_DROPS_FUA,
    NO_PERMISSIONS,
    NODE_IMAGE_INFO,
    OPEN_ERROR_PLAIN,
    READ_ONLY_IS_EPERM,
    READ_ONLY_UNTOLD,
    REOPEN,
    REPLACE_LOOKS_UP,
    UNMAP_AT_EVERY_NODE,
    ZEROES_AT_ONCE,
    Switch,
)
from qsim.quorum.switches import (
    BLOCK_STATUS,
    CANCEL_ASYNC,
    CANCEL_SKIPS_NULL,
    CO_FLUSH,
    ERROR_WITHOUT_NEWLINE,
    FINALIZE_FIFO,
    NAMED_FIFO,
    OPEN_IMAGE,
    OPTS_FREED,
    PWRITE_ZEROES,
    READ_PATTERN,
    SCHEMA_READ_PATTERN,
    SCHEMA_READ_PATTERN_ENUM,
    THRESHOLD_ARTICLE,
)


@dataclass(frozen=True)
class Revision:
    """One state of the driver.

    :param name: how users name it.
    :param describes: the release or commit it was read from.
    :param engine: "coroutine" since 2.9, "callback" before.
    :param switches: what differs, each with where it comes from.
    :param commit: the upstream commit it is, "" when it is none.
    :param releases: the version numbers of binaries whose driver it is.
    :param unknown: what nothing at hand determines, and what the model takes for it.
    """

    name: str
    describes: str
    engine: str = "coroutine"
    switches: frozenset[Switch] = frozenset()
    commit: str = ""
    releases: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def schema_2014(self) -> str:
        """Which state of the schema of 2014 goes with it; "" for today's schema."""
        if self.engine == "coroutine":
            return ""
        if SCHEMA_READ_PATTERN not in self.switches:
            return "before"
        return "read-pattern" if SCHEMA_READ_PATTERN_ENUM in self.switches else "string"


_BEFORE = frozenset({NO_PERMISSIONS})
_SCHEMA = {SCHEMA_READ_PATTERN, SCHEMA_READ_PATTERN_ENUM}
_DRIVER = {READ_PATTERN, NAMED_FIFO, FINALIZE_FIFO}
_V4 = _BEFORE | _SCHEMA | _DRIVER
_MERGED = _V4 | {ERROR_WITHOUT_NEWLINE}
_FREED = _MERGED | {OPTS_FREED}
_SKIPS = _FREED | {AIOCB_REFCOUNT, CANCEL_SKIPS_NULL}
_ASYNC = _SKIPS | {CANCEL_ASYNC}
#: What the block layer learned in between goes with it.
_IMAGE = _ASYNC | {
    OPEN_IMAGE, OPEN_ERROR_PLAIN, NBD_GONE_IS_EBADF, NBD_FEW_ERRNOS,
    READ_ONLY_IS_EPERM, NODE_IMAGE_INFO,
}  # fmt: skip

_SEVEN = frozenset({
    PWRITE_ZEROES, BLOCK_STATUS, CO_FLUSH, THRESHOLD_ARTICLE, CONFLICT_NAMES_BOTH,
    ENUM_NAMES_MEMBER, LOOKUP_QUOTES, DUPLICATE_NAMES_NODE, REPLACE_LOOKS_UP,
    REOPEN, CYCLE_REFUSED, READ_ONLY_UNTOLD, DEL_LOOKS_UP,
    NBD_GONE_WAITS, ZEROES_AT_ONCE, JOB_CANCEL_BY_FORCE, MIRROR_LEAVES_WRITES,
})  # fmt: skip
_TEN = _SEVEN | {
    UNMAP_AT_EVERY_NODE, CHILDREN_CLOSE_TOGETHER, GRAPH_WRLOCK_FIRST, NO_FLUSH_DROPS_FUA,
}  # fmt: skip

_NO_ENUM = (
    "whether the schema named the option before v3 added its enumeration, and as what: "
    "taken as a string",
)
_TEXT = ("the error text for an unknown pattern before v4: taken from v4",)

#: In the order of time, but the states after the first patch of a version stand where they
#: belong by what they can do: a fixture's ``since`` and ``until`` refer to this order.
REVISIONS: tuple[Revision, ...] = (
    Revision(
        "before",
        "the tree the series was merged on",
        "callback",
        _BEFORE,
        "38890b246d",
    ),
    Revision(
        "v4-1",
        "after the first patch of v4: qapi: add read-pattern enum for quorum",
        "callback",
        _BEFORE | _SCHEMA,
        "62c6031f96",
    ),
    Revision(
        "v1",
        "version 1, one patch",
        "callback",
        _BEFORE | {SCHEMA_READ_PATTERN, READ_PATTERN},
        unknown=(
            "what quorum_aio_finalize() did in FIFO order before v2 fixed it: taken as before the "
            "series, which frees the buffers of all children",
            *_NO_ENUM,
            *_TEXT,
        ),
    ),
    Revision(
        "v2",
        "version 2, one patch",
        "callback",
        _BEFORE | _DRIVER | {SCHEMA_READ_PATTERN},
        unknown=(*_NO_ENUM, *_TEXT),
    ),
    Revision(
        "v3-1",
        "after the first patch of v3: block/quorum: add simple read pattern support",
        "callback",
        _BEFORE | _DRIVER,
        unknown=_TEXT,
    ),
    Revision("v3", "version 3, both patches", "callback", _V4, unknown=_TEXT),
    Revision("v4", "version 4 as posted, both patches", "callback", _V4),
    Revision(
        "v4-merged",
        "version 4 as merged: block/quorum: add simple read pattern support",
        "callback",
        _MERGED,
        "a9db86b223",
        ("2.1.50",),
    ),
    Revision(
        "opts-freed", "quorum: Fix leak of opts in quorum_open", "callback", _FREED, "8df3abfcee"
    ),
    Revision("cancel-null", "quorum: fix quorum_aio_cancel()", "callback", _SKIPS, "997dd8df3e"),
    Revision(
        "cancel-async",
        "quorum: Convert quorum_aiocb_info.cancel to .cancel_async",
        "callback",
        _ASYNC,
        "7940e5056b",
        ("2.2",),
    ),
    Revision("open-image", "quorum: Use bdrv_open_image()", "callback", _IMAGE, "ea6828d81b"),
    Revision(
        "mid-2015",
        "the tree of 29 June 2015",
        "callback",
        _IMAGE | {BDRV_CHILD},
        "d2966f804d",
        ("2.3.50",),
    ),
    Revision(
        "5.2",
        "QEMU 5.2 block/quorum.c",
        switches=frozenset({NBD_REPLY_AT_ONCE, NBD_READER}),
        releases=("5.2",),
    ),
    Revision("7.2", "QEMU 7.2 block/quorum.c", switches=_SEVEN, releases=("7.2",)),
    Revision(
        "10.0",
        "QEMU 10.0 block/quorum.c",
        switches=_TEN,
        releases=("10.0",),
    ),
    Revision(
        "11.1",
        "QEMU 11.1 by what its binary does; its source was not at hand",
        switches=_TEN | {NBD_REPLY_AT_ONCE},
        releases=("11.1",),
    ),
)

DEFAULT = "7.2"

#: Since when the driver has coroutines, and the first release known that has.
FIRST_WITH_COROUTINES = (2, 9)
FIRST_RELEASE = "5.2"


def revision(name: str) -> Revision:
    """The revision of that name, or of that upstream commit.

    :raise KeyError: when there is none; the message lists those there are.
    """
    for candidate in REVISIONS:
        if candidate.name == name:
            return candidate
        if candidate.commit and len(name) >= 7 and candidate.commit.startswith(name[:10]):
            return candidate
    known = ", ".join(candidate.name for candidate in REVISIONS)
    raise KeyError(f"no revision {name!r}; there are: {known}")


def rank(name: str) -> int:
    """The place of a revision in time, for ranges.

    :raise KeyError: when there is no such revision.
    """
    return REVISIONS.index(revision(name))


def covers(
    since: str | None, until: str | None, wanted: Revision, without: Sequence[str] = ()
) -> bool:
    """Whether what holds from ``since`` to ``until`` (None is open) is about a revision.

    :param without: revisions in between where it does not hold.
    :raise KeyError: when one of the names is no revision.
    """
    at = rank(wanted.name)
    within = (since is None or rank(since) <= at) and (until is None or at <= rank(until))
    return within and wanted.name not in [revision(name).name for name in without]


def nearest(release: str) -> Revision:
    """The revision for a version as ``query-version`` gives it: the newest not after it.

    Of the releases that have coroutines and are older than all known here, the first known.
    """
    wanted = _number(release)
    known = [(_number(number), one) for one in REVISIONS for number in one.releases]
    best = REVISIONS[0]
    for number, candidate in known:
        if number <= wanted:
            best = candidate
    if best.engine == "callback" and wanted >= FIRST_WITH_COROUTINES:
        return revision(FIRST_RELEASE)
    return best


def _number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", release)[:3])

# SPDX-License-Identifier: GPL-2.0-or-later
"""Which revisions of the driver the model knows, as data.

A switch is named for the behaviour and carries where it comes from.  ``block/quorum.c`` itself
does the same in 7.2 and 10.0: between them it gained graph locks, and the drained sections moved
to its callers.  What differs lies in the block layer around it.
"""

from __future__ import annotations

from dataclasses import dataclass

from qsim.block.switches import CHILDREN_CLOSE_TOGETHER, UNMAP_AT_EVERY_NODE, Switch


@dataclass(frozen=True)
class Revision:
    """One state of the driver.

    :param name: how users name it.
    :param describes: the release or commit it was read from.
    :param engine: "coroutine" since 2.9, "callback" before.
    :param switches: what differs, each with where it comes from.
    """

    name: str
    describes: str
    engine: str = "coroutine"
    switches: frozenset[Switch] = frozenset()


#: In the order of time: a fixture's ``since`` and ``until`` refer to this order.
REVISIONS: tuple[Revision, ...] = (
    Revision("7.2", "QEMU 7.2 block/quorum.c"),
    Revision(
        "10.0",
        "QEMU 10.0 block/quorum.c",
        switches=frozenset({UNMAP_AT_EVERY_NODE, CHILDREN_CLOSE_TOGETHER}),
    ),
)

DEFAULT = "7.2"


def revision(name: str) -> Revision:
    """The revision of that name.

    :raise KeyError: when there is none; the message lists those there are.
    """
    for candidate in REVISIONS:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in REVISIONS)
    raise KeyError(f"no revision {name!r}; there are: {known}")


def rank(name: str) -> int:
    """The place of a revision in time, for ranges.

    :raise KeyError: when there is no such revision.
    """
    return REVISIONS.index(revision(name))


def covers(since: str | None, until: str | None, wanted: Revision) -> bool:
    """Whether something that holds from ``since`` to ``until`` (None is open) is about a revision.

    :raise KeyError: when one of the names is no revision.
    """
    at = rank(wanted.name)
    return (since is None or rank(since) <= at) and (until is None or at <= rank(until))


def nearest(release: str) -> Revision:
    """The revision for a release number as ``query-version`` gives it: the newest not after it."""
    wanted = _number(release)
    best = REVISIONS[0]
    for candidate in REVISIONS:
        if _number(candidate.name) <= wanted:
            best = candidate
    return best


def _number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".")[:2])

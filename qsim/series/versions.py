# SPDX-License-Identifier: GPL-2.0-or-later
"""The versions of the series and what followed it, as data.

Source: the cover letter of v4 with its change log, and ``git log -- block/quorum.c`` from
38890b246d to d2966f804d.
"""

from __future__ import annotations

from dataclasses import dataclass

DRIVER = "block/quorum.c"
SCHEMA = "qapi/block-core.json"


@dataclass(frozen=True)
class Patch:
    """One patch: what it touches, and the revision that is the state after it."""

    subject: str
    touches: tuple[str, ...]
    after: str


@dataclass(frozen=True)
class Version:
    """One version as posted: what its change log says, and its patches in their order."""

    name: str
    changes: tuple[str, ...]
    patches: tuple[Patch, ...]


_ADD_DRIVER = "block/quorum: add simple read pattern support"

VERSIONS = (
    Version(
        "v1",
        ("first posting; the pattern is called single",),
        (Patch(_ADD_DRIVER, (DRIVER, SCHEMA), "v1"),),
    ),
    Version(
        "v2",
        (
            "single becomes fifo",
            "read_all_children() becomes read_quorum_children()",
            "quorum_aio_finalize() is mended for FIFO",
        ),
        (Patch(_ADD_DRIVER, (DRIVER, SCHEMA), "v2"),),
    ),
    Version(
        "v3",
        (
            "one patch becomes two: the driver, then the schema",
            "the schema gains an enumeration of the patterns",
            "an unrelated change of a blank line is dropped",
        ),
        (
            Patch(_ADD_DRIVER, (DRIVER,), "v3-1"),
            Patch("qapi: add read-pattern support for quorum", (SCHEMA,), "v3"),
        ),
    ),
    Version(
        "v4",
        (
            "the two patches change places: the schema, then the driver",
            "the schema's comment on fifo is brought up to date",
            "the driver uses the schema's enumeration where it compared names by hand",
        ),
        (
            Patch("qapi: add read-pattern support for quorum", (SCHEMA,), "v4-1"),
            Patch(_ADD_DRIVER, (DRIVER,), "v4"),
        ),
    ),
)

#: What was merged, and what the history at hand has after it; their revisions know the commits.
FOLLOWED = (
    "v4-merged", "opts-freed", "cancel-null", "cancel-async", "open-image", "mid-2015",
)  # fmt: skip


def version(name: str) -> Version | None:
    """The version of that name, None when it is none."""
    return next((one for one in VERSIONS if one.name == name), None)

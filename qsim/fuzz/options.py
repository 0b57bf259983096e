# SPDX-License-Identifier: GPL-2.0-or-later
"""The quorum node's options in generated scenarios, sensible ones and others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qsim.fuzz.draws import Draw, of, seldom

READ_PATTERNS = (*(None,) * 5, "fifo", "fifo", "quorum")

#: Options that may be refused, or do something; None leaves one out.
QUIRKS: tuple[dict[str, Any], ...] = (
    {"vote-threshold": 0},
    {"vote-threshold": -1},
    {"vote-threshold": 6},
    {"vote-threshold": 2147483648},
    {"vote-threshold": 4294967297},
    {"vote-threshold": -4294967295},
    {"vote-threshold": 9223372036854775807},
    {"vote-threshold": 9223372036854775808},
    {"vote-threshold": "1"},
    {"vote-threshold": 1.5},
    {"vote-threshold": True},
    {"vote-threshold": None},
    {"vote-threshold": [1]},
    {"read-pattern": "FIFO"},
    {"read-pattern": ""},
    {"read-pattern": 1},
    {"read-pattern": "single"},
    {"blkverify": True},
    {"blkverify": "on"},
    {"blkverify": False},
    {"blkverify": 0},
    {"rewrite-corrupted": "true"},
    {"rewrite-corrupted": False},
    {"blkverify": True, "rewrite-corrupted": True},
    {"blkverify": True, "read-pattern": "fifo"},
    {"read-pattren": "fifo"},
    {"file": "c0"},
    {"read-only": True},
    {"auto-read-only": True},
    {"discard": "unmap"},
    {"discard": "ignore"},
    {"discard": "on"},
    {"detect-zeroes": "on"},
    {"detect-zeroes": "off"},
    {"detect-zeroes": "unmap"},
    {"detect-zeroes": "unmap", "discard": "unmap"},
    {"force-share": True},
    {"force-share": True, "read-only": True},
    {"cache": {"direct": True}},
    {"cache": {"no-flush": True}},
    {"cache": {"direct": False, "no-flush": False}},
    {"node-name": None},
    {"node-name": "c0"},
    {"children": None},
    {"children": []},
    {"children": "c0"},
    {"children": 1},
    {"children": {"0": "c0"}},
)

Listed = Sequence[str]


def _in_place(names: Listed) -> list[Any]:
    """With names of their own: the events of nodes without one cannot be told from others'."""
    return [{"driver": "nbd", "node-name": f"n{name}", "export": name} for name in names]


def _anonymous(names: Listed) -> list[Any]:
    return [{"driver": "nbd", "export": name} for name in names]


def _nested(names: Listed, **options: Any) -> dict[str, Any]:
    own = {"driver": "quorum", "node-name": "inner", "vote-threshold": 1}
    return {**own, **options, "children": list(names)}


#: Other ways to list the children.  No child is behind two nodes: in which order requests come
#: by two connections is nobody's to say.
LISTINGS: tuple[Callable[[Listed], list[Any]], ...] = (
    lambda names: [names[-1], *names[:-1]],
    _in_place,
    _anonymous,
    lambda names: [*_in_place(names[:1]), *names[1:]],
    lambda names: [*names[:1], *_in_place(names[1:])],
    lambda names: [*names, names[0]],
    lambda names: [*names, "nosuch"],
    lambda names: ["nosuch", *names],
    lambda names: [*_in_place(names), "nosuch"],
    lambda names: [*names, "q"],
    lambda names: [*names[:1], 7],
    lambda names: [*names[:1], None],
    lambda names: [*names[:1], True],
    lambda names: [*names[:1], [names[0]]],
    lambda names: [_nested(names[:2]), *names[2:]],
    lambda names: [_nested(names[:2]), *names[2:]],
    lambda names: [_nested(names)],
    lambda names: [_nested(_in_place(names[:2])), *names[2:]],
    lambda names: [*names[:1], _nested(names[1:] or names, **{"read-pattern": "fifo"})],
    lambda names: [_nested(names[:2], **{"rewrite-corrupted": True}), *names[2:]],
    lambda names: [_nested(names[:2], **{"vote-threshold": 2}), *names[2:]],
    lambda names: [_nested(names[:2], **{"vote-threshold": 3}), *names[2:]],
)


def options(draw: Draw, members: Listed) -> dict[str, Any]:
    """What stands under ``quorum``."""
    count = len(members)
    raw: dict[str, Any] = {
        "vote-threshold": of(draw, (1, 1, 1, -(-count // 2), -(-count // 2), count))
    }
    pattern = of(draw, READ_PATTERNS)
    if pattern is not None:
        raw["read-pattern"] = pattern
    if seldom(draw, 5):
        raw["rewrite-corrupted"] = True
    if count == 2 and seldom(draw, 12):
        raw |= {"vote-threshold": 2, "blkverify": True}
        raw.pop("rewrite-corrupted", None)
    if seldom(draw, 14):
        raw |= of(draw, QUIRKS)
    if seldom(draw, 14):
        raw["children"] = of(draw, LISTINGS)(members)
    return raw

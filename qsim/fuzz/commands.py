# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP commands of generated scenarios: children come and go, other nodes use them, rubbish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qsim.fuzz.draws import Draw, below, of, seldom
from qsim.fuzz.setting import Setting

#: Makes a command's arguments from the setting and a number.
Make = Callable[[Setting, int], dict[str, Any]]


def _any_of(setting: Setting, i: int) -> str:
    return setting.names[i % len(setting.names)]


def _spare(setting: Setting, i: int) -> str:
    spares = setting.spares or setting.names
    return spares[i % len(spares)]


def _edge(setting: Setting, i: int) -> str:
    return f"children.{i % (len(setting.names) - len(setting.spares))}"


def _over(setting: Setting, i: int, **options: Any) -> dict[str, Any]:
    """A second quorum node over one of the children."""
    own = {"driver": "quorum", "node-name": "other", "vote-threshold": 1}
    return {**own, **options, "children": [_any_of(setting, i)]}


def _user(setting: Setting, i: int, **permissions: list[str]) -> dict[str, Any]:
    """A blkdebug node over a child, or the quorum node itself."""
    image = ("q", *setting.names)[i % (len(setting.names) + 1)]
    options = {key.replace("_", "-"): value for key, value in permissions.items()}
    return {"driver": "blkdebug", "node-name": "user", "image": image, **options}


def _reopened(setting: Setting, node: str) -> dict[str, Any]:
    members = [name for name in setting.names if name not in setting.spares]
    return {"driver": "quorum", "node-name": node, "vote-threshold": 1, "children": members}


def _mirror(setting: Setting, i: int, **more: Any) -> dict[str, Any]:
    return {"job-id": "job", "device": "q", "target": "q", "sync": "full", **more}


#: x-blockdev-change that may well succeed.
CHANGES: tuple[Make, ...] = (
    lambda s, i: {"parent": "q", "child": _edge(s, i)},
    lambda s, i: {"parent": "q", "node": _spare(s, i)},
)

ODD_CHANGES: tuple[Make, ...] = (
    lambda s, i: {"parent": "q", "node": _any_of(s, i)},
    lambda s, i: {"parent": "q"},
    lambda s, i: {"parent": "q", "child": _edge(s, i), "node": _spare(s, i)},
    lambda s, i: {"parent": "q", "child": _any_of(s, i)},
    lambda s, i: {"parent": "q", "child": "children.01"},
    lambda s, i: {"parent": "q", "child": f"children.{len(s.names)}"},
    lambda s, i: {"parent": "q", "child": ""},
    lambda s, i: {"parent": "q", "child": i},
    lambda s, i: {"parent": "q", "node": "nosuch"},
    lambda s, i: {"parent": "q", "node": "q"},
    lambda s, i: {"parent": "nosuch", "child": "children.0"},
    lambda s, i: {"parent": _any_of(s, i), "node": _spare(s, i)},
    lambda s, i: {"parent": _any_of(s, i), "child": "children.0"},
    lambda s, i: {"child": "children.0"},
    lambda s, i: {"parent": "q", "child": "children.0", "force": True},
    lambda s, i: {"parent": "inner", "child": "children.0"},
    lambda s, i: {"parent": "inner", "node": _spare(s, i)},
)

#: Everything else: (command, arguments).
OTHERS: tuple[tuple[str, Make], ...] = (
    ("query-named-block-nodes", lambda s, i: {}),
    ("query-named-block-nodes", lambda s, i: {"flat": True}),
    ("blockdev-del", lambda s, i: {"node-name": _any_of(s, i)}),
    ("blockdev-del", lambda s, i: {"node-name": _spare(s, i)}),
    ("blockdev-del", lambda s, i: {"node-name": "q"}),
    ("blockdev-del", lambda s, i: {"node-name": "nosuch"}),
    ("blockdev-del", lambda s, i: {"node-name": "inner"}),
    ("blockdev-del", lambda s, i: {"node-name": "other"}),
    ("blockdev-del", lambda s, i: {}),
    ("blockdev-add", _over),
    ("blockdev-add", lambda s, i: _over(s, i, **{"rewrite-corrupted": True})),
    ("blockdev-add", lambda s, i: _over(s, i, **{"vote-threshold": 2})),
    ("blockdev-add", lambda s, i: _over(s, i, **{"read-only": True})),
    ("blockdev-add", lambda s, i: _over(s, i, **{"node-name": "q"})),
    ("blockdev-add", _user),
    ("blockdev-add", lambda s, i: _user(s, i, take_child_perms=["write"])),
    ("blockdev-add", lambda s, i: _user(s, i, take_child_perms=["consistent-read", "resize"])),
    ("blockdev-add", lambda s, i: _user(s, i, unshare_child_perms=["consistent-read", "write"])),
    ("blockdev-add", lambda s, i: _user(s, i, unshare_child_perms=["write-unchanged", "resize"])),
    ("blockdev-add", lambda s, i: {"driver": "quorum", "node-name": "other"}),
    ("blockdev-add", lambda s, i: {"driver": "nosuch", "node-name": "other"}),
    ("blockdev-add", lambda s, i: {"node-name": "other"}),
    ("blockdev-reopen", lambda s, i: {"options": [_reopened(s, "q")]}),
    ("blockdev-reopen", lambda s, i: {"options": [_reopened(s, "nosuch")]}),
    ("blockdev-reopen", lambda s, i: {"options": {}}),
    ("blockdev-mirror", lambda s, i: _mirror(s, i, replaces=_any_of(s, i))),
    ("blockdev-mirror", _mirror),
    ("blockdev-mirror", lambda s, i: _mirror(s, i, replaces="nosuch")),
    ("blockdev-mirror", lambda s, i: _mirror(s, i, replaces="q")),
    ("blockdev-mirror", lambda s, i: _mirror(s, i, sync="some")),
)


def change(draw: Draw, setting: Setting) -> dict[str, Any]:
    """x-blockdev-change as it may be given at any time; sensible, but for the threshold."""
    adds = setting.spares and below(draw, 2)
    arguments = CHANGES[1 if adds else 0](setting, below(draw, 6))
    return {"execute": "x-blockdev-change", "arguments": arguments}


def command(draw: Draw, setting: Setting) -> dict[str, Any]:
    """A command with what may be wrong about it."""
    if not seldom(draw, 2):
        return change(draw, setting)
    if not seldom(draw, 3):
        name, make = of(draw, OTHERS)
    else:
        name, make = "x-blockdev-change", of(draw, ODD_CHANGES)
    return {"execute": name, "arguments": make(setting, below(draw, 6))}

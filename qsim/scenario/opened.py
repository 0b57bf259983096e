# SPDX-License-Identifier: GPL-2.0-or-later
"""The node as QEMU's command line has it: a ``-drive`` or ``-blockdev`` string as it stands."""

from __future__ import annotations

import json
import re
from typing import Any

from qsim.scenario.short import ShortFormError

_FILE = re.compile(r"(?:^|,)(?:[\w.-]+\.)?filename=((?:[^,]|,,)+)")


def of_drive(text: str) -> dict[str, Any]:
    """A case with a ``-drive``; the qcow2 files it names hold A.

    :raise ShortFormError: when it names no file.
    """
    names = [name.replace(",,", ",") for name in _FILE.findall(text)]
    if not names:
        raise ShortFormError(text, "names no file, e.g. children.0.file.filename=0.qcow2")
    return {"drive": text, "images": dict.fromkeys(names, "A")}


def of_blockdev(text: str) -> dict[str, Any]:
    """A case with the node of a ``-blockdev``; its children are scripted ones of these names.

    :raise ShortFormError: when it is no quorum node over named children.
    """
    options = _json(text) if text.lstrip().startswith("{") else _keyval(text)
    if options.pop("driver", None) != "quorum":
        raise ShortFormError(text, "is no quorum node; write driver=quorum,children.0=c0,…")
    options.pop("node-name", None)
    children = options.get("children")
    if not isinstance(children, list) or not all(isinstance(one, str) for one in children):
        raise ShortFormError(text, "needs children that are names, e.g. children.0=c0")
    for name in children:
        if not _CHILD.fullmatch(name):
            raise ShortFormError(text, f"{name!r} is no name for a child; write e.g. c0, img1")
    return {"quorum": options, "children": dict.fromkeys(children, "A")}


_CHILD = re.compile(r"[a-z][a-z0-9]*")


def _json(text: str) -> dict[str, Any]:
    try:
        options = json.loads(text)
    except json.JSONDecodeError as error:
        raise ShortFormError(text, f"not JSON: {error}") from error
    if not isinstance(options, dict):
        raise ShortFormError(text, "must be a JSON object")
    return options


def _keyval(text: str) -> dict[str, Any]:
    """``key=value,…`` with dotted keys, as util/keyval.c reads it."""
    options: dict[str, Any] = {}
    for part in re.split(r"(?<!,),(?!,)", text):
        key, equals, value = part.replace(",,", ",").partition("=")
        if not equals:
            raise ShortFormError(text, f"{part!r} is no key=value")
        at = options
        *path, last = key.split(".")
        for name in path:
            at = at.setdefault(name, {})
            if not isinstance(at, dict):
                raise ShortFormError(text, f"{key} is in something that has a value already")
        at[last] = _scalar(value)
    lists: dict[str, Any] = _lists(options)
    return lists


def _scalar(value: str) -> Any:
    """On the command line everything is text; what the options take is known by its look."""
    if value in ("on", "off"):
        return value == "on"
    return int(value) if re.fullmatch(r"\d+", value) else value


def _lists(value: Any) -> Any:
    """Objects whose members are numbers are lists."""
    if not isinstance(value, dict):
        return value
    members = {key: _lists(one) for key, one in value.items()}
    if members and all(key.isdigit() for key in members):
        return [members[key] for key in sorted(members, key=int)]
    return members

# SPDX-License-Identifier: GPL-2.0-or-later
"""Read a ``##`` block: what it says of a definition, its members and its features.

Source: QEMU's docs/devel/qapi-code-gen, "Definition documentation". Markup is not looked
into: text is kept as written.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from .errors import QapiError, did_you_mean
from .lexer import Token
from .model import (
    Alternate,
    Command,
    Definition,
    Doc,
    Enum,
    EnumValue,
    Event,
    Member,
    Place,
    Struct,
    Union,
)

_NAMED = re.compile(r"@([^:\s]*):(?:\s+(.*))?$")
_TAG = re.compile(r"(Returns|Errors|Since|Notes?|Examples?|TODO|Features):(?:\s+(.*))?$")


def read_doc(path: Path, token: Token | None) -> Doc | None:
    """The documentation of a definition; None for free-form text.

    :raise QapiError: a member described twice, an empty name, a symbol line with text on it.
    """
    if token is None or not token.text.startswith("@"):
        return None
    lines = token.text.split("\n")
    first = token.line + 1
    head = _NAMED.match(lines[0])
    if not head or not head[1] or head[2]:
        raise QapiError(
            path,
            first,
            "the first line of a definition's documentation is '# @NAME:' and nothing else",
        )

    summary: list[str] = []
    members: dict[str, list[str]] = {}
    features: dict[str, list[str]] = {}
    sections: dict[str, list[str]] = {}
    places: dict[str, Place] = {}
    current, in_features, blank = summary, False, False
    for line, text in enumerate(lines[1:], first + 1):
        if named := _NAMED.match(text):
            name = named[1]
            table = features if in_features else members
            if not name:
                raise QapiError(path, line, "'@' without a name before ':'")
            if name in table:
                raise QapiError(path, line, f"'{name}' is described twice")
            places.setdefault(name, Place(path, line))
            current = table[name] = [named[2] or ""]
        elif tag := _TAG.match(text):
            # "Features:" opens a list of @names; it has no text of its own.
            in_features = tag[1] == "Features"
            current = summary if in_features else sections.setdefault(tag[1], [])
            current.append(tag[2] or "")
        elif blank and text and not text.startswith(" "):
            # Back at the margin after a blank line: the description is over.
            current, in_features = summary, False
            current += ["", text]
        else:
            current.append(text.strip())
        blank = not text
    return Doc(
        head[1],
        _join(summary),
        {n: _join(t) for n, t in members.items()},
        {n: _join(t) for n, t in features.items()},
        {n: _join(t) for n, t in sections.items()},
        Place(path, first),
        places,
    )


def check_doc(doc: Doc, definition: Definition, where: str) -> None:
    """Check that what is described exists. Of a type named as ``data``, members are its own.

    :param where: the definition, as messages call it.
    :raise QapiError: a member or feature is described that the definition does not have.
    """
    parts: Mapping[str, Member | EnumValue]
    match definition:
        case Enum(values=values):
            parts = values
        case Struct(members=members):
            parts = members
        case Union(base=str(), branches=branches) | Alternate(branches=branches):
            parts = branches
        case Union(base=dict(base), branches=branches):
            parts = {**base, **branches}
        case Command(data=dict(data)) | Event(data=dict(data)):
            parts = data
        case _:
            parts = {}
    known = set(parts)
    if isinstance(definition, Union):
        known.add(definition.discriminator)
    for name in doc.members:
        if name not in known:
            raise doc.member_places[name].error(
                f"documentation of {where} describes '{name}', which it does not have"
                + did_you_mean(name, known)
            )
    features = {*definition.features, *(f for part in parts.values() for f in part.features)}
    for name in doc.features:
        if name not in features:
            raise doc.member_places[name].error(
                f"documentation of {where} describes a feature '{name}', which it does not have"
                + did_you_mean(name, features)
            )


def _join(lines: list[str]) -> str:
    """Lines as paragraphs: one line each, a newline between."""
    paragraphs = re.split(r"\n{2,}", "\n".join(lines).strip())
    return "\n".join(" ".join(p.split("\n")) for p in paragraphs)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Turn one expression into the definition it stands for.

What can be told from the expression alone is checked here; whether the types it names
exist is the business of :mod:`.resolve`.

Source: QEMU's docs/devel/qapi-code-gen, the ``Syntax::`` of each kind of definition.
"""

import re
from pathlib import Path
from typing import Final

from .doc import check_doc, read_doc
from .errors import did_you_mean
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
    TypeRef,
    Union,
)
from .names import Pragmas, check_definition_name, check_member_name, check_value_name
from .parser import Entry, Expression, Flag, Items, Keys, Node, Text

# Keys by kind of definition: those it must have, those it may have.
_FLAGS: Final = ("success-response", "gen", "allow-oob", "allow-preconfig", "coroutine")
_KEYS: Final[dict[str, tuple[set[str], set[str]]]] = {
    "enum": ({"enum", "data"}, {"prefix", "if", "features"}),
    "struct": ({"struct", "data"}, {"base", "if", "features"}),
    "union": ({"union", "base", "discriminator", "data"}, {"if", "features"}),
    "alternate": ({"alternate", "data"}, {"if", "features"}),
    "command": ({"command"}, {"data", "returns", "boxed", "if", "features", *_FLAGS}),
    "event": ({"event"}, {"data", "boxed", "if", "features"}),
}


def build(expression: Expression, pragmas: Pragmas) -> Definition:
    """The definition an expression stands for, its documentation attached.

    :raise QapiError: the expression is no definition, or a bad one.
    """
    keys, place = expression.keys, Place(expression.path, expression.keys.line)
    kinds = [kind for kind in _KEYS if kind in keys.items]
    if len(kinds) != 1:
        raise place.error(
            f"an expression has exactly one of the keys {', '.join(_KEYS)}, include, pragma"
        )
    kind = kinds[0]
    name = _Builder(expression.path, pragmas, kind).text(keys.items[kind], f"'{kind}'")
    check_definition_name(name, kind, place, pragmas)
    return _Builder(expression.path, pragmas, f"{kind} {name}").definition(kind, name, expression)


class _Builder:
    """Knows the file and the definition it is in, to say so in errors."""

    def __init__(self, path: Path, pragmas: Pragmas, where: str) -> None:
        self._path = path
        self._pragmas = pragmas
        self._where = where

    # Definitions

    def definition(self, kind: str, name: str, expression: Expression) -> Definition:
        keys, place = expression.keys, Place(self._path, expression.keys.line)
        self._check_keys(keys, *_KEYS[kind], self._where)
        doc = read_doc(self._path, expression.doc)
        if doc and doc.name != name:
            raise doc.place.error(f"this documents '{doc.name}', but {self._where} follows")
        if not doc and self._pragmas.doc_required:
            raise place.error(
                f"{self._where} is not documented, as pragma 'doc-required' wants; "
                f"put a '##' block with '# @{name}:' before it"
            )
        items = keys.items
        condition = self._condition(items.get("if"))
        features = self._features(items.get("features"))
        permissive = self._pragmas.excepts("member-name-exceptions", name)
        result: Definition
        match kind:
            case "enum":
                if "prefix" in items:
                    self.text(items["prefix"], "'prefix'")
                result = Enum(
                    name=name,
                    place=place,
                    doc=doc,
                    condition=condition,
                    features=features,
                    values=self._values(items["data"].value, doc, permissive),
                )
            case "struct":
                base = self.text(items["base"], "'base'") if "base" in items else None
                result = Struct(
                    name=name,
                    place=place,
                    doc=doc,
                    condition=condition,
                    features=features,
                    base=base,
                    members=self._members(items["data"], doc, permissive),
                )
            case "union":
                discriminator = self.text(items["discriminator"], "'discriminator'")
                result = Union(
                    name=name,
                    place=place,
                    doc=doc,
                    condition=condition,
                    features=features,
                    discriminator=discriminator,
                    base=self._name_or_members(items["base"], doc, permissive),
                    branches=self._branches(items["data"], doc),
                )
            case "alternate":
                result = Alternate(
                    name=name,
                    place=place,
                    doc=doc,
                    condition=condition,
                    features=features,
                    branches=self._branches(items["data"], doc, alternate=True),
                )
            case _:
                boxed = self._flags(keys, ("boxed",)).get("boxed", False)
                data = (
                    self._name_or_members(items["data"], doc, permissive) if "data" in items else {}
                )
                if boxed and not isinstance(data, str):
                    raise place.error(f"{self._where}: 'boxed' needs the name of a type as 'data'")
                if kind == "event":
                    result = Event(
                        name=name,
                        place=place,
                        doc=doc,
                        condition=condition,
                        features=features,
                        data=data,
                        boxed=boxed,
                    )
                else:
                    returns = (
                        self._type(items["returns"].value, "'returns'")
                        if "returns" in items
                        else None
                    )
                    result = Command(
                        name=name,
                        place=place,
                        doc=doc,
                        condition=condition,
                        features=features,
                        data=data,
                        boxed=boxed,
                        returns=returns,
                        flags=self._flags(keys, _FLAGS),
                    )
        if doc:
            check_doc(doc, result, self._where)
        return result

    def _values(self, node: Node, doc: Doc | None, permissive: bool) -> dict[str, EnumValue]:
        values: dict[str, EnumValue] = {}
        for item in self._array(node, "'data'"):
            place = self._place(item)
            condition: str | None = None
            features: tuple[str, ...] = ()
            if isinstance(item, Keys):
                self._check_keys(item, {"name"}, {"if", "features"}, "value")
                name = self.text(item.items["name"], "'name'")
                condition = self._condition(item.items.get("if"))
                features = self._features(item.items.get("features"))
            else:
                name = self._string(item, "a value")
            check_value_name(name, place, permissive=permissive)
            if name in values:
                raise place.error(f"{self._where}: value '{name}' is listed twice")
            values[name] = EnumValue(name, place, condition, features, _described(doc, name))
        return values

    # Members

    def _name_or_members(
        self, entry: Entry, doc: Doc | None, permissive: bool
    ) -> str | dict[str, Member]:
        if isinstance(entry.value, Text):
            return entry.value.value
        return self._members(entry, doc, permissive)

    def _members(self, entry: Entry, doc: Doc | None, permissive: bool) -> dict[str, Member]:
        members: dict[str, Member] = {}
        for key, item in self._object(entry, "'data' (or 'base')").items():
            name = key.removeprefix("*")
            place = Place(self._path, item.line)
            check_member_name(name, place, permissive=permissive)
            if name in members:
                raise place.error(
                    f"{self._where}: member '{name}' is listed twice, with and without '*'"
                )
            members[name] = self._member(
                name, item, doc, {"if", "features"}, optional=key.startswith("*")
            )
        return members

    def _branches(
        self, entry: Entry, doc: Doc | None, *, alternate: bool = False
    ) -> dict[str, Member]:
        items = self._object(entry, "'data'")
        if alternate and not items:
            raise Place(self._path, entry.line).error(f"{self._where}: needs at least one branch")
        branches = {}
        for name, item in items.items():
            if alternate:  # A union's branches are values, whose names were checked there.
                check_member_name(name, Place(self._path, item.line))
            branches[name] = self._member(name, item, doc, {"if"}, optional=False)
            if branches[name].type.array and not alternate:
                raise branches[name].place.error(
                    f"{self._where}: branch '{name}' must be a struct or union, not an array"
                )
        return branches

    def _member(
        self, name: str, entry: Entry, doc: Doc | None, may: set[str], *, optional: bool
    ) -> Member:
        place, value = Place(self._path, entry.line), entry.value
        what = f"'{name}'"
        condition: str | None = None
        features: tuple[str, ...] = ()
        if isinstance(value, Keys):
            self._check_keys(value, {"type"}, may, what)
            condition = self._condition(value.items.get("if"))
            features = self._features(value.items.get("features"))
            value = value.items["type"].value
        return Member(
            name,
            self._type(value, what),
            place,
            optional,
            condition,
            features,
            _described(doc, name),
        )

    def _type(self, node: Node, what: str) -> TypeRef:
        match node:
            case Text(value=name):
                return TypeRef(name)
            case Items(items=(Text(value=name),)):
                return TypeRef(name, array=True)
        raise self._place(node).error(
            f"{self._where}: type of {what} must be 'Name', ['Name'] or {{ 'type': … }}"
        )

    # Small parts

    def _condition(self, entry: Entry | None) -> str | None:
        return self._one_condition(entry.value) if entry else None

    def _one_condition(self, node: Node) -> str:
        match node:
            case Text(value=name) if re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
                return name
            case Keys(items=items) if len(items) == 1:
                ((operator, entry),) = items.items()
                if operator == "not":
                    return f"not {self._one_condition(entry.value)}"
                if operator in ("all", "any"):
                    parts = [
                        self._one_condition(part)
                        for part in self._array(entry.value, f"'{operator}'")
                    ]
                    if parts:
                        return f"({(' and ' if operator == 'all' else ' or ').join(parts)})"
        raise self._place(node).error(
            f"{self._where}: 'if' takes a 'MACRO', {{ 'all': [ … ] }}, {{ 'any': [ … ] }} or "
            "{ 'not': … }"
        )

    def _features(self, entry: Entry | None) -> tuple[str, ...]:
        names: list[str] = []
        for item in self._array(entry.value, "'features'") if entry else ():
            if isinstance(item, Keys):
                self._check_keys(item, {"name"}, {"if"}, "feature")
                self._condition(item.items.get("if"))
                name = self.text(item.items["name"], "'name'")
            else:
                name = self._string(item, "a feature")
            check_member_name(name, self._place(item))
            if name in names:
                raise self._place(item).error(f"{self._where}: feature '{name}' is listed twice")
            names.append(name)
        return tuple(names)

    def _flags(self, keys: Keys, names: tuple[str, ...]) -> dict[str, bool]:
        flags = {}
        for name in names:
            if name not in keys.items:
                continue
            entry = keys.items[name]
            only = name not in ("gen", "success-response")
            if not isinstance(entry.value, Flag) or entry.value.value is not only:
                raise Place(self._path, entry.line).error(
                    f"{self._where}: '{name}' can only be {str(only).lower()}; leave it out "
                    "otherwise"
                )
            flags[name] = entry.value.value
        if flags.keys() >= {"allow-oob", "coroutine"}:
            raise Place(self._path, keys.line).error(
                f"{self._where}: 'allow-oob' and 'coroutine' exclude each other"
            )
        return flags

    def _check_keys(self, keys: Keys, must: set[str], may: set[str], what: str) -> None:
        for key, entry in keys.items.items():
            if key not in must | may:
                raise Place(self._path, entry.line).error(
                    f"{self._prefix(what)} has an unknown key '{key}'"
                    + did_you_mean(key, must | may)
                )
        if missing := must - set(keys.items):
            raise Place(self._path, keys.line).error(
                f"{self._prefix(what)} lacks the key '{min(missing)}'"
            )

    def _array(self, node: Node, what: str) -> tuple[Node, ...]:
        if not isinstance(node, Items):
            raise self._place(node).error(f"{self._prefix(what)} must be an array")
        return node.items

    def _object(self, entry: Entry, what: str) -> dict[str, Entry]:
        if not isinstance(entry.value, Keys):
            raise Place(self._path, entry.line).error(f"{self._prefix(what)} must be an object")
        return entry.value.items

    def text(self, entry: Entry, what: str) -> str:
        """The string a key holds."""
        return self._string(entry.value, what)

    def _string(self, node: Node, what: str) -> str:
        if not isinstance(node, Text):
            raise self._place(node).error(f"{self._prefix(what)} must be a string")
        return node.value

    def _prefix(self, what: str) -> str:
        return what if what == self._where else f"{self._where}: {what}"

    def _place(self, node: Node) -> Place:
        return Place(self._path, node.line)


def _described(doc: Doc | None, name: str) -> str:
    return doc.members.get(name, "") if doc else ""

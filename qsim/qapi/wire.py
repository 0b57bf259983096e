# SPDX-License-Identifier: GPL-2.0-or-later
"""Write QAPI types as JSON Schema (draft 2020-12).

Choices are written with ``if``/``then``, never ``oneOf``: then a validator descends only
into the branch that was meant, and its errors name that branch's members. ``title`` carries
the QAPI name into errors.

Source: QEMU's docs/devel/qapi-code-gen, "Built-in Types" and the wire format given with each
kind of type.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from .model import (
    INTEGERS,
    Alternate,
    Command,
    Definition,
    Enum,
    Event,
    Member,
    Struct,
    TypeRef,
    Union,
)
from .resolve import json_kind

Json = dict[str, Any]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_BUILTINS: Final[dict[str, Json]] = {
    **{
        name: {"type": "integer", "minimum": low, "maximum": high}
        for name, (low, high) in INTEGERS.items()
    },
    "str": {"type": "string"},
    "number": {"type": "number"},
    "bool": {"type": "boolean"},
    "null": {"type": "null"},
    "any": {},
}
# docs/interop/qmp-spec, "Asynchronous events": -1 twice if the clock could not be read.
_TIMESTAMP: Final[Json] = {
    "type": "object",
    "properties": {"seconds": {"type": "integer"}, "microseconds": {"type": "integer"}},
    "required": ["seconds", "microseconds"],
    "additionalProperties": False,
}


def type_schema(definitions: Mapping[str, Definition], ref: TypeRef) -> Json:
    """The JSON Schema of values of a type."""
    return _Writer(definitions).document(lambda writer: writer.ref(ref))


def arguments_schema(definitions: Mapping[str, Definition], command: Command) -> Json:
    """The JSON Schema of a command's ``arguments`` object."""
    return _Writer(definitions).document(lambda writer: writer.data(command))


def event_schema(definitions: Mapping[str, Definition], event: Event) -> Json:
    """The JSON Schema of a whole event message: ``event``, ``data``, ``timestamp``."""

    def message(writer: _Writer) -> Json:
        data = writer.data(event)
        # An event without data has no "data" on the wire, or an empty one.
        mandatory = ["data"] if data.get("required") or "$ref" in data else []
        return {
            "title": event.name,
            "type": "object",
            "properties": {"event": {"const": event.name}, "data": data, "timestamp": _TIMESTAMP},
            "required": ["event", *mandatory, "timestamp"],
            "additionalProperties": False,
        }

    return _Writer(definitions).document(message)


class _Writer:
    """Collects, in ``$defs``, each named type that is referred to."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self._definitions = definitions
        self._defs: dict[str, Json] = {}

    def document(self, body: "Callable[[_Writer], Json]") -> Json:
        schema: Json = {"$schema": _DIALECT, **body(self)}
        if self._defs:
            schema["$defs"] = dict(sorted(self._defs.items()))
        return schema

    def ref(self, ref: TypeRef) -> Json:
        if ref.array:
            return {"type": "array", "items": self.ref(TypeRef(ref.name))}
        if ref.name in _BUILTINS:
            return _BUILTINS[ref.name]
        definition = self._definitions[ref.name]
        if ref.name not in self._defs:
            self._defs[ref.name] = {}  # Holds the place: types may refer to themselves.
            match definition:
                case Enum():
                    self._defs[ref.name] = {"title": ref.name, "enum": list(definition.values)}
                case Struct() | Union():
                    self._defs[ref.name] = self._object(ref.name, {}, definition)
                case Alternate():
                    self._defs[ref.name] = self._alternate(definition)
            if definition.doc and definition.doc.summary:
                self._defs[ref.name]["description"] = definition.doc.summary
        return {"$ref": f"#/$defs/{ref.name}"}

    def data(self, definition: Command | Event) -> Json:
        if isinstance(definition.data, str):
            return self.ref(TypeRef(definition.data))
        return self._closed(definition.name, definition.data)

    def _closed(
        self, title: str, members: Mapping[str, Member], fixed: Mapping[str, str] | None = None
    ) -> Json:
        """An object of just these members; ``fixed`` ones are discriminators, already chosen."""
        properties = {name: self.ref(member.type) for name, member in members.items()}
        properties |= {name: {"const": value} for name, value in (fixed or {}).items()}
        return {
            "title": title,
            "type": "object",
            "properties": properties,
            "required": [name for name, member in members.items() if not member.optional],
            "additionalProperties": False,
        }

    def _object(
        self,
        title: str,
        outer: Mapping[str, Member],
        definition: Struct | Union,
        fixed: Mapping[str, str] | None = None,
    ) -> Json:
        """A struct or union; ``outer`` are members it gets from a union it is a branch of."""
        fixed = fixed or {}
        if isinstance(definition, Struct):
            return self._closed(
                title, {**outer, **all_members(self._definitions, definition)}, fixed
            )
        tag = definition.discriminator
        members = {**outer, **all_members(self._definitions, definition)}
        enum = self._definitions[members[tag].type.name]
        assert isinstance(enum, Enum)
        choices = []
        for value in enum.values:
            name = f"{title}({tag}={value})"
            branch = definition.branches.get(value)
            chosen = {**fixed, tag: value}
            if branch:
                target = self._definitions[branch.type.name]
                assert isinstance(target, Struct | Union)
                schema = self._object(name, members, target, chosen)
            else:
                schema = self._closed(name, members, chosen)
            self._defs[name] = schema
            choices.append(
                {
                    "if": {
                        "type": "object",
                        "required": [tag],
                        "properties": {tag: {"const": value}},
                    },
                    "then": {"$ref": f"#/$defs/{name}"},
                }
            )
        return {
            "title": title,
            "type": "object",
            "required": [tag],
            "properties": {tag: self.ref(members[tag].type)},
            "allOf": choices,
        }

    def _alternate(self, definition: Alternate) -> Json:
        kinds, choices = [], []
        for branch in definition.branches.values():
            kind = json_kind(self._definitions, branch.type)
            if kind == "number" and branch.type.name != "number":
                kind = "integer"
            kinds.append(kind)
            choices.append({"if": {"type": kind}, "then": self.ref(branch.type)})
        return {"title": definition.name, "type": kinds, "allOf": choices}


def all_members(
    definitions: Mapping[str, Definition], definition: Struct | Union
) -> dict[str, Member]:
    """The members of a struct with those of its bases first; of a union, the common ones."""
    return dict(_members(definitions, definition))


def _members(
    definitions: Mapping[str, Definition], definition: Struct | Union
) -> Iterator[tuple[str, Member]]:
    if isinstance(definition.base, str):
        base = definitions[definition.base]
        assert isinstance(base, Struct)
        yield from _members(definitions, base)
    if isinstance(definition, Struct):
        yield from definition.members.items()
    elif not isinstance(definition.base, str):
        yield from definition.base.items()

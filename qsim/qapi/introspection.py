# SPDX-License-Identifier: GPL-2.0-or-later
"""What a QEMU says of itself in reply to ``query-qmp-schema``; and our schema said that way.

Both sides of a comparison are read from this one form, so that it compares like with like.

Source: QEMU's qapi/introspect.json and scripts/qapi/introspect.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .errors import Problem, QapiValueError
from .model import (
    BUILTINS,
    INTEGERS,
    Alternate,
    Command,
    Enum,
    Event,
    Member,
    Struct,
    TypeRef,
    Union,
)
from .schema import Schema

SchemaInfo = Mapping[str, Any]

_JSON_TYPES: Final = {
    "str": "string",
    "number": "number",
    "int": "int",
    "bool": "boolean",
    "null": "null",
    "any": "value",
}
# Not QEMU's: marks, in our own introspection, what exists only in some builds.
_CONDITION: Final = "if"
_IMPLICIT: Final = "q_obj_"


def introspection(schema: Schema) -> list[dict[str, Any]]:
    """What ``query-qmp-schema`` would reply for this schema, with type names left readable.

    Two things go beyond what QEMU replies: a command without ``returns`` has no
    ``ret-type``, and an ``if`` stays as a member of that name.
    """
    return _Introspector(schema).infos()


class _Introspector:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._infos: dict[str, dict[str, Any]] = {}

    def infos(self) -> list[dict[str, Any]]:
        for definition in self._schema.definitions.values():
            if not isinstance(definition, Command | Event):
                continue
            kind = "command" if isinstance(definition, Command) else "event"
            info = {"name": definition.name, "meta-type": kind, "arg-type": self._data(definition)}
            if isinstance(definition, Command) and definition.returns:
                info["ret-type"] = self._ref(definition.returns)
            self._infos[definition.name] = _conditional(info, definition.condition)
        return list(self._infos.values())

    def _data(self, definition: Command | Event) -> str:
        if isinstance(definition.data, str):
            return self._ref(TypeRef(definition.data))
        name = f"{_IMPLICIT}{definition.name}-arg"
        self._infos[name] = {
            "name": name,
            "meta-type": "object",
            "members": self._members(definition.data),
        }
        return name

    def _ref(self, ref: TypeRef) -> str:
        """The name of a type; it is added if it is not there yet."""
        name = "int" if ref.name in INTEGERS else ref.name
        if ref.array:
            element = self._ref(TypeRef(name))
            self._infos[f"[{name}]"] = {
                "name": f"[{name}]",
                "meta-type": "array",
                "element-type": element,
            }
            return f"[{name}]"
        if name not in self._infos:
            self._infos[name] = {}  # Holds the place: types may refer to themselves.
            self._infos[name] = {"name": name, **self._type(name)}
        return name

    def _type(self, name: str) -> dict[str, Any]:
        if name in BUILTINS:
            return {"meta-type": "builtin", "json-type": _JSON_TYPES[name]}
        definition = self._schema.definitions[name]
        match definition:
            case Struct():
                return {"meta-type": "object", "members": self._members(self._schema.members(name))}
            case Union():
                return {
                    "meta-type": "object",
                    "tag": definition.discriminator,
                    "members": self._members(self._schema.members(name)),
                    "variants": [
                        _conditional(
                            {"case": branch.name, "type": self._ref(branch.type)}, branch.condition
                        )
                        for branch in definition.branches.values()
                    ],
                }
            case Alternate():
                return {
                    "meta-type": "alternate",
                    "members": [
                        _conditional({"type": self._ref(branch.type)}, branch.condition)
                        for branch in definition.branches.values()
                    ],
                }
            case Enum():
                return {
                    "meta-type": "enum",
                    "members": [
                        _conditional({"name": value.name}, value.condition)
                        for value in definition.values.values()
                    ],
                }
        raise AssertionError(f"{name} is no type, as resolve() made sure")

    def _members(self, members: Mapping[str, Member]) -> list[dict[str, Any]]:
        return [
            _conditional(
                {
                    "name": name,
                    "type": self._ref(member.type),
                    **({"default": None} if member.optional else {}),
                },
                member.condition,
            )
            for name, member in members.items()
        ]


def _conditional(info: dict[str, Any], condition: str | None) -> dict[str, Any]:
    return info if condition is None else {**info, _CONDITION: condition}


@dataclass(frozen=True)
class Item:
    """A member, an enumeration value or a branch.

    :param type: the name of its type; empty for a value.
    :param condition: what a build must have for it to exist; None if it always does.
    """

    type: str
    optional: bool
    condition: str | None


@dataclass(frozen=True)
class Entity:
    """A command, event or type of an introspection.

    :param kind: ``command``, ``event``, ``object``, ``alternate``, ``array``, ``enum``, or
        the JSON type of a built-in.
    :param items: members by name, values by name, or alternatives by JSON type.
    :param branches: by value of ``tag``; those that add no members are left out.
    :param target: of an array its element, of a command or event its arguments.
    :param returns: of a command; None if it is not said.
    """

    name: str
    kind: str
    items: dict[str, Item]
    tag: str | None = None
    branches: dict[str, Item] | None = None
    target: str = ""
    returns: str | None = None
    condition: str | None = None

    @property
    def implicit(self) -> bool:
        """Whether this is the nameless type of a command's arguments."""
        return self.name.startswith(_IMPLICIT)


def read_introspection(infos: Iterable[SchemaInfo]) -> dict[str, Entity]:
    """The entities of a ``query-qmp-schema`` reply, by name.

    :raise QapiValueError: this is no such reply.
    """
    try:
        by_name = {str(info["name"]): info for info in infos}
        return {name: _entity(info, by_name) for name, info in by_name.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise QapiValueError(
            "query-qmp-schema",
            [Problem("", f"not a list of SchemaInfo objects: {type(error).__name__}: {error}")],
        ) from error


def _entity(info: SchemaInfo, by_name: Mapping[str, SchemaInfo]) -> Entity:
    name, kind = str(info["name"]), str(info["meta-type"])
    condition = info.get(_CONDITION)
    match kind:
        case "command" | "event":
            return Entity(
                name,
                kind,
                {},
                target=_known(info["arg-type"], by_name),
                returns=info.get("ret-type"),
                condition=condition,
            )
        case "builtin":
            return Entity(name, str(info["json-type"]), {})
        case "array":
            return Entity(name, kind, {}, target=_known(info["element-type"], by_name))
        case "enum":
            # Releases before 6.2 only have the bare 'values'.
            members = (
                info["members"]
                if "members" in info
                else [{"name": value} for value in info["values"]]
            )
            return Entity(name, kind, {str(m["name"]): _item(m) for m in members})
        case "alternate":
            return Entity(
                name, kind, {_json_type(by_name, m["type"]): _item(m) for m in info["members"]}
            )
        case "object":
            branches = {
                str(v["case"]): _item(v)
                for v in info.get("variants", ())
                if not _is_empty(by_name[v["type"]])
            }
            for member in info["members"]:
                _known(member["type"], by_name)
            return Entity(
                name,
                kind,
                {str(m["name"]): _item(m) for m in info["members"]},
                tag=info.get("tag"),
                branches=branches,
            )
    raise KeyError(f"meta-type {kind}")


def _item(info: SchemaInfo) -> Item:
    return Item(str(info.get("type", "")), "default" in info, info.get(_CONDITION))


def _known(name: str, by_name: Mapping[str, SchemaInfo]) -> str:
    by_name[name]  # A KeyError here becomes the caller's error.
    return name


def _is_empty(info: SchemaInfo) -> bool:
    return info["meta-type"] == "object" and not info["members"] and not info.get("variants")


def _json_type(by_name: Mapping[str, SchemaInfo], name: str) -> str:
    info = by_name[name]
    kinds = {"builtin": info.get("json-type"), "enum": "string"}
    return str(kinds.get(info["meta-type"], info["meta-type"]))

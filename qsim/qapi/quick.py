# SPDX-License-Identifier: GPL-2.0-or-later
"""A short way to yes: does a value plainly conform to a schema that :mod:`.wire` wrote?

:mod:`jsonschema` makes an object per subschema and value; an event took it 150 µs, a
``blockdev-add`` of a quorum 2 ms (now 12 and 150 µs), and they are checked by the thousand.
This knows just the keywords that :mod:`.wire` writes and only ever says "yes" or "ask
jsonschema", which finds the errors in everything refused.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from .wire import Json


def plainly_conforms(schema: Json, value: Any, defs: Mapping[str, Json]) -> bool:
    """True: the value conforms. False: it may or may not, ask :mod:`jsonschema`.

    :param defs: the ``$defs`` of the document the schema is part of.
    """
    for keyword, wanted in schema.items():
        test = _TESTS.get(keyword)
        if test is None or not test(wanted, value, schema, defs):
            return False
    return True


_Test = Callable[[Any, Any, Json, Mapping[str, Json]], bool]

# Exact classes, so that True is no integer; a subclass is left to jsonschema.
_CLASSES: Final[dict[str, tuple[type, ...]]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
}


def _type(wanted: Any, value: Any, _: Json, _defs: Mapping[str, Json]) -> bool:
    if isinstance(wanted, str):
        return type(value) in _CLASSES[wanted]
    return any(type(value) in _CLASSES[kind] for kind in wanted)


def _enum(wanted: Any, value: Any, _: Json, _defs: Mapping[str, Json]) -> bool:
    return type(value) is str and value in wanted


def _const(wanted: Any, value: Any, _: Json, _defs: Mapping[str, Json]) -> bool:
    return type(value) is str and value == wanted


def _properties(wanted: Any, value: Any, _: Json, defs: Mapping[str, Json]) -> bool:
    return all(
        plainly_conforms(wanted[name], item, defs) for name, item in value.items() if name in wanted
    )


def _closed(wanted: Any, value: Any, schema: Json, _: Mapping[str, Json]) -> bool:
    return wanted is False and value.keys() <= schema["properties"].keys()


def _then(wanted: Any, value: Any, schema: Json, defs: Mapping[str, Json]) -> bool:
    return not _chosen(schema["if"], value) or plainly_conforms(wanted, value, defs)


def _chosen(condition: Json, value: Any) -> bool:
    """Whether an ``if`` holds, exactly; only of the two forms that wire.py writes."""
    if type(value) not in _CLASSES[condition["type"]]:
        return False
    return all(
        value.get(name) == test["const"] for name, test in condition.get("properties", {}).items()
    )


_TESTS: Final[dict[str, _Test]] = {
    # "type" is written before those that rely on it: min- and maximum, required, properties…
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": lambda wanted, value, _s, _d: value >= wanted,
    "maximum": lambda wanted, value, _s, _d: value <= wanted,
    "required": lambda wanted, value, _s, _d: all(name in value for name in wanted),
    "properties": _properties,
    "additionalProperties": _closed,
    "items": lambda wanted, value, _s, defs: all(
        plainly_conforms(wanted, item, defs) for item in value
    ),
    "allOf": lambda wanted, value, _s, defs: all(
        plainly_conforms(part, value, defs) for part in wanted
    ),
    "if": lambda _w, _v, _s, _d: True,  # Looked at with its "then".
    "then": _then,
    "$ref": lambda wanted, value, _s, defs: plainly_conforms(
        defs[wanted.removeprefix("#/$defs/")], value, defs
    ),
    **{note: lambda _w, _v, _s, _d: True for note in ("$schema", "$defs", "title", "description")},
}

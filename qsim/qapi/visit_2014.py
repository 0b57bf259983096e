# SPDX-License-Identifier: GPL-2.0-or-later
"""What QEMU of 2014 says to arguments that do not conform.

Source: qapi/qmp-input-visitor.c, qapi/qapi-visit-core.c and include/qapi/qmp/qerror.h at
a9db86b223.  Members are visited in the schema's order; one that is missing is of the wrong type;
what nobody has visited is found last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .model import Command, Definition, Enum, Struct, TypeRef, Union
from .schema import Schema
from .visit import VisitError

_MISSING = object()
_INT64 = range(-(1 << 63), 1 << 63)
_SCALARS: dict[str, tuple[type, str]] = {
    "int": (int, "integer"),
    "bool": (bool, "boolean"),
    "str": (str, "string"),
}


def visit_arguments_2014(schema: Schema, command: str, arguments: Mapping[str, Any]) -> None:
    """Visit a command's arguments as QEMU of 2014 does.

    :raise VisitError: with its text, for the first thing it refuses.
    """
    definition = schema.definitions.get(command)
    if not isinstance(definition, Command):
        raise VisitError(f"The command {command} has not been found")
    if not definition.data:
        for key in arguments:
            raise VisitError(f"Invalid parameter '{key}'")
    if isinstance(definition.data, str):
        _visit(schema, TypeRef(definition.data), arguments, "options")


def _wrong_type(name: str, expected: str) -> VisitError:
    return VisitError(f"Invalid parameter type for '{name or 'null'}', expected: {expected}")


def _visit(schema: Schema, ref: TypeRef, value: Any, name: str) -> None:
    if ref.array:
        if not isinstance(value, list):
            raise _wrong_type(name, "list")
        for item in value:
            _visit(schema, TypeRef(ref.name), item, "")
        return
    match schema.definitions.get(ref.name):
        case Enum() as enum:
            if not isinstance(value, str):
                raise _wrong_type(name, "string")
            if value not in enum.values:
                raise VisitError(f"Invalid parameter '{value}'")
        case Struct() | Union() as obj:
            if not isinstance(value, dict):
                raise _wrong_type(name, "QDict")
            known = _visit_members(schema, obj, value)
            for key in value:
                if key not in known:
                    raise VisitError(f"QMP input object member '{key}' is unexpected")
        case None:
            kind, expected = _SCALARS[ref.name]
            # A number beyond 64 bits was a floating point number by then.
            if type(value) is not kind or (isinstance(value, int) and value not in _INT64):
                raise _wrong_type(name, expected)
        case _:
            # BlockdevRef: options or a name.
            if isinstance(value, dict):
                _visit(schema, TypeRef("BlockdevOptions"), value, name)
            elif not isinstance(value, str):
                # A type the generated code does not list is taken for the first one it does.
                raise _wrong_type(name, "QDict")


def _visit_members(schema: Schema, obj: Struct | Union, value: Mapping[str, Any]) -> set[str]:
    """Visit an object's members; the names it knows."""
    members = schema.members(obj.name)
    for member in members.values():
        if member.name in value or not member.optional:
            _visit(schema, member.type, value.get(member.name, _MISSING), member.name)
    known = set(members)
    if isinstance(obj, Union):
        branch = obj.branches.get(value[obj.discriminator])
        if branch is not None:
            inner: Definition = schema.definitions[branch.type.name]
            assert isinstance(inner, Struct | Union)
            known |= _visit_members(schema, inner, value)
    return known

# SPDX-License-Identifier: GPL-2.0-or-later
"""What QEMU says to arguments that do not conform: the first error its input visitor meets.

Source: qapi/qobject-input-visitor.c, qapi/qapi-visit-core.c and the texts of
include/qapi/qmp/qerror.h, 5.2 to 10.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .model import (
    INTEGERS,
    Alternate,
    Command,
    Definition,
    Enum,
    Member,
    Struct,
    TypeRef,
    Union,
)
from .schema import Schema


class VisitError(Exception):
    """The error QEMU would answer with; ``str()`` is its ``desc``."""


class EnumError(VisitError):
    """That of a value an enumeration does not have."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(f"Parameter '{name}' does not accept value '{value}'")
        self.value = value


def visit_arguments(schema: Schema, command: str, arguments: Mapping[str, Any]) -> None:
    """Visit a command's arguments as QEMU does.

    :raise VisitError: with QEMU's text, for the first thing it refuses.
    """
    definition = schema.definitions.get(command)
    if not isinstance(definition, Command):
        raise VisitError(f"The command {command} has not been found")
    data = definition.data
    if isinstance(data, str):
        _visit_type(schema, TypeRef(data), arguments, "", "")
    else:
        _visit_members(schema, data.values(), arguments, "")
        _check_unexpected(arguments, data, "")


def visit_arguments_5_2(schema: Schema, command: str, arguments: Mapping[str, Any]) -> None:
    """The same in 5.2, which does not say what member an enumeration's value was for.

    :raise VisitError: see there.
    """
    try:
        visit_arguments(schema, command, arguments)
    except EnumError as error:
        raise VisitError(f"Invalid parameter '{error.value}'") from error


def _wrong_type(full: str, expected: str) -> VisitError:
    return VisitError(f"Invalid parameter type for '{full or 'null'}', expected: {expected}")


def _visit_members(
    schema: Schema, members: Iterable[Member], value: Mapping[str, Any], full: str
) -> None:
    for member in members:
        path = f"{full}.{member.name}" if full else member.name
        if member.name in value:
            _visit_type(schema, member.type, value[member.name], member.name, path)
        elif not member.optional:
            raise VisitError(f"Parameter '{path}' is missing")


def _check_unexpected(value: Mapping[str, Any], known: Iterable[str], full: str) -> None:
    """visit_check_struct(): what nobody has visited."""
    known = set(known)
    for name in value:
        if name not in known:
            path = f"{full}.{name}" if full else name
            raise VisitError(f"Parameter '{path}' is unexpected")


def _visit_type(schema: Schema, ref: TypeRef, value: Any, name: str, full: str) -> None:
    if ref.array:
        if not isinstance(value, list):
            raise _wrong_type(full, "array")
        for i, item in enumerate(value):
            _visit_type(schema, TypeRef(ref.name), item, "", f"{full}[{i}]")
        return
    match schema.definitions.get(ref.name):
        case Enum() as enum:
            if not isinstance(value, str):
                raise _wrong_type(full, "string")
            if value not in enum.values:
                raise EnumError(name or "null", value)
        case Struct() | Union() as obj:
            if not isinstance(value, dict):
                raise _wrong_type(full, "object")
            _check_unexpected(value, _visit_object(schema, obj, value, full), full)
        case Alternate() as alternate:
            _visit_alternate(schema, alternate, value, name, full)
        case _:
            _visit_builtin(ref.name, value, full)


def _visit_object(
    schema: Schema, obj: Struct | Union, value: Mapping[str, Any], full: str
) -> set[str]:
    """Visit an object's members, its base's first; the names it knows."""
    members = schema.members(obj.name)
    _visit_members(schema, members.values(), value, full)
    known = set(members)
    if isinstance(obj, Union):
        branch = obj.branches.get(value[obj.discriminator])
        if branch is not None:
            inner: Definition = schema.definitions[branch.type.name]
            assert isinstance(inner, Struct | Union)
            known |= _visit_object(schema, inner, value, full)
    return known


def _visit_alternate(
    schema: Schema, alternate: Alternate, value: Any, name: str, full: str
) -> None:
    for branch in alternate.branches.values():
        if _kind(schema, branch.type) is type(value):
            _visit_type(schema, branch.type, value, name, full)
            return
    # Generated code names the member without its path, and an element of an array not at all.
    raise _wrong_type(name, alternate.name)


def _kind(schema: Schema, ref: TypeRef) -> type:
    """The class a JSON value of this type has in Python."""
    if ref.array:
        return list
    if ref.name in INTEGERS:
        return int
    builtin = {"str": str, "bool": bool, "null": type(None), "number": float}
    if ref.name in builtin:
        return builtin[ref.name]
    return str if isinstance(schema.definitions[ref.name], Enum) else dict


def _visit_builtin(type_name: str, value: Any, full: str) -> None:
    if type_name in INTEGERS:
        low, high = INTEGERS[type_name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong_type(full, "integer")
        if not low <= value <= high:
            raise _wrong_type(full, "uint64" if type_name in ("uint64", "size") else "integer")
    elif type_name == "str" and not isinstance(value, str):
        raise _wrong_type(full, "string")
    elif type_name == "bool" and not isinstance(value, bool):
        raise _wrong_type(full, "boolean")
    elif type_name == "null" and value is not None:
        raise _wrong_type(full, "null")

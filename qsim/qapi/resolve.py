# SPDX-License-Identifier: GPL-2.0-or-later
"""Check what definitions say of each other: names, bases, discriminators, branches.

Source: QEMU's docs/devel/qapi-code-gen, "Union types", "Alternate types", "Commands".
"""

from collections.abc import Iterable, Mapping

from .errors import did_you_mean
from .model import (
    BUILTINS,
    INTEGERS,
    Alternate,
    Command,
    Definition,
    Enum,
    Event,
    Member,
    Place,
    Struct,
    Type,
    TypeRef,
    Union,
)
from .names import Pragmas


def resolve(definitions: Mapping[str, Definition], pragmas: Pragmas) -> None:
    """Check every reference between definitions.

    :raise QapiError: an unknown type, a type of the wrong kind, members that clash, a
        discriminator or branch that does not fit its enumeration, branches of an alternate
        that look the same on the wire.
    """
    resolver = _Resolver(definitions)
    for definition in definitions.values():
        resolver.check(definition, pragmas)


def json_kind(definitions: Mapping[str, Definition], ref: TypeRef) -> str:
    """The kind of JSON value a type is written as; ``value`` for any kind."""
    if ref.array:
        return "array"
    if ref.name in INTEGERS or ref.name == "number":
        return "number"
    if ref.name in BUILTINS:
        return {"str": "string", "bool": "boolean", "null": "null", "any": "value"}[ref.name]
    match definitions[ref.name]:
        case Enum():
            return "string"
        case Struct() | Union():
            return "object"
    return "alternate"


class _Resolver:
    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self._definitions = definitions

    def check(self, definition: Definition, pragmas: Pragmas) -> None:
        where = f"{type(definition).__name__.lower()} {definition.name}"
        match definition:
            case Struct(members=members, place=place):
                self._check_types(members.values(), where)
                self._check_bases(definition)
                self._check_clash(definition.base, members, where, place)
            case Union():
                self._check_union(definition, where)
            case Alternate():
                self._check_alternate(definition, where)
            case Command(data=data, place=place) | Event(data=data, place=place):
                if isinstance(data, str):
                    kind = self._object(data, place, f"{where}: 'data'")
                    if isinstance(kind, Union) and not definition.boxed:
                        raise place.error(
                            f"{where}: 'data' names a union, which needs 'boxed': true"
                        )
                else:
                    self._check_types(data.values(), where)
                if isinstance(definition, Command) and definition.returns:
                    self._check_returns(definition, definition.returns, pragmas)

    def _type(self, name: str, place: Place, what: str) -> Type | None:
        """The type by that name; None for a built-in one."""
        if name in BUILTINS:
            return None
        found = self._definitions.get(name)
        if isinstance(found, Enum | Struct | Union | Alternate):
            return found
        if found:
            raise place.error(
                f"{what} is '{name}', which is no type but defined as "
                f"{type(found).__name__.lower()} at {found.place}"
            )
        types = {n for n, d in self._definitions.items() if isinstance(d, Type)} | BUILTINS
        raise place.error(
            f"{what} is '{name}', a type that is not defined" + did_you_mean(name, types)
        )

    def _object(self, name: str, place: Place, what: str) -> Struct | Union:
        found = self._type(name, place, what)
        if not isinstance(found, Struct | Union):
            raise place.error(f"{what} must name a struct or union, '{name}' is none")
        return found

    def _check_types(self, members: Iterable[Member], where: str) -> None:
        for member in members:
            self._type(member.type.name, member.place, f"{where}: type of '{member.name}'")

    def _check_bases(self, struct: Struct) -> None:
        seen = [struct.name]
        while struct.base is not None:
            base = self._type(struct.base, struct.place, f"struct {struct.name}: 'base'")
            if not isinstance(base, Struct):
                raise struct.place.error(
                    f"struct {struct.name}: 'base' must name a struct, '{struct.base}' is none"
                )
            if base.name in seen:
                raise struct.place.error(
                    f"struct {struct.name} is its own base, by way of {' and '.join(seen)}"
                )
            seen.append(base.name)
            struct = base

    def _members(self, base: str | None) -> dict[str, Member]:
        """The members of a struct, those of its bases first."""
        struct = self._definitions[base] if base is not None else None
        return (
            {**self._members(struct.base), **struct.members} if isinstance(struct, Struct) else {}
        )

    def _check_clash(
        self, base: str | None, own: Mapping[str, Member], where: str, place: Place
    ) -> None:
        for name in self._members(base):
            if name in own:
                raise own[name].place.error(
                    f"{where}: '{name}' is a member of its base {base} already"
                )

    def _check_union(self, union: Union, where: str) -> None:
        if isinstance(union.base, str):
            base = self._type(union.base, union.place, f"{where}: 'base'")
            if not isinstance(base, Struct):
                raise union.place.error(
                    f"{where}: 'base' must name a struct, '{union.base}' is none"
                )
            self._check_bases(base)
            common = self._members(union.base)
        else:
            common = union.base
            self._check_types(common.values(), where)
        tag = common.get(union.discriminator)
        if tag is None:
            raise union.place.error(
                f"{where}: discriminator '{union.discriminator}' is no "
                "member of the base" + did_you_mean(union.discriminator, common)
            )
        enum = None if tag.type.array else self._definitions.get(tag.type.name)
        if not isinstance(enum, Enum) or tag.optional or tag.condition:
            raise union.place.error(
                f"{where}: discriminator '{tag.name}' must be of an enum "
                "type, mandatory and unconditional"
            )
        if not enum.values:
            raise union.place.error(
                f"{where}: discriminator '{tag.name}' has no values; give "
                f"enum {enum.name} at least one"
            )
        for branch in union.branches.values():
            what = f"{where}: branch '{branch.name}'"
            if branch.name not in enum.values:
                raise branch.place.error(
                    f"{what} is no value of enum {enum.name}"
                    + did_you_mean(branch.name, enum.values)
                )
            found = self._object(branch.type.name, branch.place, what)
            self._check_branch(found, common, branch, what)

    def _check_branch(
        self, found: Struct | Union, common: Mapping[str, Member], branch: Member, what: str
    ) -> None:
        """The members a branch brings, at any depth, must not be common members too."""
        if isinstance(found, Struct):
            self._check_bases(found)
            own = self._members(found.name)
        else:
            own = self._members(found.base) if isinstance(found.base, str) else found.base
            for inner in found.branches.values():
                self._check_branch(
                    self._object(inner.type.name, inner.place, what), common, branch, what
                )
        for name in own:
            if name in common:
                raise branch.place.error(
                    f"{what}: {found.name} has a member '{name}', and so has the union's base"
                )

    def _check_alternate(self, alternate: Alternate, where: str) -> None:
        self._check_types(alternate.branches.values(), where)
        seen: dict[str, str] = {}
        for branch in alternate.branches.values():
            kind = json_kind(self._definitions, branch.type)
            what = f"{where}: branch '{branch.name}'"
            if kind in ("alternate", "value"):
                raise branch.place.error(
                    f"{what} cannot be of type '{branch.type}': its value does not tell the branch"
                )
            if kind in seen:
                raise branch.place.error(
                    f"{what} is a JSON {kind}, as branch '{seen[kind]}' is; "
                    "the value would not tell the branch"
                )
            seen[kind] = branch.name

    def _check_returns(self, command: Command, returns: TypeRef, pragmas: Pragmas) -> None:
        what = f"command {command.name}: 'returns'"
        found = self._type(returns.name, command.place, what)
        if not (
            isinstance(found, Struct | Union)
            or pragmas.excepts("command-returns-exceptions", command.name)
        ):
            raise command.place.error(
                f"{what} is '{returns}', which cannot grow members; list "
                "the command in pragma 'command-returns-exceptions' if it "
                "must be"
            )

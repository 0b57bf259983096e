# SPDX-License-Identifier: GPL-2.0-or-later
"""What a QAPI schema is made of once it is read: definitions, members, types.

Source: QEMU's docs/devel/qapi-code-gen, "The QAPI schema language".
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .errors import QapiError

# Built-in types as they look on the wire; the integers by their range, both ends included.
INTEGERS: Final = {
    "int": (-(2**63), 2**63 - 1),
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    "size": (0, 2**64 - 1),
}
BUILTINS: Final = frozenset(INTEGERS) | {"str", "number", "bool", "null", "any"}


@dataclass(frozen=True)
class Place:
    """Where something is written."""

    path: Path
    line: int

    def error(self, message: str) -> QapiError:
        """An error about what is written here."""
        return QapiError(self.path, self.line, message)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Doc:
    """A ``##`` block, read.

    :param name: the definition it is for.
    :param summary: its text outside of members and sections.
    :param members: text by member, argument, branch or value.
    :param features: text by feature.
    :param sections: text by tag (``Since``, ``Returns``…).
    """

    name: str
    summary: str
    members: dict[str, str]
    features: dict[str, str]
    sections: dict[str, str]
    place: Place
    member_places: dict[str, Place]


@dataclass(frozen=True)
class TypeRef:
    """A type by its name, or an array of it."""

    name: str
    array: bool = False

    def __str__(self) -> str:
        return f"[{self.name}]" if self.array else self.name


@dataclass(frozen=True)
class Member:
    """A member of an object, an argument, or a branch of a union or alternate.

    :param condition: what a build must have for it to exist, as ``CONFIG_LINUX``.
    """

    name: str
    type: TypeRef
    place: Place
    optional: bool = False
    condition: str | None = None
    features: tuple[str, ...] = ()
    doc: str = ""


@dataclass(frozen=True)
class EnumValue:
    """A value of an enumeration."""

    name: str
    place: Place
    condition: str | None = None
    features: tuple[str, ...] = ()
    doc: str = ""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What every definition has."""

    name: str
    place: Place
    doc: Doc | None = None
    condition: str | None = None
    features: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Enum(Definition):
    """An enumeration; its values by name."""

    values: dict[str, EnumValue]


@dataclass(frozen=True, kw_only=True)
class Struct(Definition):
    """An object; its own members by name, those of ``base`` come on top."""

    members: dict[str, Member]
    base: str | None = None


@dataclass(frozen=True, kw_only=True)
class Union(Definition):
    """An object whose ``discriminator`` selects further members.

    :param base: the name of the struct holding the common members, or these themselves.
    :param branches: by the discriminator's value; a value without one adds no members.
    """

    base: str | dict[str, Member]
    discriminator: str
    branches: dict[str, Member]


@dataclass(frozen=True, kw_only=True)
class Alternate(Definition):
    """A choice told by the kind of JSON value."""

    branches: dict[str, Member]


@dataclass(frozen=True, kw_only=True)
class Command(Definition):
    """A command.

    :param data: the name of the type holding the arguments, or these themselves.
    :param returns: what it returns; None if the schema does not say.
    :param flags: ``allow-preconfig``, ``coroutine``… as set in the schema.
    """

    data: str | dict[str, Member]
    boxed: bool = False
    returns: TypeRef | None = None
    flags: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Event(Definition):
    """An event; ``data`` as in :class:`Command`."""

    data: str | dict[str, Member]
    boxed: bool = False


Type = Enum | Struct | Union | Alternate

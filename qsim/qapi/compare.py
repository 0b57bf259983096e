# SPDX-License-Identifier: GPL-2.0-or-later
"""Our schema against what a binary says of itself.

Type names mean nothing in a binary's reply, so the walk starts at our commands and events,
whose names are real, and goes down both sides at once. What the binary has beyond them is
not looked at: our schema describes a part of QEMU on purpose.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from .introspection import Entity, Item, SchemaInfo, introspection, read_introspection
from .schema import Schema

Side = Literal["schema", "binary", "both"]


@dataclass(frozen=True)
class Difference:
    """One thing the two sides disagree on.

    :param path: where, as ``command blockdev-add: BlockdevOptions(driver=quorum).children``;
        an enumeration value is ``Type=value``, a branch of a union ``Type(tag=value)``, one of
        an alternate ``Type|json-type``.
    :param what: ``member``, ``enum value``, ``union branch``, ``alternate branch``,
        ``command``, ``event``, or, with both sides at odds, ``optional``, ``type``,
        ``discriminator``.
    :param side: the side that lacks it; ``both`` if they have it in different forms.
    :param detail: what the two forms are; empty if one side lacks it.
    :param condition: our schema says the binary may lack it, being built without this.
    """

    path: str
    what: str
    side: Side
    detail: str = ""
    condition: str | None = None

    def __str__(self) -> str:
        if self.side == "both":
            return f"{self.path}: {self.what}: {self.detail}"
        return f"{self.path}: the {self.side} lacks this {self.what}"


def compare(schema: Schema, infos: Iterable[SchemaInfo]) -> list[Difference]:
    """Compare all our commands and events, and what they use, with a binary's.

    A type used in several places is compared once (one of several union branches, once for
    each); its differences are under the first command or event that uses it. What a command
    returns is compared only if our schema says what it returns.

    :param infos: the ``return`` of ``query-qmp-schema``.
    :raise QapiValueError: ``infos`` is no such list.
    """
    walk = _Walk(read_introspection(introspection(schema)), read_introspection(infos))
    return [
        difference
        for root in [*sorted(schema.commands), *sorted(schema.events)]
        for difference in walk.root(root)
    ]


class _Walk:
    def __init__(self, ours: Mapping[str, Entity], theirs: Mapping[str, Entity]) -> None:
        self._ours = ours
        self._theirs = theirs
        self._seen: set[tuple[str, str]] = set()

    def root(self, name: str) -> Iterator[Difference]:
        ours, theirs = self._ours[name], self._theirs.get(name)
        path = f"{ours.kind} {name}"
        if theirs is None or theirs.kind != ours.kind:
            yield Difference(path, ours.kind, "binary", condition=ours.condition)
            return
        yield from self._types(path, path, ours.target, theirs.target)
        if ours.returns is not None and theirs.returns is not None:
            yield from self._types(path, f"{path}: returns", ours.returns, theirs.returns)

    def _types(self, root: str, path: str, our_name: str, their_name: str) -> Iterator[Difference]:
        """:param path: of what has this type, to be named if the types differ in kind."""
        if (our_name, their_name) in self._seen:
            return
        self._seen.add((our_name, their_name))
        ours, theirs = self._ours[our_name], self._theirs[their_name]
        label = f"{root}: " if ours.implicit else f"{root}: {ours.name}"
        if ours.kind != theirs.kind:
            self._seen.discard((our_name, their_name))  # To be said of every such member.
            yield Difference(
                path, "type", "both", f"{ours.kind} in the schema, {theirs.kind} in the binary"
            )
        elif ours.kind == "array":
            yield from self._types(root, f"{path}[]", ours.target, theirs.target)
        elif ours.kind == "enum":
            yield from _lacking(ours.items, theirs.items, "enum value", label + "={}")
        elif ours.kind == "alternate":
            yield from _lacking(ours.items, theirs.items, "alternate branch", label + "|{}")
            yield from self._common(root, label + "|{}", ours.items, theirs.items)
        elif ours.kind == "object":
            yield from self._objects(root, label, ours, theirs)

    def _objects(self, root: str, label: str, ours: Entity, theirs: Entity) -> Iterator[Difference]:
        member = label + ("{}" if ours.implicit else ".{}")
        yield from _lacking(ours.items, theirs.items, "member", member)
        for name in _both(ours.items, theirs.items):
            forms = [_presence(side.items[name]) for side in (ours, theirs)]
            if forms[0] != forms[1]:
                yield Difference(
                    member.format(name),
                    "optional",
                    "both",
                    f"{forms[0]} in the schema, {forms[1]} in the binary",
                )
        yield from self._common(root, member, ours.items, theirs.items)
        if ours.tag != theirs.tag:
            yield Difference(
                label,
                "discriminator",
                "both",
                f"{ours.tag or 'none'} in the schema, {theirs.tag or 'none'} in the binary",
            )
        elif ours.tag:
            yield from self._branches(root, f"{label}({ours.tag}={{}})", ours, theirs)

    def _branches(
        self, root: str, label: str, ours: Entity, theirs: Entity
    ) -> Iterator[Difference]:
        assert ours.tag and ours.branches is not None and theirs.branches is not None
        # A value that a side lacks is named as such, with the enumeration: not its branch too.
        common = set(self._ours[ours.items[ours.tag].type].items)
        common &= set(self._theirs[theirs.items[ours.tag].type].items)
        our, their = (
            {value: branch for value, branch in side.items() if value in common}
            for side in (ours.branches, theirs.branches)
        )
        yield from _lacking(our, their, "union branch", label)
        for value in _both(our, their):
            # Said for each branch, even if branches share a type; but not once more elsewhere.
            self._seen.add((our[value].type, their[value].type))
            yield from self._objects(
                root,
                label.format(value),
                self._ours[our[value].type],
                self._theirs[their[value].type],
            )

    def _common(
        self, root: str, label: str, ours: Mapping[str, Item], theirs: Mapping[str, Item]
    ) -> Iterator[Difference]:
        for name in _both(ours, theirs):
            yield from self._types(root, label.format(name), ours[name].type, theirs[name].type)


def _lacking(
    ours: Mapping[str, Item], theirs: Mapping[str, Item], what: str, label: str
) -> Iterator[Difference]:
    for name, item in ours.items():
        if name not in theirs:
            yield Difference(label.format(name), what, "binary", condition=item.condition)
    for name in theirs:
        if name not in ours:
            yield Difference(label.format(name), what, "schema")


def _both(ours: Mapping[str, Item], theirs: Mapping[str, Item]) -> list[str]:
    return [name for name in ours if name in theirs]


def _presence(item: Item) -> str:
    return "optional" if item.optional else "mandatory"

# SPDX-License-Identifier: GPL-2.0-or-later
"""A schema against what a binary says: each kind of difference, on either side."""

from copy import deepcopy
from typing import Any

import pytest

from qsim.qapi import QapiValueError, Schema, compare, introspection, render_differences, split

from .conftest import Loader

SCHEMA = """
{ 'enum': 'Driver', 'data': [ 'quorum', 'raw', { 'name': 'odd', 'if': 'CONFIG_ODD' } ] }
{ 'enum': 'Pattern', 'data': [ 'quorum', 'fifo' ] }
{ 'struct': 'Quorum', 'data': { 'children': [ 'Ref' ], 'threshold': 'int32',
                                '*pattern': 'Pattern' } }
{ 'struct': 'Raw', 'data': { 'file': 'Ref', '*odd': { 'type': 'bool', 'if': 'CONFIG_ODD' } } }
{ 'union': 'Options', 'base': { 'driver': 'Driver', '*name': 'str' },
  'discriminator': 'driver', 'data': { 'quorum': 'Quorum', 'raw': 'Raw' } }
{ 'alternate': 'Ref', 'data': { 'definition': 'Options', 'reference': 'str' } }
{ 'command': 'add', 'data': 'Options', 'boxed': true }
{ 'command': 'change', 'data': { 'parent': 'str', '*child': 'str' }, 'returns': 'Raw' }
{ 'event': 'BAD', 'data': { 'type': 'Pattern', '*error': 'str' } }
"""

# As QEMU 7.2 replies: types masked, members in any order, values twice, empty branches, and
# commands that the schema knows nothing of.
BINARY: list[dict[str, Any]] = [
    {"name": "add", "meta-type": "command", "arg-type": "1", "ret-type": "0"},
    {"name": "change", "meta-type": "command", "arg-type": "2", "ret-type": "5"},
    {"name": "other", "meta-type": "command", "arg-type": "0", "ret-type": "0"},
    {"name": "BAD", "meta-type": "event", "arg-type": "3"},
    {"name": "0", "meta-type": "object", "members": []},
    {
        "name": "1",
        "meta-type": "object",
        "tag": "driver",
        "members": [
            {"name": "name", "type": "str", "default": None},
            {"name": "driver", "type": "6"},
        ],
        "variants": [
            {"case": "raw", "type": "5"},
            {"case": "quorum", "type": "4"},
            {"case": "odd", "type": "0"},
        ],
    },
    {
        "name": "2",
        "meta-type": "object",
        "members": [
            {"name": "parent", "type": "str"},
            {"name": "child", "type": "str", "default": None},
        ],
    },
    {
        "name": "3",
        "meta-type": "object",
        "members": [
            {"name": "error", "type": "str", "default": None},
            {"name": "type", "type": "7"},
        ],
    },
    {
        "name": "4",
        "meta-type": "object",
        "members": [
            {"name": "children", "type": "[8]"},
            {"name": "threshold", "type": "int"},
            {"name": "pattern", "type": "7", "default": None},
        ],
    },
    {
        "name": "5",
        "meta-type": "object",
        "members": [
            {"name": "file", "type": "8"},
            {"name": "odd", "type": "bool", "default": None},
        ],
    },
    {
        "name": "6",
        "meta-type": "enum",
        "values": ["raw", "quorum", "odd"],
        "members": [{"name": "raw"}, {"name": "quorum"}, {"name": "odd"}],
    },
    {"name": "7", "meta-type": "enum", "values": ["fifo", "quorum"]},
    {"name": "8", "meta-type": "alternate", "members": [{"type": "str"}, {"type": "1"}]},
    {"name": "[8]", "meta-type": "array", "element-type": "8"},
    {"name": "str", "meta-type": "builtin", "json-type": "string"},
    {"name": "int", "meta-type": "builtin", "json-type": "int"},
    {"name": "bool", "meta-type": "builtin", "json-type": "boolean"},
]


def differences(schema: Schema, binary: list[dict[str, Any]]) -> list[str]:
    return [str(difference) for difference in compare(schema, binary)]


def edited(name: str, /, **changes: Any) -> list[dict[str, Any]]:
    """BINARY with one entry changed."""
    binary = deepcopy(BINARY)
    next(info for info in binary if info["name"] == name).update(changes)
    return binary


def without(name: str, member: str) -> list[dict[str, Any]]:
    """BINARY with one member of one type taken out."""
    info = next(info for info in BINARY if info["name"] == name)
    return edited(name, members=[m for m in info["members"] if m["name"] != member])


def test_no_difference(schema_of: Loader) -> None:
    schema = schema_of(SCHEMA)
    assert compare(schema, BINARY) == []
    assert compare(schema, introspection(schema)) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (", '*name': 'str'", "", "command add: Options.name: the schema lacks this member"),
        (", '*child': 'str'", "", "command change: child: the schema lacks this member"),
        (", '*error': 'str'", "", "event BAD: error: the schema lacks this member"),
        (
            "'threshold': 'int32',",
            "",
            "command add: Options(driver=quorum).threshold: the schema lacks this member",
        ),
        (
            ", 'raw': 'Raw' }",
            " }",
            "command add: Options(driver=raw): the schema lacks this union branch",
        ),
        (
            ", 'reference': 'str'",
            "",
            "command add: Ref|string: the schema lacks this alternate branch",
        ),
        (
            "'quorum', 'fifo'",
            "'quorum'",
            "command add: Pattern=fifo: the schema lacks this enum value",
        ),
        (
            "'threshold'",
            "'*threshold'",
            "command add: Options(driver=quorum).threshold: optional: optional in the schema, mandatory "
            "in the binary",
        ),
        (
            "'threshold': 'int32'",
            "'threshold': 'str'",
            "command add: Options(driver=quorum).threshold: type: string in the schema, int in the "
            "binary",
        ),
        (
            "'children': [ 'Ref' ]",
            "'children': [ 'Raw' ]",
            "command add: Options(driver=quorum).children[]: type: object in the schema, alternate in "
            "the binary",
        ),
        (
            "'*pattern': 'Pattern'",
            "'*pattern': 'str'",
            "command add: Options(driver=quorum).pattern: type: string in the schema, enum in the "
            "binary",
        ),
        (
            "'returns': 'Raw'",
            "'returns': [ 'Raw' ]",
            "command change: returns: type: array in the schema, object in the binary",
        ),
    ],
)
def test_difference_in_the_schema(schema_of: Loader, old: str, new: str, expected: str) -> None:
    assert old in SCHEMA
    assert expected in differences(schema_of(SCHEMA.replace(old, new)), BINARY)


@pytest.mark.parametrize(
    ("binary", "expected"),
    [
        (without("1", "name"), "command add: Options.name: the binary lacks this member"),
        (without("2", "child"), "command change: child: the binary lacks this member"),
        (
            without("4", "pattern"),
            "command add: Options(driver=quorum).pattern: the binary lacks this member",
        ),
        (
            edited("7", values=["fifo"]),
            "command add: Pattern=quorum: the binary lacks this enum value",
        ),
        (
            edited("8", members=[{"type": "str"}]),
            "command add: Ref|object: the binary lacks this alternate branch",
        ),
        (
            edited("1", variants=[{"case": "quorum", "type": "4"}, {"case": "raw", "type": "0"}]),
            "command add: Options(driver=raw): the binary lacks this union branch",
        ),
        (
            edited("1", tag=None, variants=[]),
            "command add: Options: discriminator: driver in the schema, none in the binary",
        ),
        (edited("BAD", name="WORSE"), "event BAD: the binary lacks this event"),
        (edited("add", name="remove"), "command add: the binary lacks this command"),
    ],
)
def test_difference_in_the_binary(
    schema_of: Loader, binary: list[dict[str, Any]], expected: str
) -> None:
    assert differences(schema_of(SCHEMA), binary) == [expected]


def test_a_value_that_is_missing_is_not_also_a_branch_that_is_missing(schema_of: Loader) -> None:
    schema = schema_of(SCHEMA.replace("'raw', ", "").replace(", 'raw': 'Raw' }", " }"))
    assert differences(schema, BINARY)[:1] == [
        "command add: Driver=raw: the schema lacks this enum value"
    ]
    assert not any("driver=raw" in text for text in differences(schema, BINARY))


def test_a_type_used_twice_is_reported_once(schema_of: Loader) -> None:
    schema = schema_of(SCHEMA.replace("'quorum', 'fifo'", "'quorum'"))
    assert sum("Pattern=fifo" in text for text in differences(schema, BINARY)) == 1


def test_returns_left_out_are_not_compared(schema_of: Loader) -> None:
    assert differences(schema_of(SCHEMA.replace(", 'returns': 'Raw'", "")), BINARY) == []


def test_what_only_some_builds_have_explains_itself(schema_of: Loader) -> None:
    schema = schema_of(SCHEMA)
    binary = without("5", "odd")
    next(i for i in binary if i["name"] == "6")["members"].pop()
    found = compare(schema, binary)
    assert {d.path for d in found} == {
        "command add: Driver=odd",
        "command add: Options(driver=raw).odd",
    }
    result = split(found, [])
    assert result.unexplained == []
    assert {why for _, why in result.explained} == {"built without CONFIG_ODD"}


@pytest.mark.parametrize(
    "junk",
    [
        [{"meta-type": "command"}],
        [{"name": "x", "meta-type": "strange"}],
        [{"name": "x", "meta-type": "event", "arg-type": "missing"}],
        ["x"],
    ],
)
def test_junk_is_no_introspection(schema_of: Loader, junk: list[Any]) -> None:
    with pytest.raises(QapiValueError, match=r"^query-qmp-schema: not a list of SchemaInfo"):
        compare(schema_of(SCHEMA), junk)


def test_rendering(schema_of: Loader) -> None:
    schema = schema_of(SCHEMA.replace(", '*name': 'str'", "").replace("'*error'", "'error'"))
    text = render_differences(
        split(compare(schema, without("4", "pattern")), []), binary="QEMU 7.2"
    )
    assert (
        text
        == """\
QEMU 7.2: 3 unexplained differences, 0 explained
  command add
    Options.name (member): not in the schema
    Options(driver=quorum).pattern (member): not in QEMU 7.2
  event BAD
    error (optional): mandatory in the schema, optional in the binary"""
    )
    same = render_differences(split([], []))
    assert same == "the binary: as the schema says (0 explained)"

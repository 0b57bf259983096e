# SPDX-License-Identifier: GPL-2.0-or-later
"""Each construct of the schema language is read as what it means."""

from pathlib import Path

import pytest

from qsim.qapi import load
from qsim.qapi.model import Alternate, Enum, Struct, TypeRef, Union

from .conftest import Loader


def test_enum_values_as_strings_and_as_objects(schema_of: Loader) -> None:
    schema = schema_of("""
        { 'enum': 'Colour', 'prefix': 'COL',
          'data': [ 'red', { 'name': '2-blue', 'if': 'CONFIG_BLUE', 'features': [ 'old' ] } ] }
    """)
    colour = schema.types["Colour"]
    assert isinstance(colour, Enum)
    assert list(colour.values) == ["red", "2-blue"]
    assert colour.values["2-blue"].condition == "CONFIG_BLUE"
    assert colour.values["2-blue"].features == ("old",)


def test_struct_members(schema_of: Loader) -> None:
    schema = schema_of("""
        { 'struct': 'Base', 'data': { 'first': 'int' } }
        { 'struct': 'Thing', 'base': 'Base', 'features': [ 'f', { 'name': 'g', 'if': 'G' } ],
          'data': { '*opt': ['str'],
                    'cond': { 'type': 'bool', 'if': { 'all': [ 'A', { 'not': 'B' } ] },
                              'features': [ 'unstable' ] } } }
    """)
    thing = schema.types["Thing"]
    assert isinstance(thing, Struct)
    assert thing.features == ("f", "g")
    assert thing.members["opt"].optional
    assert thing.members["opt"].type == TypeRef("str", array=True)
    assert thing.members["cond"].condition == "(A and not B)"
    assert thing.members["cond"].features == ("unstable",)
    assert list(schema.members("Thing")) == ["first", "opt", "cond"]


def test_union_with_inline_and_with_named_base(schema_of: Loader) -> None:
    schema = schema_of("""
        { 'enum': 'Kind', 'data': [ 'a', 'b' ] }
        { 'struct': 'Aa', 'data': { 'x': 'int' } }
        { 'struct': 'Common', 'data': { 'kind': 'Kind' } }
        { 'union': 'Inline', 'base': { 'kind': 'Kind' }, 'discriminator': 'kind',
          'data': { 'a': { 'type': 'Aa', 'if': 'HAVE_A' } } }
        { 'union': 'Named', 'base': 'Common', 'discriminator': 'kind', 'data': { 'a': 'Aa' } }
    """)
    for name in ("Inline", "Named"):
        union = schema.types[name]
        assert isinstance(union, Union)
        assert list(schema.members(name)) == ["kind"]
        assert union.branches["a"].type.name == "Aa"


def test_alternate(schema_of: Loader) -> None:
    schema = schema_of("""
        { 'struct': 'Sy', 'data': {} }
        { 'alternate': 'Alt', 'data': { 'obj': 'Sy', 'name': 'str', 'n': 'null', 'l': ['Sy'] } }
    """)
    alt = schema.types["Alt"]
    assert isinstance(alt, Alternate)
    assert list(alt.branches) == ["obj", "name", "n", "l"]


def test_command_and_event(schema_of: Loader) -> None:
    schema = schema_of("""
        { 'struct': 'Args', 'data': { 'x': 'int' } }
        { 'command': 'boxed-one', 'data': 'Args', 'boxed': true, 'returns': 'Args',
          'allow-preconfig': true, 'allow-oob': true, 'features': [ 'unstable' ] }
        { 'command': 'plain', 'data': { '*y': 'str' }, 'success-response': false }
        { 'event': 'BARE' }
        { 'event': 'WITH_DATA', 'data': { 'z': 'Args' } }
    """)
    boxed = schema.commands["boxed-one"]
    assert (boxed.data, boxed.boxed, boxed.returns) == ("Args", True, TypeRef("Args"))
    assert boxed.flags == {"allow-oob": True, "allow-preconfig": True}
    assert schema.commands["plain"].flags == {"success-response": False}
    assert schema.commands["plain"].returns is None
    assert schema.events["BARE"].data == {}
    assert list(schema.events) == ["BARE", "WITH_DATA"]


def test_documentation_is_attached(schema_of: Loader) -> None:
    schema = schema_of("""
##
# = A heading, which documents nothing
##

# A comment.
##
# @Thing:
#
# What it is for,
# in two lines.
#
# @one: starts here
#     goes on there
#
# @two:
# in the other style
#
# Features:
# @odd: not @one of a kind
#
# Back to the thing.
#
# Since: 1.2
##
{ 'struct': 'Thing', 'data': { 'one': 'int', 'two': 'int' }, # another comment
  'features': [ 'odd' ] }
    """)
    thing = schema.types["Thing"]
    assert isinstance(thing, Struct) and thing.doc
    assert thing.doc.summary == "What it is for, in two lines.\nBack to the thing."
    assert thing.members["one"].doc == "starts here goes on there"
    assert thing.members["two"].doc == "in the other style"
    assert thing.doc.features == {"odd": "not @one of a kind"}
    assert thing.doc.sections == {"Since": "1.2"}


def test_definitions_know_their_place(schema_of: Loader, tmp_path: Path) -> None:
    schema = schema_of("\n\n##\n# Text.\n##\n\n{ 'struct': 'Sy',\n 'data': {\n 'm': 'int' } }")
    assert str(schema.types["Sy"].place) == f"{tmp_path}/a.json:7"
    assert schema.members("Sy")["m"].place.line == 9


def test_include_is_relative_and_once(schema_of: Loader, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    schema = schema_of(
        "{ 'include': 'sub/b.json' } { 'include': 'c.json' } { 'struct': 'Aa', 'data': {} }",
        {
            "sub/b.json": "{ 'include': '../c.json' } { 'struct': 'Bb', 'data': { 'c': 'Cc' } }",
            "c.json": "{ 'struct': 'Cc', 'data': { 'a': 'Aa' } }",
        },
    )
    assert list(schema.types) == ["Cc", "Bb", "Aa"]


def test_pragmas_hold_for_what_stands_above(schema_of: Loader) -> None:
    schema = schema_of("""
        { 'command': 'old_name', 'returns': 'str' }
        { 'enum': 'Odd', 'data': [ 'With_Underscore' ] }
        { 'pragma': { 'command-name-exceptions': [ 'old_name' ],
                      'command-returns-exceptions': [ 'old_name' ] } }
        { 'pragma': { 'member-name-exceptions': [ 'Odd' ], 'doc-required': false } }
    """)
    assert list(schema.definitions) == ["old_name", "Odd"]


def test_string_escape_and_empty_file(schema_of: Loader) -> None:
    assert schema_of("# nothing\n").definitions == {}
    with pytest.raises(Exception, match=r"value 'a\\b' is not valid"):
        schema_of(r"{ 'enum': 'Ee', 'data': [ 'a\\b' ] }")


def test_missing_file() -> None:
    with pytest.raises(FileNotFoundError):
        load("/nowhere/at/all.json")

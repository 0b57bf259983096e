# SPDX-License-Identifier: GPL-2.0-or-later
"""Each mistake in a schema is told with its file, its line and what to do."""

from pathlib import Path

import pytest

from qsim.qapi import QapiError

from .conftest import Loader

E = "{ 'enum': 'Ey', 'data': [ 'a', 'b' ] }\n"
S = "{ 'struct': 'Sy', 'data': { 'x': 'int' } }\n"


def doc(*lines: str) -> str:
    return "\n".join(["##", *lines, "##"]) + "\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        # Characters and strings
        ("\n{ 'struct' = 'Sy' }", 2, "unexpected character '='"),
        ('{ "struct": 1 }', 1, "'single quotes'"),
        ("{ 'struct': S }", 1, "unexpected S; quote it"),
        ("{ 'struct':\n 12 }", 2, "unexpected 12"),
        ("{ 'struct: 1 }\n", 1, "not closed on its line"),
        ("{ 'a\\n': 'b' }", 1, r"the only escape in a string is \\"),
        ("{ 'a\tb': 'b' }", 1, "only printable ASCII"),
        ("\n\n[ 'a' ]", 3, "expected an expression, starting with '{', found '['"),
        # Objects and arrays
        ("{ 'struct' 'Sy' }", 1, "expected ':' after key 'struct', found string 'Sy'"),
        ("{ 'struct': 'Sy',\n }", 2, "expected a key in 'single quotes', found '}'"),
        ("{ 'struct': 'Sy'\n 'data': {} }", 2, "expected ',' or '}' in the object of line 1"),
        ("{ 'struct': 'Sy', 'data': {}", 1, "found end of file"),
        ("{ 'enum': 'Ey',\n'data': [ 'a' 'b' ] }", 2, "expected ',' or ']' in the array of line 2"),
        ("{ 'enum': 'Ey', 'data': [ 'a', ] }", 1, "expected a string"),
        (
            "{ 'struct': 'Sy',\n 'data': {},\n 'data': {} }",
            3,
            "duplicate key 'data', first seen in line 2",
        ),
        # Documentation
        ("##\n# text\n", 1, "never closed"),
        (
            "##\n# text\ntext\n##\n",
            3,
            "does not start with '#', but the documentation comment of line 1",
        ),
        ("##\n#text\n##\n", 2, "needs a space"),
        ("## text\n", 1, "stands alone on its line"),
        (doc("# @Sy") + S, 2, "'# @NAME:' and nothing else"),
        (doc("# @Sy: text") + S, 2, "'# @NAME:' and nothing else"),
        (doc("# @Ty:") + S, 2, "this documents 'Ty', but struct Sy follows"),
        (doc("# @Sy:"), 1, "none follows it"),
        (doc("# @Sy:") + doc("# @Sy:") + S, 1, "none follows it"),
        (doc("# @Sy:", "# @x: one", "# @x: two") + S, 4, "'x' is described twice"),
        (doc("# @Sy:", "# @: one") + S, 3, "'@' without a name"),
        (
            doc("# @Sy:", "#", "# @xx: one") + S,
            4,
            "documentation of struct Sy describes 'xx', which it does not have; did you mean 'x'?",
        ),
        (doc("# @Ey:", "# @c: one") + E, 3, "enum Ey describes 'c'"),
        (doc("# @Sy:", "# Features:", "# @new: one") + S, 4, "describes a feature 'new'"),
        (
            "{ 'pragma': { 'doc-required': true } }\n" + S,
            2,
            "put a '##' block with '# @Sy:' before it",
        ),
        # Definitions
        (S + S, 2, "'Sy' is defined already, at"),
        (
            "{ 'struct': 'Sy',\n 'dta': {} }",
            2,
            "struct Sy has an unknown key 'dta'; did you mean 'data'?",
        ),
        ("\n{ 'struct': 'Sy' }", 2, "struct Sy lacks the key 'data'"),
        ("{ 'type': 'Sy' }", 1, "exactly one of the keys enum, struct"),
        ("{ 'struct': 'Sy', 'enum': 'Sy', 'data': {} }", 1, "exactly one of the keys"),
        ("{ 'struct': [], 'data': {} }", 1, "'struct' must be a string"),
        ("{ 'struct': 'int', 'data': {} }", 1, "must be CamelCase"),
        ("{ 'command': 'size' }", 1, "'size' is a built-in type"),
        ("{ 'struct': 'FooList', 'data': {} }", 1, "must not end in 'List'"),
        ("{ 'event': 'Event' }", 1, "must be CAPITALS"),
        ("{ 'command': 'do_it' }", 1, "list it in pragma 'command-name-exceptions'"),
        ("{ 'command': '1st' }", 1, "is not valid"),
        ("{ 'struct': 'Sy', 'data': [] }", 1, "must be an object"),
        (
            "{ 'struct': 'Sy', 'data': {\n'x': 'int',\n'*x': 'int' } }",
            3,
            "listed twice, with and without",
        ),
        ("{ 'struct': 'Sy', 'data': {\n'X': 'int' } }", 2, "must be lower-case"),
        ("{ 'struct': 'Sy', 'data': {\n'has-x': 'int' } }", 2, "reserved"),
        (
            "{ 'struct': 'Sy', 'data': {\n'x': true } }",
            2,
            "type of 'x' must be 'Name', ['Name'] or",
        ),
        ("{ 'struct': 'Sy', 'data': {\n'x': [ 'int', 'int' ] } }", 2, "type of 'x' must be"),
        (
            "{ 'struct': 'Sy', 'data': { 'x':\n{ 'type': 'int', 'iff': 'A' } } }",
            2,
            "'x' has an unknown key 'iff'; did you mean 'if'?",
        ),
        ("{ 'struct': 'Sy', 'data': { 'x':\n{ 'if': 'A' } } }", 2, "'x' lacks the key 'type'"),
        ("{ 'struct': 'Sy', 'data': {}, 'if': 'a b' }", 1, "'if' takes a 'MACRO'"),
        ("{ 'struct': 'Sy', 'data': {}, 'if': { 'any': [] } }", 1, "'if' takes a 'MACRO'"),
        ("{ 'struct': 'Sy', 'data': {}, 'features': 'x' }", 1, "'features' must be an array"),
        ("{ 'struct': 'Sy', 'data': {}, 'features': [ 'x', 'x' ] }", 1, "'x' is listed twice"),
        ("{ 'enum': 'Ey', 'data': [ 'a',\n'a' ] }", 2, "value 'a' is listed twice"),
        ("{ 'enum': 'Ey', 'data': { 'a': 'int' } }", 1, "'data' must be an array"),
        ("{ 'enum': 'Ey', 'data': [ [] ] }", 1, "a value must be a string"),
        ("{ 'enum': 'Ey', 'data': [ 'A' ] }", 1, "'member-name-exceptions'"),
        ("{ 'alternate': 'Ay', 'data': {} }", 1, "needs at least one branch"),
        ("{ 'command': 'c', 'boxed': false }", 1, "'boxed' can only be true"),
        ("{ 'command': 'c', 'gen': true }", 1, "'gen' can only be false"),
        ("{ 'command': 'c', 'boxed': true, 'data': {} }", 1, "'boxed' needs the name of a type"),
        ("{ 'command': 'c', 'allow-oob': true, 'coroutine': true }", 1, "exclude each other"),
        # References
        (
            S + "{ 'struct': 'Ty', 'data': {\n'y': 'Syy' } }",
            3,
            "struct Ty: type of 'y' is 'Syy', a type that is not defined; did you mean 'Sy'?",
        ),
        ("{ 'event': 'EV' }\n{ 'struct': 'Ty', 'data': { 'y': [ 'EV' ] } }", 2, "defined as event"),
        ("{ 'struct': 'Ty', 'base': 'int', 'data': {} }", 1, "'base' must name a struct"),
        ("{ 'struct': 'Ty', 'base': 'Ty', 'data': {} }", 1, "Ty is its own base"),
        (
            S + "{ 'struct': 'Ty', 'base': 'Sy', 'data': {\n'x': 'int' } }",
            3,
            "'x' is a member of its base Sy already",
        ),
        ("{ 'command': 'c', 'data': 'Args' }", 1, "'Args', a type that is not defined"),
        ("{ 'command': 'c', 'data': 'str' }", 1, "must name a struct or union"),
        ("{ 'command': 'c', 'returns': 'str' }", 1, "'command-returns-exceptions'"),
        ("{ 'command': 'c', 'returns': 'Str' }", 1, "not defined"),
        (
            E + "{ 'union': 'Uy', 'base': { 't': 'Ey' }, 'discriminator': 'tt', 'data': {} }",
            2,
            "discriminator 'tt' is no member of the base; did you mean 't'?",
        ),
        (
            E + "{ 'union': 'Uy', 'base': { '*t': 'Ey' }, 'discriminator': 't', 'data': {} }",
            2,
            "must be of an enum type, mandatory and unconditional",
        ),
        (
            "{ 'union': 'Uy', 'base': { 't': 'str' }, 'discriminator': 't', 'data': {} }",
            1,
            "must be of an enum type",
        ),
        (
            E + S + "{ 'union': 'Uy', 'base': { 't': 'Ey' }, 'discriminator': 't',\n"
            "'data': { 'c': 'Sy' } }",
            4,
            "union Uy: branch 'c' is no value of enum Ey",
        ),
        (
            E
            + "{ 'union': 'Uy', 'base': { 't': 'Ey' }, 'discriminator': 't', 'data': { 'a': 'str' } }",
            2,
            "branch 'a' must name a struct or union",
        ),
        (
            E + S + "{ 'union': 'Uy', 'base': { 't': 'Ey', 'x': 'int' }, 'discriminator': 't',\n"
            "'data': { 'a': 'Sy' } }",
            4,
            "Sy has a member 'x', and so has the union's base",
        ),
        (
            E + S + "{ 'union': 'Uy', 'base': { 't': 'Ey' }, 'discriminator': 't',\n"
            "'data': { 'a': ['Sy'] } }",
            4,
            "not an array",
        ),
        (
            E
            + S
            + "{ 'union': 'Uy', 'base': { 't': 'Ey' }, 'discriminator': 't', 'data': { 'a': 'Sy' } }"
            "\n{ 'event': 'EV', 'data': 'Uy' }",
            4,
            "names a union, which needs 'boxed': true",
        ),
        (
            E + "{ 'alternate': 'Ay', 'data': { 'e': 'Ey',\n's': 'str' } }",
            3,
            "branch 's' is a JSON string, as branch 'e' is",
        ),
        ("{ 'alternate': 'Ay', 'data': { 'e': 'any' } }", 1, "its value does not tell the branch"),
        # Directives
        ("{ 'include': 'none.json' }", 1, "there is no file"),
        ("{ 'include': 'a.json' }", 1, "'a.json' includes this file in turn"),
        ("{ 'include': true }", 1, "takes a file name"),
        ("{ 'include': 'b.json', 'data': {} }", 1, "stand alone"),
        (doc("# @Sy:") + "{ 'include': 'a.json' }", 1, "but an include or pragma follows"),
        ("{ 'pragma': 'x' }", 1, "'pragma' takes an object"),
        ("{ 'pragma': { 'doc-requird': true } }", 1, "did you mean 'doc-required'?"),
        ("{ 'pragma': { 'doc-required': 'yes' } }", 1, "true or false"),
        ("{ 'pragma': { 'member-name-exceptions': 'Ey' } }", 1, "takes an array of names"),
    ],
)
def test_error(schema_of: Loader, tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(QapiError) as caught:
        schema_of(text)
    assert message in caught.value.message
    assert (caught.value.path, caught.value.line) == (tmp_path / "a.json", line)
    assert str(caught.value) == f"{tmp_path}/a.json:{line}: {caught.value.message}"


def test_error_in_included_file(schema_of: Loader, tmp_path: Path) -> None:
    with pytest.raises(QapiError) as caught:
        schema_of(
            "{ 'include': 'b.json' }", {"b.json": "\n{ 'struct': 'By', 'data': { 'c': 'Dy' } }"}
        )
    assert str(caught.value).startswith(f"{tmp_path}/b.json:2: struct By: type of 'c' is 'Dy'")


def test_not_text(schema_of: Loader, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(b"# fine\n# \xff\n")
    with pytest.raises(QapiError, match=r"b\.json:2: this is not UTF-8 text"):
        schema_of("{ 'include': 'b.json' }")

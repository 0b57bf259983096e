# SPDX-License-Identifier: GPL-2.0-or-later
"""YAML with the line of every key."""

from __future__ import annotations

import re

import pytest

from qsim.scenario.error import ScenarioError
from qsim.scenario.lines import Document, dotted

TEXT = """\
# a comment
top:
  list:
  - one
  - two: {three: 3}

  "text": |
    a
    b
anchored: &a
  x: 1
alias: *a
"""


def refused(text: str) -> ScenarioError:
    """The error a document is answered with."""
    with pytest.raises(ScenarioError) as caught:
        Document("a.yaml", text)
    return caught.value


def test_data_is_what_yaml_says() -> None:
    assert Document("a.yaml", TEXT).data == {
        "top": {"list": ["one", {"two": {"three": 3}}], "text": "a\nb\n"},
        "anchored": {"x": 1},
        "alias": {"x": 1},
    }


@pytest.mark.parametrize("text", ["1", "0x10", "1.5", "true", "null", "'a'", "[1, [x]]", "{a: {}}"])
def test_values_have_the_types_of_yaml(text: str) -> None:
    expected = {
        "1": 1, "0x10": 16, "1.5": 1.5, "true": True, "null": None, "'a'": "a",
        "[1, [x]]": [1, ["x"]], "{a: {}}": {"a": {}},
    }[text]  # fmt: skip
    assert Document("a.yaml", f"k: {text}").data == {"k": expected}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("top",), 2),
        (("top", "list"), 3),
        (("top", "list", 0), 4),
        (("top", "list", 1), 5),
        (("top", "list", 1, "two", "three"), 5),
        (("top", "text"), 7),
        (("alias",), 12),
        (("alias", "x"), 11),
    ],
)
def test_line_of_a_part(path: tuple[str | int, ...], line: int) -> None:
    assert Document("a.yaml", TEXT).line(path) == line


def test_line_of_a_part_that_is_not_there_is_that_of_the_nearest_above() -> None:
    assert Document("a.yaml", TEXT).line(("top", "list", 7, "x")) == 3


def test_error_says_file_line_and_key() -> None:
    error = Document("a.yaml", TEXT).error(("top", "list", 1, "two"), "no good")
    assert str(error) == "a.yaml:5: top.list[1].two: no good"
    assert (error.path, error.line, error.key) == ("a.yaml", 5, "top.list[1].two")
    assert error.message == "no good"


@pytest.mark.parametrize(
    ("path", "text"),
    [((), ""), (("a",), "a"), (("a", 0, "b"), "a[0].b"), (("a", 0, 1), "a[0][1]")],
)
def test_path_as_people_write_it(path: tuple[str | int, ...], text: str) -> None:
    assert dotted(path) == text


def test_duplicate_key_is_refused_on_its_second_line() -> None:
    error = refused("a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert str(error) == "a.yaml:4: a.b: given twice"


def test_duplicate_key_in_a_list_is_refused() -> None:
    assert str(refused("- {a: 1}\n- {a: 1, a: 2}\n")) == "a.yaml:2: [1].a: given twice"


@pytest.mark.parametrize("key", ["1", "true", "null", "1.5"])
def test_key_that_is_no_string_is_refused(key: str) -> None:
    error = refused(f"a:\n  {key}: 1\n")
    assert re.fullmatch(r"a\.yaml:2: a: the key \S+ must be a string; quote it", str(error))


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: [1,\n", 2, "expected"),
        ("a: 1\n b: 2\n", 2, "mapping values are not allowed here"),
        ("a: 'x\n", 2, "found unexpected end of stream"),
        ("a: 1\n\tb: 2\n", 2, "found character '\\t' that cannot start any token"),
        ("a: *b\n", 1, "found undefined alias 'b'"),
        ("a: 1\n---\nb: 2\n", 2, "but found another document"),
    ],
)
def test_broken_yaml_is_refused_where_it_breaks(text: str, line: int, problem: str) -> None:
    error = refused(text)
    assert str(error).startswith(f"a.yaml:{line}: not YAML: ")
    assert problem in str(error)


def test_control_characters_are_refused() -> None:
    assert str(refused("a: \x01\n")).startswith("a.yaml: not YAML: unacceptable character #x0001")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_empty_file_is_refused(text: str) -> None:
    if text == "---\n":
        assert Document("a.yaml", text).data is None
    else:
        expected = "a.yaml: the file is empty; it must hold a family of cases"
        assert str(refused(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a:\n  <<: {b: 1}\n",
        "a:\n  b: !unknown 1\n",
        "a:\n  b: =\n",
        "a:\n  b: 2001-99-99\n",
        "a:\n  b: !!int one\n",
        "a:\n  b: &x [*x]\n",
    ],
    ids=["merge key", "unknown tag", "lone =", "no such date", "no such number", "alias of itself"],
)
def test_yaml_that_has_no_value_is_refused_on_its_line(text: str) -> None:
    assert str(refused(text)).startswith("a.yaml:2: ")

# SPDX-License-Identifier: GPL-2.0-or-later
"""The file of explained differences: how it is read, what it covers."""

from pathlib import Path

import pytest

from qsim.qapi import (
    Difference,
    Explanation,
    QapiError,
    read_explained,
    render_differences,
    split,
    unused,
)

ENTRY = '- path: "command add: Options.active"\n  side: binary\n  why: since 10.0\n'


def read(tmp_path: Path, text: str) -> list[Explanation]:
    path = tmp_path / "explained.yaml"
    path.write_text(text, encoding="utf-8")
    return read_explained(path)


def test_entries(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing\n") == []
    assert read(tmp_path, ENTRY) == [
        Explanation("command add: Options.active", "binary", "since 10.0", 1)
    ]
    several = read(tmp_path, '- path:\n  - "a: *"\n  - "b: c"\n  side: schema\n  why: so\n')
    assert [(e.path, e.line) for e in several] == [("a: *", 2), ("b: c", 3)]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: [\n", 2, "not YAML"),
        ("a: 1\n", 1, "must be a list of entries"),
        ("- a\n", 1, "must have the keys path, side and why"),
        (ENTRY + "- path: x\n  side: binary\n", 4, "lacks the key 'why'"),
        (ENTRY + "  wy: x\n", 4, "unknown key 'wy'; did you mean 'why'?"),
        (ENTRY + "  why: x\n", 4, "key 'why' stands twice"),
        (ENTRY.replace("binary", "binray"), 2, "'side' must be schema, binary, both, not 'binray'"),
        (ENTRY.replace("since 10.0", "10.0"), 3, "'why' must be text"),
        (ENTRY.replace("since 10.0", "''"), 3, "'why' is empty"),
        ("- path: []\n  side: binary\n  why: x\n", 1, "'path' is an empty list"),
        ("- path:\n  - x\n  - 1\n  side: binary\n  why: x\n", 3, "'path' must be text"),
    ],
)
def test_errors(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(QapiError) as caught:
        read(tmp_path, text)
    assert message in caught.value.message
    assert (caught.value.path, caught.value.line) == (tmp_path / "explained.yaml", line)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        (
            "command add: Options(driver=qcow2).encrypt",
            "command add: Options(driver=qcow2).encrypt",
            True,
        ),
        ("*: Options(driver=qcow?).*", "command add: Options(driver=qcow2).encrypt", True),
        ("command add: Options", "command add: Options.active", False),
        ("command add: Options.active", "command add: OptionsXactive", False),
        ("command add: x[]", "command add: x[]", True),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    explanation = Explanation(pattern, "binary", "so", 1)
    assert explanation.matches(Difference(path, "member", "binary")) is matches
    assert not explanation.matches(Difference(path, "member", "schema"))


def test_split_and_unused() -> None:
    known = Difference("command add: a", "member", "binary")
    other_side = Difference("command add: a", "member", "schema")
    explanations = [
        Explanation("command add: a", "binary", "so", 1),
        Explanation("command add: b", "binary", "so", 5),
    ]
    result = split([known, other_side], explanations)
    assert result.explained == [(known, "so")]
    assert result.unexplained == [other_side]
    assert unused(explanations, [[], [known]]) == explanations[1:]

    text = render_differences(result, binary="QEMU", verbose=True, unused=explanations[1:])
    assert (
        text
        == """\
QEMU: 1 unexplained difference, 1 explained
  command add
    a (member): not in the schema
explained:
  command add
    a (member): not in QEMU
      so
explained.yaml:5: explains nothing, remove it: command add: b"""
    )

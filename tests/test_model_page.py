# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/model.md, the map from QEMU's sources to the model, held against the model."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "model.md"
#: Files that re-tell block/quorum.c, and what its functions' names begin with.
DRIVER = sorted((ROOT / "qsim" / "quorum").glob("*.py"))
OF_THE_DRIVER = re.compile(r"(quorum|read|write|parse_read|bdrv_quorum)_")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*(\.\w+)?")
FILE = re.compile(r"(?:qsim|schema)/[\w/.-]+")
#: A member of a class as ``self.name`` in its methods.
SELF = "self"


def rows(text: str = PAGE.read_text("utf-8")) -> list[list[str]]:
    """The cells of every row of every table of ``text`` but its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = [i for i, row in enumerate(cells) if set(row[0]) == {"-"}]
    return [row for i, row in enumerate(cells) if i not in rules and i + 1 not in rules]


def functions(title: str) -> list[list[str]]:
    """The rows of the first table under a heading: the functions of a state of the driver."""
    text = PAGE.read_text("utf-8").partition(f"\n## block/quorum.c {title}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table, title
    return rows(table[0])


def here(row: list[str]) -> str:
    """The cell that says where it is here."""
    (cell,) = [cell for cell in row[1:] if FILE.search(cell) or cell.startswith("none: ")][:1]
    return cell


def spans(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def defined(path: Path) -> frozenset[str]:
    """The names a file defines, those of classes with and without the class."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        found |= _names(node)
        if isinstance(node, ast.ClassDef):
            members = {name for one in node.body for name in _names(one)} | _attributes(node)
            found |= members | {f"{node.name}.{name}" for name in members}
    return frozenset(found)


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _attributes(of: ast.ClassDef) -> set[str]:
    return {
        node.attr
        for node in ast.walk(of)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == SELF
    }


@pytest.mark.parametrize("row", rows(), ids=lambda row: spans(row[0] + "`x`")[0])
def test_what_the_map_says_is_so(row: list[str]) -> None:
    cell = here(row)
    paths = [span for span in spans(cell) if FILE.fullmatch(span)]
    assert all((ROOT / path).is_file() for path in paths), cell
    names = frozenset().union(*(defined(ROOT / path) for path in paths if path.endswith(".py")))
    named = [span for span in spans(cell) if IDENTIFIER.fullmatch(span)]
    if cell.startswith("none: "):
        assert len(cell) > len("none: "), row
    elif named:
        assert set(named) <= names, (cell, set(named) - names)
    else:
        told = [span for span in spans(row[0]) if IDENTIFIER.fullmatch(span)]
        told = [span for span in told if "." not in span]
        assert [name for name in told if not {name, f"_{name}"} & names] == [], cell


def test_the_map_has_as_many_functions_as_it_says() -> None:
    text = PAGE.read_text("utf-8")
    since = functions("from 5.2 to 10.0")
    counts = [sum(row[i].isdigit() for row in since) for i in (1, 2, 3)]
    assert f"{counts[0]} in 5.2, {counts[1]} in 7.2 and {counts[2]} in 10.0" in text
    before = functions("of 2014 and 2015")
    assert f"all {len(before)} functions of `a9db86b223`" in text
    # As ctags counts them.
    assert (*counts, len(before)) == (38, 41, 41, 38)


@pytest.mark.parametrize("title", ["from 5.2 to 10.0", "of 2014 and 2015"])
def test_no_function_is_in_a_map_twice(title: str) -> None:
    names = [spans(row[0])[0] for row in functions(title)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", DRIVER, ids=lambda path: path.name)
def test_every_function_of_the_engine_is_in_the_map(path: Path) -> None:
    mapped = {
        name
        for row in rows()
        if f"qsim/quorum/{path.name}" in spans(here(row))
        for name in (*spans(row[0]), *spans(here(row)))
    }
    body = ast.parse(path.read_text("utf-8")).body
    own = [one.name for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {name for name in own if OF_THE_DRIVER.match(name)} - mapped == set()


def test_switches_the_map_names_are_there() -> None:
    switches = defined(ROOT / "qsim/quorum/switches.py") | defined(ROOT / "qsim/block/switches.py")
    named = {span for row in rows() for span in spans(row[-1]) if re.fullmatch(r"[A-Z_]+", span)}
    named -= {"RUNTIME_OPTS", "REVISIONS"}
    assert len(named) >= 10
    assert named <= switches

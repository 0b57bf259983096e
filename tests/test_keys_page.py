# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/keys.md: every example does what it says, and every key is in one."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from importlib import resources
from textwrap import indent
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from test_docs import ROOT, code

from qsim import cli
from qsim.block.child import FLAGS, OPS
from qsim.block.monitor import COMMANDS
from qsim.explore.ways import Ways
from qsim.outcome import against_fixture
from qsim.quorum.revisions import REVISIONS, Revision
from qsim.scenario import Case
from qsim.scenario.case import IO_VERBS
from qsim.scenario.load import load_text
from qsim.scenario.short import OPTIONS, SETTINGS, SWITCHES, parse_short
from qsim.select import case_of, holds
from qsim.target.model import run_model

PAGE = ROOT / "docs" / "keys.md"
SCHEMA: dict[str, Any] = json.loads(
    resources.files("qsim.scenario").joinpath("scenario.schema.json").read_text("utf-8")
)
#: A key of the schema: the definition it stands in, and the names that lead to it.
Key = tuple[str, ...]
#: Where a file's defaults have the keys of a case, one example does for both.
SAME = {"setting": "case"}

BLOCKS = ["\n".join(block) + "\n" for language, block in code(PAGE) if language == "yaml"]
FRAME = BLOCKS[0].partition("cases:\n")[0] + "cases:\n"


def is_family(block: str) -> bool:
    return block.startswith("family:")


def is_short(block: str) -> bool:
    return not is_family(block) and not block.startswith("- ")


def whole(block: str) -> str:
    """A block as a whole file: in the frame, as its cases or as the steps of one."""
    if is_family(block):
        return block
    if block.startswith("- name:"):
        return FRAME + block
    return f"{FRAME}- name: steps\n  steps:\n{indent(block, '  ')}"


NAMES = [one.name for one in REVISIONS]
FILES = [whole(block) for block in BLOCKS if not is_short(block)]
CASES = [case for text in FILES for case in load_text(PAGE.name, text, NAMES)]
SHORT: dict[str, Any] = {
    line: case
    for block in BLOCKS
    if is_short(block)
    for line, case in yaml.safe_load(block).items()
}


def about(case: Case) -> list[Revision]:
    return [one for one in REVISIONS if holds(case, one)]


def wrong(case: Case, on: Revision) -> list[str]:
    if case.is_open:
        return Ways(case, on).wrong()
    return [str(one) for one in against_fixture(case_of(case, on), run_model(case, on))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_example_is_what_the_model_does(case: Case) -> None:
    assert about(case)
    assert {on.name: found for on in about(case) if (found := wrong(case, on))} == {}


def resolved(schema: dict[str, Any], place: Key) -> tuple[dict[str, Any], Key]:
    """A schema that may be a reference, and where its keys then stand."""
    while "$ref" in schema:
        *way, name = schema["$ref"].removeprefix("#/").split("/")
        at: Any = SCHEMA
        for step in (*way, name):
            at = at[step]
        schema, place = at, (SAME.get(name, name),) if way == ["$defs"] else ("case", name)
    return schema, place


def inside(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas of what is in a value, whatever it is called there."""
    yield from schema.get("anyOf", [])
    yield from schema.get("prefixItems", [])
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield schema[key]


def every_key(schema: dict[str, Any], place: Key, seen: set[int]) -> Iterator[Key]:
    """All keys there are; ``seen`` are the schemas they were looked for in, by identity."""
    schema, at = resolved(schema, place)
    if id(schema) in seen:
        return
    seen.add(id(schema))
    for name, below in schema.get("properties", {}).items():
        yield (*at, name)
        yield from every_key(below, (*at, name), seen)
    for below in inside(schema):
        yield from every_key(below, at, seen)


def keys_of(data: Any, schema: dict[str, Any], place: Key) -> Iterator[Key]:
    """The keys that ``data`` has."""
    schema, place = resolved(schema, place)
    for branch in schema.get("anyOf", []):
        if is_valid(data, branch):
            yield from keys_of(data, branch, place)
    if isinstance(data, list):
        first = schema.get("prefixItems", [])
        for i, one in enumerate(data):
            yield from keys_of(one, first[i] if i < len(first) else schema.get("items", {}), place)
    elif isinstance(data, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, one in data.items():
            if name in known:
                yield (*place, name)
                yield from keys_of(one, known[name], (*place, name))
            elif isinstance(others, dict):
                yield from keys_of(one, others, place)


def is_valid(data: Any, schema: dict[str, Any]) -> bool:
    whole_schema = {**schema, "$defs": SCHEMA["$defs"]}
    return jsonschema.Draft202012Validator(whole_schema).is_valid(data)


def test_every_key_of_the_schema_is_in_an_example() -> None:
    wanted = set(every_key(SCHEMA, ("file",), set()))
    # The shape of the walk: a file's, a case's, a child's, a step's, an expectation's keys.
    assert {place for place, *_ in wanted} == {"file", "case", "child", "step", "expect", "leaks"}
    used = {key for text in FILES for key in keys_of(yaml.safe_load(text), SCHEMA, ("file",))}
    assert used <= wanted
    missing = [" ".join(key) for key in sorted(wanted - used)]
    assert missing == [], "no example on docs/keys.md has these keys"


def words(value: Any) -> Iterator[str]:
    """All that is said in some data, keys and values."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from (str(key), *words(one))
    elif isinstance(value, list):
        for one in value:
            yield from words(one)
    else:
        yield str(value)


def enumerated(schema: Any) -> Iterator[str]:
    """The values of which a key of the schema has one."""
    if isinstance(schema, dict):
        yield from map(str, schema.get("enum", []))
        yield from (str(schema["const"]) for _ in range("const" in schema))
        for one in schema.values():
            yield from enumerated(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from enumerated(one)


def test_every_value_of_an_enumeration_is_on_the_page() -> None:
    said = {word for text in FILES for word in words(yaml.safe_load(text))}
    spans = set(re.findall(r"`([^`\n]+)`", PAGE.read_text("utf-8")))
    # Of sizes and alignments one is as good as another.
    wanted = {one for one in enumerated(SCHEMA) if not one.isdigit()}
    assert wanted >= {"read-only", "no-hole", "waits", "any", "trim"}
    assert wanted - said - spans == set()


def patterns(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield from [schema] * isinstance(schema.get("pattern"), str)
        for one in schema.values():
            yield from patterns(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from patterns(one)


def test_every_pattern_says_in_words_what_it_takes() -> None:
    assert len(list(patterns(SCHEMA))) >= 5
    assert [one for one in patterns(SCHEMA) if not one.get("description")] == []


@pytest.mark.parametrize(
    "text",
    ["hole", "zero", "unallocated", "pat1", "hex=", "0x", "any of ok", "any of A"]
    + [" x1", " at ", " after ", " dies", "all read", "cancel", "QUORUM_FAILURE"],
)
def test_notation_is_in_an_example(text: str) -> None:
    assert any(text in word for file in FILES for word in words(yaml.safe_load(file)))


@pytest.mark.parametrize("line", SHORT)
def test_line_becomes_the_keys_beside_it(line: str) -> None:
    assert parse_short(line) == {"name": "asked", **SHORT[line]}


@pytest.mark.parametrize("word", [*OPTIONS, *SETTINGS])
def test_setting_of_the_short_form_is_in_an_example(word: str) -> None:
    assert any(re.search(rf"(?:^|[ ;]){word}=", line) for line in SHORT)


@pytest.mark.parametrize("word", [*SWITCHES, "-P", "-z", "-u", "holds", "|", "complete", "set"])
def test_word_of_the_short_form_is_in_an_example(word: str) -> None:
    assert any(word in line.split() for line in SHORT)


@pytest.mark.parametrize("word", [*IO_VERBS, "x-blockdev-change"])
def test_what_is_done_in_the_short_form_is_in_an_example(word: str) -> None:
    assert any(re.search(rf"(?:^|[;|] ?){word}\b", line) for line in SHORT)


@pytest.mark.parametrize("word", [*COMMANDS, *FLAGS, *OPS])
def test_commands_flags_and_operations_are_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    "block", [block for _, block in code(PAGE) if block[0].startswith("$ qsim ")]
)
def test_what_the_page_shows_is_what_is_printed(block: list[str]) -> None:
    result = CliRunner().invoke(cli.main, shlex.split(block[0])[2:])
    assert result.output.splitlines() == [line for line in block[1:] if line]

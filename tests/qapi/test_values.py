# SPDX-License-Identifier: GPL-2.0-or-later
"""Values against types, arguments against commands, messages against events."""

import random
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from qsim.qapi import QapiValueError, Schema
from qsim.qapi.quick import plainly_conforms

from .conftest import Loader


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("str", ["", "x"], [1, None, True]),
        ("bool", [True, False], [0, 1, "true"]),
        ("null", [None], [0, False, ""]),
        ("any", [None, 1, "x", [], {}], []),
        ("number", [1, 1.5, -3], ["1", True]),
        ("int", [0, 2**63 - 1, -(2**63)], [2**63, 1.0, 1.5, True, "1"]),
        ("int8", [-128, 127], [-129, 128]),
        ("int16", [-(2**15), 2**15 - 1], [2**15]),
        ("int32", [-(2**31), 2**31 - 1], [2**31]),
        ("int64", [2**63 - 1], [2**63]),
        ("uint8", [0, 255], [-1, 256]),
        ("uint16", [0, 2**16 - 1], [2**16]),
        ("uint32", [0, 2**32 - 1], [-1, 2**32]),
        ("uint64", [0, 2**64 - 1], [-1, 2**64]),
        ("size", [0, 2**64 - 1], [-1, 2**64]),
        ("[uint8]", [[], [1, 2]], [1, [256], ["1"]]),
    ],
)
def test_built_in_types(name: str, good: list[Any], bad: list[Any]) -> None:
    schema = Schema({})
    for value in good:
        schema.check_type(name, value)
    for value in bad:
        with pytest.raises(QapiValueError, match=f"^type {name.replace('[', '.')[:4]}"):
            schema.check_type(name, value)


TYPES = """
{ 'enum': 'Kind', 'data': [ 'leaf', 'node', 'bare' ] }
{ 'struct': 'Named', 'data': { '*name': 'str' } }
{ 'struct': 'Leaf', 'base': 'Named', 'data': { 'value': 'uint8' } }
{ 'enum': 'Fork', 'data': [ 'two', 'many' ] }
{ 'struct': 'Two', 'data': { 'left': 'Tree', 'right': 'TreeRef' } }
{ 'union': 'Node', 'base': { 'fork': 'Fork' }, 'discriminator': 'fork', 'data': { 'two': 'Two' } }
{ 'union': 'Tree', 'base': { 'kind': 'Kind', '*note': 'str' }, 'discriminator': 'kind',
  'data': { 'leaf': 'Leaf', 'node': 'Node' } }
{ 'alternate': 'TreeRef', 'data': { 'tree': 'Tree', 'name': 'str', 'level': 'uint8' } }
{ 'command': 'plant', 'data': 'Tree', 'boxed': true }
{ 'command': 'prune', 'data': { 'refs': [ 'TreeRef' ], '*deep': 'bool' } }
{ 'command': 'bare' }
{ 'event': 'GROWN', 'data': { 'by': 'uint8' } }
{ 'event': 'SHED', 'data': { '*leaves': 'int' } }
{ 'event': 'DEAD' }
{ 'event': 'MOVED', 'data': 'Leaf' }
"""
LEAF = {"kind": "leaf", "value": 1}


@pytest.fixture
def trees(schema_of: Loader) -> Schema:
    return schema_of(TYPES)


@pytest.mark.parametrize(
    "value",
    [
        LEAF,
        {"kind": "leaf", "value": 255, "name": "l", "note": "n"},
        {"kind": "bare"},
        {"kind": "node", "fork": "many"},
        {"kind": "node", "fork": "two", "left": LEAF, "right": "ref"},
        {"kind": "node", "fork": "two", "left": LEAF, "right": LEAF, "note": "n"},
        {"kind": "node", "fork": "two", "left": {"kind": "bare"}, "right": 7},
    ],
)
def test_union_takes(trees: Schema, value: Any) -> None:
    trees.check_command("plant", value)
    Draft202012Validator(trees.json_schema("plant")).validate(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "kind: missing; Tree requires it"),
        (
            {"kind": "laef"},
            "kind: 'laef' is not a value of Kind (leaf, node, bare); did you mean 'leaf'?",
        ),
        ({"kind": 1}, "kind: 1 is not a value of Kind (leaf, node, bare)"),
        ({"kind": "leaf"}, "value: missing; Tree(kind=leaf) requires it"),
        (
            {"kind": "leaf", "valeu": 1},
            "valeu: Tree(kind=leaf) has no such member; did you mean 'value'?",
        ),
        ({"kind": "bare", "value": 1}, "value: Tree(kind=bare) has no such member"),
        ({"kind": "leaf", "value": 256}, "value: 256 is out of range, must be 0 to 255"),
        ({"kind": "leaf", "value": "1"}, "value: '1' is a string, must be an integer"),
        (
            {"kind": "leaf", "value": 1.0},
            "value: 1.0 is a floating-point number, must be an integer",
        ),
        ({"kind": "leaf", "value": True}, "value: True is a boolean, must be an integer"),
        (
            {"kind": "node", "fork": "tow"},
            "fork: 'tow' is not a value of Fork (two, many); did you mean 'two'?",
        ),
        (
            {"kind": "node", "fork": "two", "left": LEAF},
            "right: missing; Tree(kind=node)(fork=two) requires it",
        ),
        (
            {"kind": "node", "fork": "two", "left": {"kind": "leaf", "value": None}, "right": "x"},
            "left.value: None is null, must be an integer",
        ),
        (
            {"kind": "node", "fork": "two", "left": LEAF, "right": []},
            "right: [] is an array, must be an object or a string or an integer",
        ),
        (
            {"kind": "node", "fork": "two", "left": LEAF, "right": {"kind": "bare", "x": 1}},
            "right.x: Tree(kind=bare) has no such member",
        ),
    ],
)
def test_union_refuses(trees: Schema, value: Any, message: str) -> None:
    with pytest.raises(QapiValueError) as caught:
        trees.check_command("plant", value)
    assert str(caught.value) == f"command plant: {message}"


def test_all_problems_are_kept_the_most_telling_first(trees: Schema) -> None:
    with pytest.raises(QapiValueError) as caught:
        trees.check_command("plant", {"kind": "leaf", "valeu": 1, "note": 3})
    assert caught.value.subject == "command plant"
    assert [str(problem) for problem in caught.value.problems] == [
        "valeu: Tree(kind=leaf) has no such member; did you mean 'value'?",
        "value: missing; Tree(kind=leaf) requires it",
        "note: 3 is an integer, must be a string",
    ]


def test_arrays_show_the_index(trees: Schema) -> None:
    trees.check_command("prune", {"refs": ["a", LEAF, 3]})
    with pytest.raises(QapiValueError, match=r"^command prune: refs\[1\]\.value: missing"):
        trees.check_command("prune", {"refs": ["a", {"kind": "leaf"}]})


def test_commands_without_arguments(trees: Schema) -> None:
    trees.check_command("bare")
    trees.check_command("bare", {})
    with pytest.raises(QapiValueError, match="x: bare has no such member"):
        trees.check_command("bare", {"x": 1})


def test_unknown_names(trees: Schema) -> None:
    with pytest.raises(QapiValueError, match="no such command; did you mean 'plant'"):
        trees.check_command("plnat")
    with pytest.raises(QapiValueError, match="no such command"):
        trees.check_command("GROWN")
    with pytest.raises(QapiValueError, match="no such event; did you mean 'GROWN'"):
        trees.check_event({"event": "GROWM"})
    with pytest.raises(QapiValueError, match="event: event: missing, or not a string"):
        trees.check_event({"QMP": {}})
    with pytest.raises(KeyError):
        trees.check_type("Nothing", 1)
    with pytest.raises(TypeError, match="only structs and unions"):
        trees.members("Kind")


def event(name: str, **data: Any) -> dict[str, Any]:
    message = {"event": name, "timestamp": {"seconds": 1, "microseconds": 2}}
    return {**message, "data": data} if data else message


def test_events(trees: Schema) -> None:
    for message in (
        event("GROWN", by=1),
        event("SHED"),
        event("SHED", leaves=2),
        event("DEAD"),
        {**event("DEAD"), "data": {}},
        event("MOVED", value=3),
    ):
        trees.check_event(message)
    for message, problem in [
        (event("GROWN"), "data: missing; GROWN requires it"),
        (event("MOVED"), "data: missing; MOVED requires it"),
        (event("GROWN", by="x"), "data.by: 'x' is a string, must be an integer"),
        (event("DEAD", x=1), "data.x: DEAD has no such member"),
        ({"event": "DEAD"}, "timestamp: missing; DEAD requires it"),
        ({**event("DEAD"), "timestamp": 1}, "timestamp: 1 is an integer, must be an object"),
        ({**event("DEAD"), "dta": {}}, "dta: DEAD has no such member; did you mean 'data'?"),
    ]:
        with pytest.raises(QapiValueError) as caught:
            trees.check_event(message)
        assert str(caught.value) == f"event {message['event']}: {problem}"


def test_documents_are_valid_json_schemas(shipped: Schema) -> None:
    for name in ("blockdev-add", "QUORUM_REPORT_BAD", "[BlockdevRef]"):
        document = shipped.json_schema(name)
        Draft202012Validator.check_schema(document)
        assert document["$schema"].endswith("2020-12/schema")


def test_definitions_carry_their_summary(shipped: Schema) -> None:
    document = shipped.json_schema("BlockdevOptionsQuorum")
    assert document["$ref"] == "#/$defs/BlockdevOptionsQuorum"
    assert "quorum_open" in document["$defs"]["BlockdevOptionsQuorum"]["description"]


def replaced(value: Any, chance: random.Random) -> Any:
    """A value like this one, with something in it replaced or taken out, or nothing."""
    if chance.random() < 0.08:
        return chance.choice(["unix", "raw", "null-co", "fifo", 1, -1, 1.0, True, None, [], {}])
    if isinstance(value, list):
        return [replaced(item, chance) for item in value]
    if isinstance(value, dict):
        return {
            key: replaced(item, chance) for key, item in value.items() if chance.random() > 0.04
        }
    return value


def test_the_short_way_agrees_with_jsonschema(shipped: Schema) -> None:
    """quick.py must never say yes where jsonschema says no."""
    document = shipped.json_schema("BlockdevRef")
    validator = Draft202012Validator(document)
    chance = random.Random(1)
    seen = {True: 0, False: 0}
    for _ in range(150):
        value = replaced(
            {
                "driver": "quorum",
                "node-name": "q",
                "vote-threshold": 2,
                "read-pattern": "fifo",
                "children": [
                    "a",
                    {"driver": "raw", "file": {"driver": "null-co", "size": 1}},
                    {"driver": "nbd", "server": {"type": "unix", "path": "/p"}},
                ],
            },
            chance,
        )
        plain = plainly_conforms(document, value, document["$defs"])
        # 1.0 is an integer to plain JSON Schema, and not to QMP.
        assert plain == validator.is_valid(value) or (not plain and "1.0" in repr(value))
        seen[plain] += 1
    assert min(seen.values()) > 20

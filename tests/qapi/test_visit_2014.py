# SPDX-License-Identifier: GPL-2.0-or-later
"""The words in which QEMU of 2014 refuses arguments, and the schemas of that time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.qapi import QapiValueError, schema_2014
from qsim.qapi.model import Enum, Struct
from qsim.qapi.paths import schema_path_2014
from qsim.qapi.visit import VisitError
from qsim.qapi.visit_2014 import visit_arguments_2014

STATES = ("before", "string", "read-pattern")
QUORUM: dict[str, Any] = {
    "driver": "quorum",
    "node-name": "q",
    "children": ["c0", "c1"],
    "vote-threshold": 1,
}


def refusal(options: dict[str, Any], state: str = "read-pattern") -> str:
    """What blockdev-add says to these options, "" when it has nothing to say."""
    try:
        visit_arguments_2014(schema_2014(state), "blockdev-add", options)
    except VisitError as error:
        return str(error)
    return ""


def changed(**members: Any) -> dict[str, Any]:
    """QUORUM with other members; ``None`` takes one out."""
    options = QUORUM | {name.replace("_", "-"): value for name, value in members.items()}
    return {name: value for name, value in options.items() if value is not None}


def wrong_type(name: str, expected: str) -> str:
    """The refusal of a value of the wrong type."""
    return f"Invalid parameter type for '{name}', expected: {expected}"


@pytest.mark.parametrize("state", STATES)
def test_quorum_without_the_option_of_the_series_is_taken_in_every_state(state: str) -> None:
    assert refusal(QUORUM, state) == ""
    assert refusal(changed(blkverify=True, rewrite_corrupted=False, id="d0"), state) == ""


@pytest.mark.parametrize(
    ("members", "message"),
    [
        # What is missing is of the wrong type.
        ({"vote_threshold": None}, wrong_type("vote-threshold", "integer")),
        ({"children": None}, wrong_type("children", "list")),
        ({"driver": None}, wrong_type("driver", "string")),
        ({"vote_threshold": "1"}, wrong_type("vote-threshold", "integer")),
        ({"vote_threshold": True}, wrong_type("vote-threshold", "integer")),
        ({"vote_threshold": 1.0}, wrong_type("vote-threshold", "integer")),
        ({"vote_threshold": 1 << 63}, wrong_type("vote-threshold", "integer")),
        ({"vote_threshold": -(1 << 63) - 1}, wrong_type("vote-threshold", "integer")),
        ({"vote_threshold": []}, wrong_type("vote-threshold", "integer")),
        ({"blkverify": 1}, wrong_type("blkverify", "boolean")),
        ({"blkverify": "on"}, wrong_type("blkverify", "boolean")),
        ({"rewrite_corrupted": "off"}, wrong_type("rewrite-corrupted", "boolean")),
        ({"node_name": 5}, wrong_type("node-name", "string")),
        ({"id": False}, wrong_type("id", "string")),
        ({"children": "c0"}, wrong_type("children", "list")),
        ({"children": {"0": "c0"}}, wrong_type("children", "list")),
        ({"driver": 5}, wrong_type("driver", "string")),
        ({"read_pattern": 5}, wrong_type("read-pattern", "string")),
        # A value an enumeration does not have is named, not the member.
        ({"driver": "raid"}, "Invalid parameter 'raid'"),
        ({"read_pattern": "bogus"}, "Invalid parameter 'bogus'"),
        ({"read_pattern": "FIFO"}, "Invalid parameter 'FIFO'"),
        ({"quorate": True}, "QMP input object member 'quorate' is unexpected"),
        ({"vote_threshold": 1, "VOTE": 1}, "QMP input object member 'VOTE' is unexpected"),
    ],
)
def test_refusal_in_the_words_of_2014(members: dict[str, Any], message: str) -> None:
    assert refusal(changed(**members)) == message


@pytest.mark.parametrize("threshold", [0, -1, (1 << 63) - 1, -(1 << 63)])
def test_any_number_of_64_bits_is_a_threshold_for_the_schema(threshold: int) -> None:
    assert refusal(changed(vote_threshold=threshold)) == ""


def test_first_member_in_the_order_of_the_schema_is_refused_first() -> None:
    # The base's members, then the branch's; what nobody visits is found last.
    options = {"other": 1, "rewrite-corrupted": 1, "blkverify": 1, "id": 1, "driver": "quorum"}
    assert refusal(options) == wrong_type("id", "string")
    del options["id"]
    assert refusal(options) == wrong_type("blkverify", "boolean")
    del options["blkverify"]
    assert refusal(options) == wrong_type("children", "list")
    options |= {"children": [], "vote-threshold": 1}
    assert refusal(options) == wrong_type("rewrite-corrupted", "boolean")
    del options["rewrite-corrupted"]
    assert refusal(options) == "QMP input object member 'other' is unexpected"


@pytest.mark.parametrize("child", [5, True, None, ["c0"]])
def test_element_of_a_list_has_no_name(child: Any) -> None:
    # What is no kind of child is taken for the first kind there is: options.
    assert refusal(changed(children=["c0", child])) == wrong_type("null", "QDict")


def test_options_of_a_child_are_visited_like_those_of_the_node() -> None:
    inner = changed(vote_threshold="1")
    assert refusal(changed(children=["c0", inner])) == wrong_type("vote-threshold", "integer")
    odd = changed(quorate=True)
    assert refusal(changed(children=[odd])) == "QMP input object member 'quorate' is unexpected"
    assert refusal(changed(children=["c0", QUORUM])) == ""


def test_value_null_is_no_value_of_any_type() -> None:
    assert refusal(QUORUM | {"vote-threshold": None}) == wrong_type("vote-threshold", "integer")


def test_command_there_is_not_has_not_been_found() -> None:
    with pytest.raises(VisitError, match="^The command x-blockdev-change has not been found$"):
        visit_arguments_2014(schema_2014("before"), "x-blockdev-change", {})


# Children and thresholds beyond the types; what is odd is more often alone than not.
_ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just([]),
    st.just({}), st.just(1 << 64),
)  # fmt: skip
_VALUES: dict[str, list[Any]] = {
    "driver": ["quorum"],
    "id": ["d0"],
    "node-name": ["q"],
    "children": [["c0", "c1"], [], [5], ["c0", QUORUM], [{}], [QUORUM | {"id": 1}]],
    "vote-threshold": [1, 0, -5],
    "blkverify": [True, False],
    "rewrite-corrupted": [True],
    "read-pattern": ["fifo", "quorum", "single"],
    "quorate": [1],
}


@st.composite
def arguments(draw: st.DrawFn) -> dict[str, Any]:
    """Options of which at most a few are missing, odd or unknown."""
    options = dict(QUORUM)
    for name in draw(st.lists(st.sampled_from(sorted(_VALUES)), max_size=3)):
        how = draw(st.sampled_from(["good", "odd", "gone"]))
        if how == "gone":
            options.pop(name, None)
        else:
            options[name] = draw(st.sampled_from(_VALUES[name]) if how == "good" else _ODD)
    return options


@given(arguments(), st.sampled_from(STATES))
def test_visitor_refuses_just_what_does_not_conform(options: dict[str, Any], state: str) -> None:
    try:
        schema_2014(state).check_command("blockdev-add", options)
        conforms = True
    except QapiValueError:
        conforms = False
    assert (refusal(options, state) == "") == conforms


# The schemas.


@pytest.mark.parametrize("state", STATES)
def test_schema_of_2014_loads_and_has_what_scenarios_need(state: str) -> None:
    schema = schema_2014(state)
    assert schema_path_2014(state).name == f"{state}.json"
    assert {
        "blockdev-add",
        "query-named-block-nodes",
        "QUORUM_FAILURE",
        "QUORUM_REPORT_BAD",
        "BlockdevOptionsQuorum",
    } <= set(schema.definitions)
    # What came later.
    assert not {"x-blockdev-change", "blockdev-del", "QuorumOpType"} & set(schema.definitions)


@pytest.mark.parametrize("state", STATES)
def test_schema_of_2014_is_documented(state: str) -> None:
    for name, definition in schema_2014(state).definitions.items():
        assert definition.doc, name
        assert "Since" in definition.doc.sections, name


def quorum_of(state: str) -> Struct:
    """The options of quorum."""
    found = schema_2014(state).definitions["BlockdevOptionsQuorum"]
    assert isinstance(found, Struct)
    return found


def test_states_of_the_schema_differ_in_the_option_of_the_series_alone() -> None:
    types = {
        state: {name: member.type.name for name, member in quorum_of(state).members.items()}
        for state in STATES
    }
    assert "read-pattern" not in types["before"]
    assert types["string"] == types["before"] | {"read-pattern": "str"}
    assert types["read-pattern"] == types["before"] | {"read-pattern": "QuorumReadPattern"}
    assert all(quorum_of(state).members["read-pattern"].optional for state in STATES[1:])
    others = {
        state: {
            name
            for name in schema_2014(state).definitions
            if name not in ("BlockdevOptionsQuorum", "QuorumReadPattern")
        }
        for state in STATES
    }
    assert others["before"] == others["string"] == others["read-pattern"]


def test_enumeration_of_the_patterns_came_with_v3() -> None:
    patterns = schema_2014("read-pattern").definitions["QuorumReadPattern"]
    assert isinstance(patterns, Enum)
    assert list(patterns.values) == ["quorum", "fifo"]
    for state in ("before", "string"):
        assert "QuorumReadPattern" not in schema_2014(state).definitions


@pytest.mark.parametrize(
    ("state", "pattern", "message"),
    [
        ("before", "fifo", "QMP input object member 'read-pattern' is unexpected"),
        ("before", "bogus", "QMP input object member 'read-pattern' is unexpected"),
        ("string", "fifo", ""),
        ("string", "single", ""),
        ("string", "bogus", ""),
        ("read-pattern", "fifo", ""),
        ("read-pattern", "quorum", ""),
        ("read-pattern", "single", "Invalid parameter 'single'"),
    ],
)
def test_read_pattern_by_the_state_of_the_schema(state: str, pattern: str, message: str) -> None:
    assert refusal(changed(read_pattern=pattern), state) == message


@pytest.mark.parametrize("state", STATES)
def test_report_of_2014_says_no_type(state: str) -> None:
    data = {"node-name": "c0", "sector-num": 0, "sectors-count": 1, "error": "Input/output error"}
    message = {
        "event": "QUORUM_REPORT_BAD",
        "data": data,
        "timestamp": {"seconds": 1, "microseconds": 0},
    }
    schema_2014(state).check_event(message)
    with pytest.raises(QapiValueError, match="type: QUORUM_REPORT_BAD has no such member"):
        schema_2014(state).check_event({**message, "data": {**data, "type": "read"}})

# SPDX-License-Identifier: GPL-2.0-or-later
"""Option dictionaries and the ``-drive`` syntax."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.block.error import QmpError
from qsim.block.options import (
    EINVAL,
    UINT64_MAX,
    parse_drive,
    parse_option_number,
    qapi_bool_parse,
    qdict_array_entries,
    qdict_extract_subqdict,
    qdict_flatten,
    qemu_opts_absorb,
)


def refused(name: str, value: Any) -> str:
    """The text a number is refused with."""
    with pytest.raises(QmpError) as caught:
        parse_option_number(name, value)
    return caught.value.desc


# Flattening.


@pytest.mark.parametrize(
    ("options", "flat"),
    [
        ({"a": 1}, {"a": 1}),
        ({"a": {"b": {"c": 1}}}, {"a.b.c": 1}),
        ({"a": [1, 2]}, {"a.0": 1, "a.1": 2}),
        ({"a": [{"b": 1}, [2]]}, {"a.0.b": 1, "a.1.0": 2}),
        ({"a": {}, "b": []}, {"a": {}, "b": []}),
        ({"a": {"b": {}}, "c": [[]]}, {"a.b": {}, "c.0": []}),
        ({"a": None, "b": False, "c": ""}, {"a": None, "b": False, "c": ""}),
    ],
)
def test_flattening_gives_dotted_keys_and_keeps_what_is_empty(
    options: dict[str, Any], flat: dict[str, Any]
) -> None:
    assert qdict_flatten(options) == flat


def test_flattening_nothing_gives_nothing() -> None:
    assert qdict_flatten({}) == {}


_KEYS = st.text("ab", min_size=1, max_size=2)
_TREES = st.recursive(
    st.integers(),
    lambda inner: (
        st.dictionaries(_KEYS, inner, min_size=1, max_size=3)
        | st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def leaf(tree: Any, key: str) -> Any:
    """What a dotted key leads to."""
    for part in key.split("."):
        tree = tree[int(part)] if isinstance(tree, list) else tree[part]
    return tree


@given(st.dictionaries(_KEYS, _TREES, min_size=1, max_size=3))
def test_flattening_keeps_every_leaf_under_its_path(options: dict[str, Any]) -> None:
    flat = qdict_flatten(options)
    assert all(leaf(options, key) == value for key, value in flat.items())
    assert repr(options).count("'") <= 2 * sum(len(key.split(".")) for key in flat)


def test_extraction_takes_a_prefix_out() -> None:
    options = {"children.0.driver": "raw", "children.0": 1, "child": 2, "children.1.x": 3}
    assert qdict_extract_subqdict(options, "children.0.") == {"driver": "raw"}
    assert options == {"children.0": 1, "child": 2, "children.1.x": 3}


# Arrays.


@pytest.mark.parametrize(
    ("keys", "entries"),
    [
        ([], 0),
        (["other"], 0),
        (["c.0"], 1),
        (["c.0", "c.1", "other"], 2),
        (["c.0.a", "c.0.b", "c.1"], 2),
        (["c.1", "c.0"], 2),
        (["c.0", "c.0.a"], -EINVAL),
        (["c.1"], -EINVAL),
        (["c.0", "c.2"], -EINVAL),
        (["c.0.a", "c.2.a"], -EINVAL),
        (["c.0", "c.x"], -EINVAL),
        (["c.0", "c.01"], -EINVAL),
        (["c.", "c.0"], -EINVAL),
        (["c", "c.0"], 1),
    ],
)
def test_entries_of_an_array(keys: list[str], entries: int) -> None:
    assert qdict_array_entries(dict.fromkeys(keys, 1), "c.") == entries


@given(st.sets(st.integers(min_value=0, max_value=6)), st.lists(st.booleans(), min_size=7))
def test_array_is_valid_when_it_has_no_gap(places: set[int], nested: list[bool]) -> None:
    keys = [f"c.{i}.{name}" if nested[i] else f"c.{i}" for i in places for name in "xy"]
    expected = len(places) if places == set(range(len(places))) else -EINVAL
    assert qdict_array_entries({**dict.fromkeys(keys, 1), "d": 1}, "c.") == expected


def test_a_dozen_entries_are_counted_as_numbers_not_as_text() -> None:
    assert qdict_array_entries({f"c.{i}": 1 for i in range(12)}, "c.") == 12


# Numbers.


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("7", 7),
        (7, 7),
        ("+7", 7),
        (" \t7", 7),
        ("0x1F", 31),
        ("0X1f", 31),
        ("010", 8),
        ("00", 0),
        ("18446744073709551615", UINT64_MAX),
        ("0xffffffffffffffff", UINT64_MAX),
        ("-1", UINT64_MAX),
        ("-0", 0),
        ("-0x10", UINT64_MAX - 15),
        ("-18446744073709551615", 1),
    ],
)
def test_number_as_strtoull_reads_it(text: Any, number: int) -> None:
    assert parse_option_number("n", text) == number


@pytest.mark.parametrize(
    "text",
    ["", " ", "two", "1 ", "1x", "0x", "0xg", "08", "019", "1.5", "--1", "- 1", "1e3", "+-1", True],
)
def test_what_is_no_number_is_refused(text: Any) -> None:
    assert refused("n", text) == "Parameter 'n' expects a number"


@pytest.mark.parametrize(
    "text",
    ["18446744073709551616", "0x10000000000000000", "02000000000000000000000"]
    + ["-18446744073709551616", "9" * 40],
)
def test_number_beyond_64_bits_is_refused(text: str) -> None:
    assert refused("n", text) == f"Value '{text}' is too large for parameter 'n'"


@given(st.integers(min_value=0, max_value=UINT64_MAX))
def test_number_in_any_base_is_the_same(number: int) -> None:
    octal = f"0{number:o}"
    for text in (str(number), hex(number), octal):
        assert parse_option_number("n", text) == number
        assert (parse_option_number("n", f"-{text}") + number) & UINT64_MAX == 0


# Booleans, and taking options out.


@pytest.mark.parametrize("word", ["on", "yes", "true", "y"])
def test_words_for_on(word: str) -> None:
    assert qapi_bool_parse("b", word) is True


@pytest.mark.parametrize("word", ["off", "no", "false", "n"])
def test_words_for_off(word: str) -> None:
    assert qapi_bool_parse("b", word) is False


@pytest.mark.parametrize("word", ["", "On", "1", "maybe"])
def test_other_words_are_neither(word: str) -> None:
    with pytest.raises(QmpError, match="^Parameter 'b' expects 'on' or 'off'$"):
        qapi_bool_parse("b", word)


def test_described_options_are_taken_out_with_their_types() -> None:
    options = {"n": "0x10", "b": "on", "s": 5, "other": 1, "b2": True}
    desc = {"n": "number", "b": "bool", "b2": "bool", "s": "string", "absent": "string"}
    assert qemu_opts_absorb(desc, options) == {"n": 16, "b": True, "b2": True, "s": "5"}
    assert options == {"other": 1}


# The command line.


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a=b", {"a": "b"}),
        ("a=b,c=d", {"a": "b", "c": "d"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=,b=c", {"a": "", "b": "c"}),
        ("a", {"a": "on"}),
        ("noa", {"a": "off"}),
        ("a=1,a=2", {"a": "2"}),
        ("a=b,", {"a": "b"}),
        ("a=b,,c,d=e", {"a": "b,c", "d": "e"}),
        ("a=,,b", {"a": ",b"}),
        ("a=b,,,c=d", {"a": "b,", "c": "d"}),
        ("a=,,,,", {"a": ",,"}),
        ("a=b,,,,,c=d", {"a": "b,,", "c": "d"}),
        ("a.0.b=x.img", {"a.0.b": "x.img"}),
    ],
)
def test_drive_string(text: str, options: dict[str, str]) -> None:
    assert parse_drive(text) == options


def test_two_commas_in_a_value_are_four() -> None:
    assert parse_drive("a=b,,,,c") == {"a": "b,,c"}


# Without the bug above the filter can go.
@given(
    st.dictionaries(
        st.from_regex("[a-mo-z][a-z.]{0,5}", fullmatch=True),
        st.text(",=ab").filter(lambda value: ",," not in value),
        max_size=4,
    )
)
def test_values_with_single_commas_come_back(options: dict[str, str]) -> None:
    text = ",".join(f"{key}={value.replace(',', ',,')}" for key, value in options.items())
    assert parse_drive(text) == options

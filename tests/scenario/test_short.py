# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios in one line."""

from __future__ import annotations

from typing import Any

import pytest

from qsim.scenario.asked import load_asked
from qsim.scenario.opened import of_blockdev, of_drive
from qsim.scenario.short import ShortFormError, looks_short, parse_short


def steps(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parse_short(text)["steps"]
    return found


def test_settings_have_short_words_and_qemu_s_own() -> None:
    short = parse_short("children=A,B threshold=2 pattern=fifo rewrite=off blkverify=on size=128k")
    assert short["children"] == {"c0": "A", "c1": "B"}
    assert short["size"] == "128k"
    assert short["quorum"] == {
        "vote-threshold": 2,
        "read-pattern": "fifo",
        "rewrite-corrupted": False,
        "blkverify": True,
    }
    own = parse_short("children=2 vote-threshold=2 read-pattern=quorum")
    assert own["quorum"] == {"vote-threshold": 2, "read-pattern": "quorum"}


def test_there_are_three_children_and_threshold_one_unless_said() -> None:
    raw = parse_short("flush")
    assert raw["children"] == {"c0": "A", "c1": "A", "c2": "A"}
    assert raw["quorum"] == {"vote-threshold": 1}


def test_a_child_fails_always_before_the_first_request_and_once_after_it() -> None:
    raw = parse_short("children=2; child 1: read EIO, flush EIO x2; read 0 512; c0: EIO; flush")
    assert raw["children"]["c1"] == {"contents": "A", "faults": ["read EIO", "flush EIO x2"]}
    assert raw["steps"] == [{"read": [0, 512]}, {"flush": True, "faults": {"c0": ["EIO"]}}]


def test_all_stands_for_every_child() -> None:
    raw = parse_short("children=2; all: EIO; read 0 512; all: EIO x2; flush; set all B")
    assert raw["children"] == {name: {"contents": "A", "faults": ["EIO"]} for name in ("c0", "c1")}
    assert raw["steps"][1]["faults"] == {"c0": ["EIO x2"], "c1": ["EIO x2"]}
    assert raw["steps"][2] == {"set": {"c0": "B", "c1": "B"}}


def test_a_child_holds_bytes_from_the_start_or_from_then_on() -> None:
    raw = parse_short("children=1; c0: holds A:512 B; read 0 1k; c0: holds C; read 0 512")
    assert raw["children"]["c0"] == "A:512 B"
    assert raw["steps"][1] == {"set": {"c0": "C"}}


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("read 0 512", {"read": [0, 512]}),
        ("read -v 1k 4k", {"read": [1024, 4096]}),
        ("write 0 512", {"write": [0, 512, "W"]}),
        ("write 0 1k X:512 Y", {"write": [0, 1024, "X:512 Y"]}),
        ("write -P 0x41 0 512", {"write": [0, 512, "0x41"]}),
        ("write -P 65 -f 0 512", {"write": [0, 512, "0x41"], "flags": ["fua"]}),
        ("write -z 0 4k", {"write-zeroes": [0, 4096], "flags": ["no-hole"]}),
        ("write -z -u -n 0 4k", {"write-zeroes": [0, 4096], "flags": ["fast-zero"]}),
        ("write-zeroes 0 4k fua", {"write-zeroes": [0, 4096], "flags": ["fua"]}),
        ("discard 0 4k", {"discard": [0, 4096]}),
        ("block-status 0 4k", {"block-status": [0, 4096]}),
        ("flush", {"flush": True}),
        ("set c1 B", {"set": {"c1": "B"}}),
        ("complete c2 c0; read 0 512", {"read": [0, 512], "complete": ["c2", "c0"]}),
        ("read 0 512 | flush", {"together": [{"read": [0, 512]}, {"flush": True}]}),
        (
            "x-blockdev-change parent=q node=c2",
            {"qmp": {"execute": "x-blockdev-change", "arguments": {"parent": "q", "node": "c2"}}},
        ),
    ],
)
def test_what_is_done(text: str, step: dict[str, Any]) -> None:
    assert steps(f"children=3; {text}") == [step]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour=red", "'colour' cannot be set; there are: threshold,"),
        ("children=2; c7: EIO; flush", "'c7' is no child; there are: c0, c1, all"),
        ("c0: broken; flush", "is no fault; write e.g. EIO"),
        ("reed 0 512", "'reed' is nothing that can be done; there are: read,"),
        ("read 0", "needs an offset and a number of bytes"),
        ("read 0 5x", "is no number of bytes"),
        ("write -P 0x100 0 512", "-P takes a byte"),
        ("write -x 0 512", "'-x' is no switch"),
        ("write -c 0 64k", "'-c' is no switch"),
        ("read -b 0 512", "'-b' is no switch of read"),
        ("children=[; read 0 512", "this is no value"),
        ("children=2 threshold=@; flush", "this is no value"),
        ("flush now", "a flush takes nothing"),
        ("x-blockdev-change q", "'q' is no argument; write e.g. node=c2"),
        ("set c0", "write e.g. set c0 B"),
        ("complete c0", "complete is about a request, and none follows"),
        ("write 0 512 'X", "No closing quotation"),
    ],
)
def test_what_says_nothing_is_told(text: str, message: str) -> None:
    with pytest.raises(ShortFormError, match=message.replace("(", r"\(")):
        parse_short(text)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("read 0 512", True),
        ("children=3", True),
        ("a; b", True),
        ("fifo/second-child-answers", False),
        ("fixtures/fifo.yaml", False),
        ("fixtures/fifo.yaml::second child answers", False),
        ("fifo", False),
        ("", False),
    ],
)
def test_what_is_meant_as_a_scenario(text: str, short: bool) -> None:
    assert looks_short(text) is short


def test_a_blockdev_as_keys_or_as_json() -> None:
    keys = of_blockdev("driver=quorum,node-name=x,children.0=img0,children.1=img1,vote-threshold=2")
    json = of_blockdev('{"driver": "quorum", "children": ["img0", "img1"], "vote-threshold": 2}')
    assert keys == json
    case = load_asked(parse_short("img1: EIO; read 0 512", keys))
    assert list(case.children) == ["img0", "img1"]
    assert case.options is not None and case.options["vote-threshold"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("driver=raw,file=x", "is no quorum node"),
        ("driver=quorum,vote-threshold=1", "needs children that are names"),
        ("driver=quorum,children.0.driver=nbd", "needs children that are names"),
        ("driver=quorum,children.0=C-0", "is no name for a child"),
        ("driver=quorum,children", "is no key=value"),
        ("driver=quorum,driver.x=1", "is in something that has a value"),
        ('{"driver": ', "not JSON"),
    ],
)
def test_a_blockdev_that_cannot_be_used(text: str, message: str) -> None:
    with pytest.raises(ShortFormError, match=message):
        of_blockdev(text)


def test_the_drive_of_the_cover_letter() -> None:
    drive = (
        "driver=quorum,children.0.file.filename=0.qcow2,children.1.file.filename=1.qcow2,"
        "read-pattern=fifo,vote-threshold=1"
    )
    raw = parse_short("child 0: read EIO; read 0 512", of_drive(drive))
    assert raw["images"] == {"0.qcow2": {"contents": "A", "faults": ["read EIO"]}, "1.qcow2": "A"}
    assert load_asked(raw).drive == drive
    with pytest.raises(ShortFormError, match="names no file"):
        of_drive("driver=quorum")

# SPDX-License-Identifier: GPL-2.0-or-later
"""The short forms for requests, events, faults and extents."""

from __future__ import annotations

import re

import pytest

from qsim.block.child import Fault, Request
from qsim.block.errno import NBD_ERRNOS, number, strerror
from qsim.block.events import Event
from qsim.scenario.notation import parse_event, parse_extent, parse_fault, parse_round

NAMES = ["c0", "c1", "c2"]


def round_of(text: str, everyone: list[str] | None = None) -> tuple[Request, ...]:
    """A round among three children."""
    return parse_round(text, NAMES, NAMES if everyone is None else everyone)


def starts(text: str) -> str:
    """A pattern for a message that begins with ``text``."""
    return "^" + re.escape(text)


@pytest.mark.parametrize("op", ["read", "write", "write-zeroes", "block-status", "discard"])
def test_request_with_a_range(op: str) -> None:
    assert round_of(f"c1 {op} 512 1024") == (Request("c1", op, 512, 1024),)


def test_flush_has_no_range() -> None:
    assert round_of("c0 flush") == (Request("c0", "flush"),)


def test_flags_are_put_into_one_order() -> None:
    flagged = (Request("c0", "write-zeroes", 0, 512, ("fua", "no-hole", "fast-zero")),)
    assert round_of("c0 write-zeroes 0 512 fast-zero no-hole fua") == flagged


def test_round_is_sorted_by_child_whatever_the_order_of_writing() -> None:
    assert round_of("c2 flush, c0 flush,c1 flush") == round_of("c0 flush, c1 flush, c2 flush")


def test_two_requests_of_one_child_keep_their_order() -> None:
    assert [r.offset for r in round_of("c1 read 9 1, c0 read 0 1, c1 read 5 1")] == [0, 9, 5]


def test_all_stands_for_the_members_only() -> None:
    assert round_of("all read 0 512", ["c0", "c2"]) == round_of("c0 read 0 512, c2 read 0 512")


def test_all_and_one_more() -> None:
    mixed = round_of("all flush, c1 read 0 1", ["c0", "c1"])
    assert [str(request) for request in mixed] == ["c0 flush", "c1 flush", "c1 read 0 1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c0", "'c0' is no request; write e.g. c0 read 0 512"),
        ("", "'' is no request"),
        ("c0 flush,", "'' is no request"),
        ("c0 erase 0 512", "'erase' is no operation; there are: read, write, write-zeroes"),
        ("c9 flush", "'c9' is no child; there are: c0, c1, c2"),
        ("c0 read", "'c0 read' needs an offset and a number of bytes"),
        ("c0 read 0", "'c0 read 0' needs an offset and a number of bytes"),
        ("c0 read 0 4k", "'c0 read 0 4k' needs an offset and a number of bytes"),
        ("c0 read -1 1", "'c0 read -1 1' needs an offset and a number of bytes"),
        ("c0 read 0 512 unmap", "'unmap' is no request flag; there are: fua, no-hole, fast-zero"),
        ("c0 flush 0 512", "'0' is no request flag"),
    ],
)
def test_request_of_another_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=starts(message)):
        round_of(text)


def test_report_bad_without_an_errno_has_no_error() -> None:
    assert parse_event("QUORUM_REPORT_BAD read c1 8 2") == Event.of(
        "QUORUM_REPORT_BAD",
        {"type": "read", "node-name": "c1", "sector-num": 8, "sectors-count": 2},
    )


@pytest.mark.parametrize("op_type", ["read", "write", "flush"])
def test_report_bad_with_an_errno_has_its_text(op_type: str) -> None:
    event = parse_event(f"QUORUM_REPORT_BAD {op_type} c1 8 2 ENOSPC")
    assert event.get("error") == "No space left on device"
    assert event.get("type") == op_type


def test_failure_names_the_node_and_the_sectors() -> None:
    assert parse_event("QUORUM_FAILURE q 3 4") == Event.of(
        "QUORUM_FAILURE", {"reference": "q", "sector-num": 3, "sectors-count": 4}
    )


@pytest.mark.parametrize(
    "text",
    [
        "QUORUM_REPORT_BAD",
        "QUORUM_REPORT_BAD read c0 0",
        "QUORUM_REPORT_BAD c0 0",
        "QUORUM_REPORT_BAD read c0 0 1 EIO again",
        "QUORUM_FAILURE q 0",
        "QUORUM_FAILURE q 0 1 EIO",
        "BLOCK_IO_ERROR q 0 1",
    ],
)
def test_event_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=starts(f"'{text}' is no event; write QUORUM_REPORT_BAD")):
        parse_event(text)


@pytest.mark.parametrize("name", ["EIO", "EBADF", "EROFS"])
def test_event_can_have_an_errno_no_child_reports(name: str) -> None:
    for text in (f"QUORUM_REPORT_BAD read c0 0 1 {name}", f"QUORUM_REPORT_BAD c0 0 1 {name}"):
        assert parse_event(text).get("error") == strerror(number(name))


@pytest.mark.parametrize(
    "text", ["QUORUM_REPORT_BAD read c0 0 1 EFOO", "QUORUM_REPORT_BAD c0 0 1 E"]
)
def test_event_with_what_is_no_errno_is_refused_with_those_there_are(text: str) -> None:
    wrong = text.split()[-1]
    with pytest.raises(ValueError, match=f"^'{wrong}' is no errno; there are: EPERM, ENOENT, EIO"):
        parse_event(text)


# Events of 2014.


def test_report_bad_of_2014_does_not_say_what_failed() -> None:
    assert parse_event("QUORUM_REPORT_BAD c1 8 2") == Event.of(
        "QUORUM_REPORT_BAD", {"node-name": "c1", "sector-num": 8, "sectors-count": 2}
    )
    failed = parse_event("QUORUM_REPORT_BAD c1 8 2 ENOSPC")
    assert failed.get("error") == "No space left on device"
    assert failed.get("type") is None


@pytest.mark.parametrize(
    "text",
    [
        "QUORUM_REPORT_BAD read c1 8 2",
        "QUORUM_REPORT_BAD read c1 8 2 ENOSPC",
        "QUORUM_REPORT_BAD c1 8 2",
        "QUORUM_REPORT_BAD c1 8 2 EIO",
        "QUORUM_FAILURE q 3 4",
        'QUORUM_REPORT_BAD "" 8 2',
        'QUORUM_REPORT_BAD write "" 8 2 EIO',
        'QUORUM_FAILURE "" 3 4',
    ],
)
def test_event_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_event(text)) == text


def test_node_without_a_name_is_two_quotes() -> None:
    assert parse_event('QUORUM_REPORT_BAD "" 8 2').get("node-name") == ""


def test_reports_of_2014_and_of_today_differ() -> None:
    assert parse_event("QUORUM_REPORT_BAD c1 8 2") != parse_event("QUORUM_REPORT_BAD read c1 8 2")


@pytest.mark.parametrize("text", ["", "QUORUM_REPORT_BAD read c0 x 1", "QUORUM_FAILURE q 0 x"])
def test_event_with_words_that_are_no_numbers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no event"):
        parse_event(text)


@pytest.mark.parametrize("name", NBD_ERRNOS)
def test_fault_can_have_every_errno_of_nbd(name: str) -> None:
    assert parse_fault(name) == Fault("any", number(name))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("EIO", Fault("any", 5)),
        ("any EIO", Fault("any", 5)),
        ("read EIO", Fault("read", 5)),
        ("write-zeroes ENOSPC", Fault("write-zeroes", 28)),
        ("block-status EINVAL", Fault("block-status", 22)),
        ("write ENOSPC x2", Fault("write", 28, count=2)),
        ("read EIO at 512 1024", Fault("read", 5, start=512, end=1536)),
        ("read EIO after 3", Fault("read", 5, skip=3)),
        (
            "read EIO at 512 1024 x2 after 3",
            Fault("read", 5, start=512, end=1536, count=2, skip=3),
        ),
        ("dies", Fault("any", 0, dead=True)),
        ("flush dies after 1", Fault("flush", 0, skip=1, dead=True)),
    ],
)
def test_fault_in_all_its_parts(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        "read",
        "read eio",
        "erase EIO",
        "EIO read",
        "dies EIO",
        "read EIO x",
        "read EIO at 512",
        "read EIO after 1 x2",
        "read EIO  x2",
        "read EIO EIO",
    ],
)
def test_fault_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=starts(f"'{text}' is no fault; write e.g. EIO")):
        parse_fault(text)


def test_fault_with_an_unknown_errno_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="^'EFOO' is no errno; NBD children can report EPERM, EIO"):
        parse_fault("read EFOO")


def test_fault_with_an_errno_nbd_cannot_carry_says_what_would_arrive() -> None:
    with pytest.raises(ValueError, match="^EROFS would arrive as EINVAL; NBD children can report"):
        parse_fault("write EROFS")


@pytest.mark.parametrize(
    ("text", "extent"), [("data 4096", ("data", 4096)), ("zero 0", ("zero", 0))]
)
def test_extent(text: str, extent: tuple[str, int]) -> None:
    assert parse_extent(text) == extent


@pytest.mark.parametrize("text", ["", "data", "hole 512", "data 4k", "data 512 zero 512"])
def test_extent_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=starts(f"'{text}' is no extent; write e.g. data 4096")):
        parse_extent(text)


@pytest.mark.parametrize("text", ["QUORUM_REPORT_BAD c0 0 x", "QUORUM_REPORT_BAD c0 0 x EIO"])
def test_event_of_2014_with_words_that_are_no_numbers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no event"):
        parse_event(text)

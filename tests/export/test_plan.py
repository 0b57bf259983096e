# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios in terms of files, blkdebug and qemu-io, and those that cannot be."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from qsim.export.iotest import iotest_text, reference_text
from qsim.export.plan import Plan, plan, printed, size_text
from qsim.export.reach import BeyondReach
from qsim.export.shell import script_text
from qsim.quorum.revisions import revision
from qsim.scenario.asked import load_asked
from qsim.scenario.short import parse_short
from qsim.target.model import run_model


def planned(raw: dict[str, Any] | str) -> Plan:
    case = load_asked(parse_short(raw) if isinstance(raw, str) else raw)
    return plan(case, run_model(case, revision("7.2")))


def test_faults_become_rules() -> None:
    made = planned("children=3; c0: read EIO; c1: write ENOSPC x2; c2: EIO at 512 1024; read 0 512")
    assert made.images[0].rules == ({"event": "none", "errno": 5, "iotype": "read"},)
    rule = {"event": "none", "errno": 28, "iotype": "write", "once": True}
    assert made.images[1].rules == (rule, rule)
    assert [one["sector"] for one in made.images[2].rules] == [1, 2]
    assert made.images[0].node("x")["driver"] == "blkdebug"


def test_faults_of_a_step_are_counted_where_that_is_the_same() -> None:
    first = planned("children=A,B pattern=fifo; flush; c0: read EIO; read 0 512; read 0 512")
    assert first.images[0].rules == ({"event": "none", "errno": 5, "iotype": "read", "once": True},)
    with pytest.raises(BeyondReach, match="faults that begin only with a later request"):
        planned("children=A,B pattern=fifo; read 0 512; c0: EIO; read 0 512")


def test_requests_are_those_of_qemu_io() -> None:
    acts = planned("children=2; write -f 0 1k X; write -z -u 0 4k; discard 0 4k; read 0 512").acts
    assert [act.io for act in acts] == [
        "write -f -P 0x58 0 1024",
        "write -z -u 0 4096",
        "discard 0 4096",
        "read -P 0x00 0 512",
    ]


def test_what_qemu_io_prints_is_known() -> None:
    acts = planned("children=A,B threshold=2; c0: read EIO; write 0 1536; read 0 512; flush").acts
    assert printed(acts[0])[0] == "wrote 1536/1536 bytes at offset 0"
    assert printed(acts[0])[1].startswith("1.500 KiB, X ops")
    assert printed(acts[1]) == ["read failed: Input/output error"]
    assert printed(acts[2]) == []


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (512, "512 bytes"),
        (1024, "1 KiB"),
        (1536, "1.500 KiB"),
        (65536, "64 KiB"),
        (1 << 20, "1 MiB"),
    ],
)
def test_sizes_are_as_qemu_io_prints_them(count: int, text: str) -> None:
    assert size_text(count) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("children=2; c0: read dies; read 0 512", "c0 dies: a file has no connection"),
        ("children=2; c0: EIO after 1; read 0 512", "lets 1 requests pass"),
        ("children=2; c0: EIO x9; read 0 512", "comes 9 times, 8 at most can"),
        ("children=2; c0: EIO at 1 512; read 0 512", "whole sectors"),
        ("children=2; block-status 0 4k", "block-status is nothing qemu-io can do"),
        ("children=2; read 0 512 | flush", "together is nothing qemu-io can do"),
        ("children=1; c0: holds A:512 B; read 0 1k", "what is read is not one byte repeated"),
        ("children=2; read 0 0", "a request of no bytes"),
        ("children=2; read 64k 512", "a request beyond the end"),
        ("children=2; c0: flush EIO; flush", "a file skips it"),
        ("children=2; c0: flush EIO; write 0 512; flush", "qemu-io in the monitor tells nothing"),
        ("children=2; c0: flush EIO; blockdev-reopen", "a file skips it"),
        ("children=2; query-named-block-nodes", "what query-named-block-nodes returns"),
        ("children=A,B blkverify=on threshold=2; read 0 512", "the process ends"),
    ],
)
def test_what_cannot_be_said_why(text: str, reason: str) -> None:
    with pytest.raises(BeyondReach) as caught:
        planned(text)
    assert any(reason in one for one in caught.value.reasons), caught.value.reasons


def test_the_nearest_is_told_where_there_is_one() -> None:
    text = "children=A,B,B threshold=2; complete c2 c1 c0; read 0 512"
    with pytest.raises(BeyondReach) as caught:
        planned(text)
    nearest = caught.value.nearest
    assert nearest is not None
    assert planned(nearest).acts[0].io == "read -P 0x42 0 512"


def test_the_test_is_python_and_names_where_it_comes_from() -> None:
    made = planned("children=A,B,B threshold=2 rewrite=on; read 0 512; x-blockdev-change parent=q")
    text = iotest_text(made, "Made from here.")
    ast.parse(text)
    assert text.startswith("#!/usr/bin/env python3\n# group: rw quick\n")
    assert "# Made from here." in text
    assert all(len(line) < 80 for line in text.splitlines() if "'" not in line)
    assert '"event": "QUORUM_REPORT_BAD"' in reference_text(made)


def test_the_script_names_all_it_needs() -> None:
    text = script_text(planned("children=2; read 0 512"), "Made from here.")
    for tool in ("qemu-img", "qemu-io", "qemu-system-x86_64"):
        assert tool in text
    assert "qsim" not in text.replace("Made from here.", "")

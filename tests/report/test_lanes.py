# SPDX-License-Identifier: GPL-2.0-or-later
"""Diagrams as they are drawn: within their columns, nothing lost, arrows where they belong."""

from __future__ import annotations

import click
import pytest

from qsim.quorum.revisions import revision
from qsim.report.lanes import DRAWN, TYPED, Look, beside, draw
from qsim.scenario import Case
from qsim.scenario.asked import load_asked
from qsim.scenario.opened import of_drive
from qsim.scenario.short import parse_short
from qsim.trace.diagram import Diagram, diagram
from qsim.trace.watch import watched

RETRY = """\
asked/asked: model 7.2

  QMP   guest quorum   c0     c1
   |------------>|      |      |    blockdev-add quorum, read-pattern fifo,
   |      |      |      |      |      vote-threshold 1
   |<------------|      |      |    ok
   |      |----->|      |      |    read 0 512
   |      |      |----->|      |    read 0 512
   |      |      |<-----|      |    read: EIO
   |<------------|      |      |    QUORUM_REPORT_BAD read c0 0 1 EIO
   |      |      *      |      |    retry: c1 is next
   |      |      |------------>|    read 0 512
   |      |      |<------------|    read: ok, B:512
   |      |      *      |      |    free QuorumAIOCB.qcrs, QuorumAIOCB
   |      |<-----|      |      |    ok, B:512

c0 holds A:65536
c1 holds B:65536"""


def shown(text: str, name: str = "7.2") -> Diagram:
    case = load_asked(parse_short(text))
    return diagram(case, *watched(case, revision(name)))


def test_a_fifo_retry_looks_like_this() -> None:
    drawn = draw(shown("children=A,B pattern=fifo; c0: EIO; read 0 512"), Look())
    assert f"asked/asked: {drawn}" == RETRY


def test_a_terminal_has_lines_and_colours() -> None:
    drawn = draw(shown("children=A,B pattern=fifo; c0: EIO; read 0 512"), Look(80, DRAWN, True))
    plain = click.unstyle(drawn)
    assert plain != drawn
    assert "├──────▶" not in plain and "├─────▶" in plain and "◀─────┤" in plain and "●" in plain
    assert click.style("read: EIO", fg="red") in drawn


@pytest.mark.parametrize("why", [False, True])
@pytest.mark.parametrize("width", [72, 80, 120])
def test_no_line_is_too_long(shipped_cases: list[Case], width: int, why: bool) -> None:
    for case in shipped_cases[::17]:
        if case.is_open:
            continue
        wanted = revision(case.until or case.since or "7.2")
        drawn = draw(diagram(case, *watched(case, wanted)), Look(width, why=why))
        long = [line for line in drawn.splitlines()[1:] if len(line) > width]
        assert not [line for line in long if "|" in line], case.id


def test_children_for_whom_there_is_no_room_share_a_lane_and_are_named() -> None:
    drawn = draw(shown("children=40; c33: EIO; read 0 512"), Look())
    assert "c33 read: EIO" in drawn
    assert "c0 read: ok" not in drawn
    assert all(len(line) <= 80 for line in drawn.splitlines())


def test_reasons_are_told_only_to_who_asks() -> None:
    one = shown("children=A,B,B threshold=2; read 0 512")
    assert "quorum_compare()" not in draw(one, Look())
    told = draw(one, Look(why=True))
    assert "quorum_compare(): So it comes to a vote by hash." in told
    assert "B:512 has most votes." in " ".join(told.replace("|", "").split())


def test_the_first_difference_is_marked_and_only_that() -> None:
    text = "children=2 pattern=fifo; c0: EIO; c1: EIO; read 0 512"
    drawn, parted = beside(shown(text, "v4"), shown(text, "7.2"), Look(100))
    assert parted
    assert [line[0] for line in drawn.splitlines()].count(">") == 1
    same, parted = beside(shown(text), shown(text, "10.0"), Look(100))
    assert not parted and ">" not in [line[0] for line in same.splitlines()]


def test_what_both_say_stands_on_one_line_behind_the_first_difference() -> None:
    text = "children=A,B pattern=fifo; c0: EIO; read 0 512"
    drawn, _ = beside(shown(text, "7.2"), shown(text, "v4"), Look(120))
    assert [line for line in drawn.splitlines() if line.startswith(">")] == [
        f"{'> quorum > QMP: QUORUM_REPORT_BAD read c0 0 1 EIO':<59} |"
    ]
    alone = "quorum > c1: read 0 512"
    assert f"  {alone:<57} | {alone}" in drawn.splitlines()


def test_what_a_binary_cannot_show_is_no_difference() -> None:
    one = shown("children=A,B,B threshold=2; read 0 512")
    case = load_asked(parse_short("children=A,B,B threshold=2; read 0 512"))
    outcome, _ = watched(case, revision("7.2"))
    _, parted = beside(one, diagram(case, outcome), Look())
    assert not parted


def test_images_of_a_binary_are_not_seen_and_no_difference() -> None:
    options = "children.0.file.filename=0.qcow2,children.1.file.filename=1.qcow2"
    raw = of_drive(f"driver=quorum,{options},read-pattern=fifo,vote-threshold=1")
    case = load_asked(parse_short("0.qcow2: read EIO; 1.qcow2: holds B; read 0 512", raw))
    outcome, remarks = watched(case, revision("7.2"))
    model = diagram(case, outcome, remarks)
    for step in outcome.steps:
        step.beats = None
    told, parted = beside(model, diagram(case, outcome), Look())
    assert not parted
    assert "quorum > guest: ok, B:512" in told


def test_a_drive_is_broken_behind_a_comma_and_its_images_have_their_names() -> None:
    options = "children.0.file.filename=0.qcow2,children.1.file.filename=1.qcow2"
    raw = of_drive(f"driver=quorum,{options},read-pattern=fifo,vote-threshold=1")
    case = load_asked(parse_short("read 0 512", raw))
    drawn = draw(diagram(case, *watched(case, revision("7.2"))), Look())
    assert "children.0.file.filename=0.qcow2,\n" in drawn
    assert "0.qcow2 1.qcow2\n" in drawn


def test_plain_strokes_are_ascii() -> None:
    assert all(ord(char) < 128 for char in "".join(vars(TYPED).values()))

# SPDX-License-Identifier: GPL-2.0-or-later
"""What is called stale, what is called healed, and what becomes of the claims; on the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from qsim.claims.finding import BEYOND, Holds
from qsim.claims.safety import COLUMNS, NO_AUTO_SYNC, REPAIR, Play, cases, safety
from qsim.claims.stale import Reads, Rewriting, reads, rewrites, rewriting, unasked
from qsim.outcome import Outcome
from qsim.quorum.revisions import revision
from qsim.scenario import Case
from qsim.scenario.asked import load_asked
from qsim.scenario.short import parse_short
from qsim.select import cases_of
from qsim.target.error import NotUsable
from qsim.target.model import run_model

Load = Callable[[str], list[Case]]
Player = Callable[[Case], Outcome]

FIFO = "children=O,O pattern=fifo;"
HAS_MISSED = "c0: write EIO x1; write 0 512 N;"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # As the guest has written it.
        (f"{FIFO} write 0 512 N; read 0 512", Reads(1, 0, 0)),
        # Done for the guest, and the first child has not got it.
        (f"{FIFO} {HAS_MISSED} read 0 512", Reads(1, 1, 1)),
        # Where the guest has not written it reads what was there.
        (f"{FIFO} {HAS_MISSED} read 512 512", Reads(1, 0, 0)),
        # By vote there is an event, with the wrong child in it.
        ("children=O,O; c1: write EIO x1; write 0 512 N; read 0 512", Reads(1, 1, 0)),
        # A write that has failed may be there or not, until it has succeeded: then it must be.
        (f"threshold=2 {FIFO} {HAS_MISSED} read 0 512", Reads(1, 0, 0)),
        (
            f"{FIFO} c0: write EIO; c1: write EIO x1; write 0 512 N; write 0 256 N; read 0 512",
            Reads(1, 1, 1),
        ),
        # In the middle of a story: who has an N has what the guest has written.
        (f"{FIFO} c1: holds N:512 O; read 0 512", Reads(1, 1, 1)),
        (f"{FIFO} c0: holds N:512 O; read 0 512", Reads(1, 0, 0)),
        ("children=A,B pattern=fifo; read 0 512", Reads(1, 0, 0)),
        # No bytes, nothing to say of them.
        ("children=O,N threshold=2; read 0 512", Reads(0, 0, 0)),
        # One byte is enough, and zeroes are written like other bytes.
        (f"{FIFO} c0: EIO x1; write-zeroes 511 1; read 0 512", Reads(1, 1, 1)),
        # Of several in flight each has an answer of its own.
        (f"{FIFO} c0: EIO x1; write 0 512 N | write 512 512 N; read 512 512", Reads(1, 0, 0)),
        (f"{FIFO} c0: EIO x1; write 0 512 N | write 512 512 N; read 0 512", Reads(1, 1, 1)),
    ],
)
def test_stale(text: str, wanted: Reads, play: Player) -> None:
    case = load_asked(parse_short(text))
    assert reads(case, play(case)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted", "writes"),
    [
        ("children=N,O,N; read 0 512", Rewriting.HEALED, 1),
        ("children=O,N,O; read 0 64k", Rewriting.LOST, 1),
        ("children=O,N,O; read 0 512", Rewriting.LOST, 1),
        ("children=O,O,O; read 0 512", Rewriting.NOTHING, 0),
        ("children=N,O,N; c1: write EIO; read 0 512", Rewriting.NOTHING, 1),
        # That the guest writes is no healing.
        ("children=N,O,N; write 0 512 N", Rewriting.NOTHING, 0),
    ],
)
def test_rewriting(text: str, wanted: Rewriting, writes: int, play: Player) -> None:
    case = load_asked(parse_short(f"threshold=2 rewrite=on; {text}"))
    outcome = play(case)
    assert (rewriting(case, outcome), unasked(case, outcome)) == (wanted, writes)


def test_it_is_played_and_told() -> None:
    told: list[tuple[int, str]] = []
    finding = safety([], lambda done, more: told.append((done, more)))
    assert not finding.differences
    (table,) = finding.tables
    assert (table.name, table.columns) == ("safety", COLUMNS)
    assert told == [(number, row[0]) for number, row in enumerate(table.rows, 1)]
    assert all(row[-2:] == ("not played", "yes") for row in table.rows)


def test_what_becomes_of_the_claims() -> None:
    finding = safety([], lambda done, more: None)
    lacking, healing, repair = finding.verdicts
    assert (lacking.claim, lacking.holds) == ("no auto-sync after a node failed", Holds.YES)
    assert (healing.claim, healing.holds) == (
        f"{BEYOND}rewrite-corrupted heals what was missed",
        Holds.IF,
    )
    rows = [row for row in finding.tables[0].rows if str(row[0]).startswith(f"{NO_AUTO_SYNC}/")]
    stale, silent = (sum(bool(row[at]) for row in rows) for at in (3, 4))
    assert 0 < silent < stale < len(rows)
    assert lacking.figure.startswith(
        f"old bytes with ret 0 in {stale} of {len(rows)} cases, without any event of that read in "
        f"{silent}; 0 writes "
    )
    assert repair.holds is Holds.IF
    assert "with all of it in 5 of 9 cases" in repair.figure


def test_what_is_said_of_a_binary_is_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = revision("7.2")
    case = next(
        case for case in cases() if case.id == f"{NO_AUTO_SYNC}/fifo-first-child-misses-a-write"
    )
    model = run_model(case, wanted)
    # One that has read the guest's bytes after all.
    steps = [replace(step, data=step.data and b"N" * len(step.data)) for step in model.steps]
    for binary, stale, where in (
        (replace(model, witness="QEMU 0"), 1, "(on the model and QEMU 0)"),
        (replace(model, witness="QEMU 0", steps=steps), 0, "(on QEMU 0)"),
    ):
        plays = [Play(case, wanted, model, binary)]
        monkeypatch.setattr("qsim.claims.safety._plays", lambda *_, plays=plays: iter(plays))
        finding = safety(["qemu"], lambda done, more: None)
        assert finding.tables[0].rows[0][3] == stale
        figure = finding.verdicts[0].figure
        assert f"in {stale} of 1 cases" in figure and figure.endswith(where)
        assert bool(finding.differences) == (not stale)
        beside_model = [text for text in finding.differences if "model 7.2 and QEMU 0: " in text]
        assert bool(beside_model) == (not stale)


def test_a_binary_that_hangs_differs_and_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = revision("7.2")
    plays = []
    for case in cases_of(cases(), wanted):
        model = run_model(case, wanted)
        binary = replace(model, witness="QEMU 0")
        if case.family == REPAIR or rewrites(case):
            binary = replace(binary, contents=None, trouble=["it hangs"])
        plays.append(Play(case, wanted, model, binary))
    monkeypatch.setattr("qsim.claims.safety._plays", lambda *_: iter(plays))
    finding = safety(["qemu"], lambda done, more: None)
    hung = [play for play in plays if play.binary and play.binary.trouble]
    assert [row[-1] for row in finding.tables[0].rows].count("no") == len(hung)
    assert finding.differing == f"{len(hung)} of {len(plays)} plays"
    assert [verdict.holds for verdict in finding.verdicts] == [Holds.YES, Holds.OPEN, Holds.OPEN]
    assert f"of {len(plays) - len(hung)} cases, without" in finding.verdicts[0].figure


def test_a_binary_that_no_case_is_about_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(open=lambda path: SimpleNamespace(version="2.1.50"), close=lambda: None)
    monkeypatch.setattr("qsim.claims.safety.Background", lambda: old)
    with pytest.raises(NotUsable, match="old-qemu is QEMU 2.1.50; the cases are of 5.2 and later"):
        safety(["old-qemu"], lambda done, more: None)


def test_a_driver_that_writes_unasked_would_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = revision("7.2")
    case = next(case for case in cases() if case.id == f"{NO_AUTO_SYNC}/fifo-written-again")
    plays = [Play(case, wanted, run_model(case, wanted))]
    monkeypatch.setattr("qsim.claims.safety._plays", lambda *_: iter(plays))
    monkeypatch.setattr("qsim.claims.safety.unasked", lambda *_: 1)
    assert safety([], lambda done, more: None).verdicts[0].holds is Holds.NO


def test_what_is_not_as_stated_is_told(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = """
    - name: says B
      quorum: {vote-threshold: 1}
      steps:
      - read: [0, 512]
        expect: {ret: 0, data: B, requests: all}
    """
    monkeypatch.setattr("qsim.claims.safety.cases", lambda: load(wrong))
    finding = safety([], lambda done, more: None)
    assert finding.differences == ["example/says-B, model 7.2: read 0 512: data: B:512 != A:512"]
    assert [row[-1] for row in finding.tables[0].rows] == ["no"]

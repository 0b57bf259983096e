# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for any children, faults, thresholds and schedules, on the model.

The oracle is the rule in one line, not the driver: counting letters, looking at the first child
that answers.  In no run may the ledger note a violation or a leak: that is trouble.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.block.child import FEATURES, Fault
from qsim.block.errno import NBD_ERRNOS, number
from qsim.block.sparse import Sparse
from qsim.block.stage import Asked
from qsim.outcome import Outcome, StepOutcome
from qsim.quorum.revisions import REVISIONS, revision
from qsim.scenario.case import Case, ChildSpec, Step
from qsim.scenario.content import Content
from qsim.target.model import run_model

SIZE = 4096


@dataclass(frozen=True)
class World:
    """Children by their letter, errnos of those that fail, the threshold, the schedule."""

    letters: str
    threshold: int
    errnos: dict[int, str]
    order: list[int]
    revision: str = "7.2"
    without: frozenset[str] = field(default_factory=frozenset)

    @property
    def good(self) -> list[int]:
        """The children that do not fail."""
        return [i for i in range(len(self.letters)) if i not in self.errnos]

    def play(self, *steps: Step, fault: str = "any", **options: object) -> Outcome:
        """The steps on the model."""
        children = {
            f"c{i}": ChildSpec(
                f"c{i}",
                Content(Sparse(SIZE, ord(letter))),
                1,
                frozenset(FEATURES) - self.without,
                {},
                (Fault(fault, number(self.errnos[i])),) if i in self.errnos else (),
            )
            for i, letter in enumerate(self.letters)
        }
        case = Case(
            family="f",
            name="n",
            file="f.yaml",
            line=1,
            source="",
            children=children,
            options={
                "driver": "quorum",
                "node-name": "q",
                "children": list(children),
                "vote-threshold": self.threshold,
                **options,
            },
            opening=Step(1, "open"),
            steps=steps,
            contents={},
        )
        outcome = run_model(case, revision(self.revision))
        assert outcome.trouble == []
        return outcome

    def step(self, verb: str, offset: int = 0, bytes_: int = 512) -> Step:
        """A step in the order of the schedule."""
        data = b"W" * bytes_ if verb == "write" else None
        names = tuple(f"c{i}" for i in self.order)
        return Step(1, verb, offset, bytes_, data, complete=names)


@st.composite
def worlds(draw: st.DrawFn, letters: str = "ABC") -> World:
    """Up to six children."""
    held = draw(st.text(letters, min_size=1, max_size=6))
    count = len(held)
    return World(
        held,
        draw(st.integers(min_value=1, max_value=count)),
        draw(
            st.dictionaries(
                st.integers(min_value=0, max_value=count - 1),
                # To EOPNOTSUPP the generic layer has answers of its own.
                st.sampled_from([name for name in NBD_ERRNOS if name != "ENOTSUP"]),
            )
        ),
        draw(st.permutations(range(count))),
        draw(st.sampled_from([one.name for one in REVISIONS])),
    )


def requests(step: StepOutcome) -> list[str]:
    """Whom the driver asked what, in order."""
    return [
        f"{request.child} {request.op}"
        for beat in step.beats or ()
        if isinstance(beat, Asked)
        for request in beat.requests
    ]


def names(events: StepOutcome) -> Counter[str]:
    """The events of a step by what they name."""
    return Counter(str(e.get("node-name") or e.name) for e in events.events)


@given(worlds())
def test_a_vote_succeeds_when_enough_children_agree_and_gives_what_they_hold(world: World) -> None:
    step = world.play(world.step("read"), fault="read").steps[1]
    held = Counter(world.letters[i] for i in world.good)
    enough = {letter for letter, count in held.items() if count >= world.threshold}
    assert (step.ret == "0") == bool(enough)
    if step.data is not None:
        letter = chr(step.data[0])
        assert step.data == letter.encode() * 512
        assert letter in enough
        assert held[letter] == max(held.values())


@given(worlds())
def test_a_failed_vote_answers_with_an_error_some_child_had_or_with_eio(world: World) -> None:
    step = world.play(world.step("read"), fault="read").steps[1]
    if step.ret != "0":
        too_few = len(world.good) < world.threshold
        assert step.ret in (world.errnos.values() if too_few else ["EIO"])
        assert names(step)["QUORUM_FAILURE"] == 1


@given(worlds())
def test_a_vote_asks_every_child_once_and_reports_who_failed_or_was_outvoted(world: World) -> None:
    step = world.play(world.step("read"), fault="read").steps[1]
    everyone = range(len(world.letters))
    assert requests(step) == [f"c{i} read" for i in everyone]
    bad = set(world.errnos)
    if step.data is not None:
        bad |= {i for i in world.good if world.letters[i] != chr(step.data[0])}
    expected = Counter(f"c{i}" for i in bad)
    if step.ret != "0":
        expected["QUORUM_FAILURE"] = 1
    assert names(step) == expected


@given(worlds(), st.data())
def test_the_schedule_changes_nothing_but_the_order_of_reports(
    world: World, draw: st.DataObject
) -> None:
    first = world.play(world.step("read"), fault="read").steps[1]
    order = draw.draw(st.permutations(world.order))
    other = World(world.letters, world.threshold, world.errnos, order, world.revision)
    second = other.play(other.step("read"), fault="read").steps[1]
    assert (first.ret, first.data) == (second.ret, second.data)
    assert Counter(first.events) == Counter(second.events)


@given(worlds())
def test_fifo_stops_at_the_first_child_that_answers(world: World) -> None:
    step = world.play(Step(1, "read", 0, 512), fault="read", **{"read-pattern": "fifo"}).steps[1]
    last = min(world.good, default=len(world.letters) - 1)
    assert requests(step) == [f"c{i} read" for i in range(last + 1)]
    assert step.rounds() is not None
    assert all(len(asked) == 1 for asked in step.rounds() or ())
    if world.good:
        assert (step.ret, step.data) == ("0", world.letters[last].encode() * 512)
    else:
        assert (step.ret, step.data) == (world.errnos[last], None)
    assert [event.get("node-name") for event in step.events] == [
        f"c{i}" for i in range(last + 1) if i in world.errnos
    ]


@given(worlds(), st.sampled_from(["quorum", "fifo"]), st.sampled_from(["write", "write-zeroes"]))
def test_a_write_reaches_every_child_and_succeeds_when_enough_do(
    world: World, pattern: str, verb: str
) -> None:
    outcome = world.play(world.step(verb), fault=verb, **{"read-pattern": pattern})
    step = outcome.steps[1]
    everyone = range(len(world.letters))
    assert requests(step) == [f"c{i} {verb}" for i in everyone]
    enough = len(world.good) >= world.threshold
    assert step.ret == "0" if enough else step.ret in world.errnos.values()
    assert outcome.contents is not None
    written = b"W" if verb == "write" else b"\0"
    for i in everyone:
        first = outcome.contents[f"c{i}"].read(0, 1)
        assert first == (written if i in world.good else world.letters[i].encode())
    expected = Counter(f"c{i}" for i in world.errnos)
    if not enough:
        expected["QUORUM_FAILURE"] = 1
    assert names(step) == expected


@given(worlds(), st.sampled_from(["quorum", "fifo"]))
def test_a_flush_asks_one_after_the_other_and_never_reports_a_failure(
    world: World, pattern: str
) -> None:
    flush = Step(1, "flush")
    step = world.play(flush, fault="flush", **{"read-pattern": pattern}).steps[1]
    assert requests(step) == [f"c{i} flush" for i in range(len(world.letters))]
    assert all(len(asked) == 1 for asked in step.rounds() or ())
    enough = len(world.good) >= world.threshold
    assert step.ret == "0" if enough else step.ret in world.errnos.values()
    assert [event.get("node-name") for event in step.events] == [
        f"c{i}" for i in sorted(world.errnos)
    ]


@given(worlds())
def test_after_a_rewrite_the_winner_is_everywhere_it_could_be_written(world: World) -> None:
    outcome = world.play(world.step("read"), fault="read", **{"rewrite-corrupted": True})
    step = outcome.steps[1]
    assert outcome.contents is not None
    for i, letter in enumerate(world.letters):
        held = outcome.contents[f"c{i}"].read(0, 513)
        rewritten = step.data is not None and i in world.good
        first = step.data[:1] if rewritten and step.data else letter.encode()
        assert held == first * 512 + letter.encode()


@given(worlds(), st.integers(min_value=0, max_value=SIZE - 1), st.data())
def test_any_range_is_read_whole(world: World, offset: int, draw: st.DataObject) -> None:
    length = draw.draw(st.integers(min_value=1, max_value=SIZE - offset))
    step = world.play(world.step("read", offset, length), fault="read").steps[1]
    if step.data is not None:
        assert step.data == step.data[:1] * length
    for event in step.events:
        first, count = event.get("sector-num"), event.get("sectors-count")
        assert first == offset // 512
        assert first + count == -(-(offset + length) // 512)


@given(worlds(), st.lists(st.sampled_from(["read", "write", "write-zeroes", "flush"]), max_size=5))
def test_no_sequence_of_requests_leaks_or_misuses_memory(world: World, verbs: list[str]) -> None:
    steps = [Step(1, verb, 0, 512, b"W" * 512 if verb == "write" else None) for verb in verbs]
    outcome = world.play(*steps, fault="any", **{"rewrite-corrupted": True})
    assert len(outcome.steps) == len(verbs) + 1


@pytest.mark.parametrize("letters", ["AB", "AA"])
@given(data=st.data())
def test_blkverify_ends_the_process_at_a_difference_and_leaks_nothing_else(
    letters: str, data: st.DataObject
) -> None:
    world = World(letters, 2, {}, data.draw(st.permutations(range(2))))
    step = world.play(world.step("read"), blkverify=True).steps[1]
    if letters == "AA":
        assert (step.ret, step.exit) == ("0", None)
    else:
        assert step.exit is not None and step.exit[0] == 1

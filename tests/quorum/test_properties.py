# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for any children, faults, thresholds and schedules, on the model.

The oracle is the rule in one line, not the driver: counting letters, looking at the first child
that answers.  No run may come to what C leaves undefined, or leak, but for what is said.  What
holds for the driver with callbacks stands at the end; what it does when a child fails is another
matter, and in the fixtures of 2014.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qsim.block.child import FEATURES, Fault
from qsim.block.errno import NBD_ERRNOS, number
from qsim.block.sparse import Sparse
from qsim.block.stage import Asked
from qsim.outcome import Outcome, StepOutcome
from qsim.quorum.revisions import REVISIONS, revision
from qsim.quorum.switches import (
    CO_FLUSH,
    NAMED_FIFO,
    OPTS_FREED,
    PWRITE_ZEROES,
    READ_PATTERN,
    SCHEMA_READ_PATTERN,
)
from qsim.scenario.case import Case, ChildSpec, Step
from qsim.scenario.content import Content
from qsim.target.model import run_model

SIZE = 4096
#: The errnos NBD carried in 2014 and mid-2015 alike.
FEW_ERRNOS = ("EPERM", "EIO", "ENOMEM", "ENOSPC")
#: The revisions of each engine, by name.
ENGINES = {
    engine: [one.name for one in REVISIONS if one.engine == engine]
    for engine in ("coroutine", "callback")
}


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
        assert [step.undefined for step in outcome.steps if step.undefined] == []
        assert not any(step.early for step in outcome.steps)
        ended = any(step.exit for step in outcome.steps)
        assert outcome.leaks == (None if ended else list(self.leaks))
        return outcome

    @property
    def leaks(self) -> tuple[str, ...]:
        """What every run of this revision leaks."""
        one = revision(self.revision)
        freed = one.engine == "coroutine" or OPTS_FREED in one.switches
        return () if freed else ("opts of quorum_open()",)

    def step(self, verb: str, offset: int = 0, bytes_: int = 512) -> Step:
        """A step in the order of the schedule."""
        data = b"W" * bytes_ if verb == "write" else None
        names = tuple(f"c{i}" for i in self.order)
        return Step(1, verb, offset, bytes_, data, complete=names)


@st.composite
def worlds(draw: st.DrawFn, letters: str = "ABC", engine: str = "coroutine") -> World:
    """Up to six children, of which any may fail; with callbacks two to six, and none fails."""
    callbacks = engine == "callback"
    held = draw(st.text(letters, min_size=2 if callbacks else 1, max_size=6))
    count = len(held)
    return World(
        held,
        draw(st.integers(min_value=1, max_value=count)),
        {} if callbacks else draw(errnos(count)),
        draw(st.permutations(range(count))),
        draw(st.sampled_from(ENGINES[engine])),
    )


def errnos(
    count: int, of: Sequence[str] = NBD_ERRNOS, at_most: int | None = None
) -> st.SearchStrategy[dict[int, str]]:
    """The errnos of those of ``count`` children that fail, of which there are ``at_most``."""
    return st.dictionaries(
        st.integers(min_value=0, max_value=count - 1),
        # To EOPNOTSUPP the generic layer has answers of its own.
        st.sampled_from([name for name in of if name != "ENOTSUP"]),
        max_size=at_most,
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
    asked = verb if PWRITE_ZEROES in revision(world.revision).switches else "write"
    outcome = world.play(world.step(verb), fault=asked, **{"read-pattern": pattern})
    step = outcome.steps[1]
    everyone = range(len(world.letters))
    assert requests(step) == [f"c{i} {asked}" for i in everyone]
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
    assume(CO_FLUSH in revision(world.revision).switches)
    flush = Step(1, "flush")
    step = world.play(flush, fault="flush", **{"read-pattern": pattern}).steps[1]
    assert requests(step) == [f"c{i} flush" for i in range(len(world.letters))]
    assert all(len(asked) == 1 for asked in step.rounds() or ())
    enough = len(world.good) >= world.threshold
    assert step.ret == "0" if enough else step.ret in world.errnos.values()
    assert [event.get("node-name") for event in step.events] == [
        f"c{i}" for i in sorted(world.errnos)
    ]


@given(worlds(), st.sampled_from(["quorum", "fifo"]), st.booleans())
def test_a_flush_to_disk_is_a_vote_if_something_was_written_and_then_all_children_must_succeed(
    world: World, pattern: str, written: bool
) -> None:
    world = replace(world, revision="5.2")
    steps = [world.step("write"), Step(1, "flush")][not written :]
    step = world.play(*steps, fault="flush", **{"read-pattern": pattern}).steps[-1]
    count = len(world.letters)
    asked = list(range(count)) if written else []
    if not written or len(world.good) >= world.threshold:
        asked += reversed(range(count))
        errors = [world.errnos[i] for i in sorted(world.errnos, reverse=True)]
        assert step.ret == (errors or ["0"])[0]
    else:
        assert step.ret in world.errnos.values()
    assert requests(step) == [f"c{i} flush" for i in asked]
    reported = [event.get("node-name") for event in step.events]
    assert reported == ([f"c{i}" for i in sorted(world.errnos)] if written else [])


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


# The driver with callbacks.


def fifo_of(name: str) -> str | None:
    """What a revision calls the new pattern, None when blockdev-add does not take it."""
    switches = revision(name).switches
    if not {READ_PATTERN, SCHEMA_READ_PATTERN} <= switches:
        return None
    return "fifo" if NAMED_FIFO in switches else "single"


@given(worlds(engine="callback"), st.booleans(), st.data())
def test_with_callbacks_a_vote_no_child_fails_is_answered_once_and_leaks_nothing_new(
    world: World, rewrite: bool, draw: st.DataObject
) -> None:
    rewrites = draw.draw(st.permutations(world.order)) if rewrite else ()
    step = world.step("read")
    # Who is outvoted is rewritten in another order; the schedule names just those.
    outcome = world.play(step, **{"rewrite-corrupted": rewrite})
    seen = outcome.steps[1]
    held = Counter(world.letters)
    enough = {letter for letter, count in held.items() if count >= world.threshold}
    assert (seen.ret == "0") == bool(enough)
    assert seen.ret in ("0", "EIO")
    if seen.data is None:
        assert names(seen) == Counter(["QUORUM_FAILURE"])
        return
    winner = chr(seen.data[0])
    assert seen.data == winner.encode() * 512
    assert held[winner] == max(held.values())
    bad = [i for i, letter in enumerate(world.letters) if letter != winner]
    assert names(seen) == Counter(f"c{i}" for i in bad)
    asked = [f"c{i} read" for i in range(len(world.letters))]
    assert requests(seen) == asked + ([f"c{i} write" for i in bad] if rewrite else [])
    if rewrite:
        order = tuple(f"c{i}" for i in (*world.order, *(i for i in rewrites if i in bad)))
        again = world.play(replace(step, complete=order), **{"rewrite-corrupted": True})
        assert (again.steps[1].ret, again.steps[1].data) == (seen.ret, seen.data)
        assert again.contents is not None
        assert {data.read(0, 512) for data in again.contents.values()} == {seen.data}


@given(worlds(engine="callback"), st.lists(st.sampled_from(["read", "write", "flush"]), max_size=4))
def test_with_callbacks_no_sequence_of_requests_that_succeed_misuses_memory(
    world: World, verbs: list[str]
) -> None:
    steps = [Step(1, verb, 0, 512, b"W" * 512 if verb == "write" else None) for verb in verbs]
    outcome = world.play(*steps, **{"rewrite-corrupted": True})
    assert len(outcome.steps) == len(verbs) + 1
    for step in outcome.steps[1:]:
        # A write makes all children agree, so only reads before the first can fail.
        assert step.ret in ("0", "EIO") if step.label.startswith("read") else step.ret == "0"


@given(worlds(engine="callback"), st.data())
def test_with_callbacks_reads_together_are_each_answered_once(
    world: World, draw: st.DataObject
) -> None:
    count = len(world.letters)
    # The oldest and the second oldest request of each child, in any order that can be.
    words = draw.draw(st.permutations([f"c{i}" for i in range(count)] * 2))
    parts = tuple(Step(1, "read", 512 * i, 512) for i in range(2))
    step = Step(1, "together", complete=tuple(words), parts=parts)
    shown = world.play(step).steps[1]
    assert sorted(shown.finish) == [0, 1]
    first, second = shown.answers
    assert first == second
    assert requests(shown) == [f"c{i} read" for i in range(count) for _ in range(2)]


@given(worlds(engine="callback"), st.data())
def test_with_callbacks_a_write_succeeds_when_enough_children_do(
    world: World, draw: st.DataObject
) -> None:
    count = len(world.letters)
    failing = draw.draw(errnos(count, FEW_ERRNOS))
    world = replace(world, errnos=failing)
    outcome = world.play(world.step("write"), fault="write")
    step = outcome.steps[1]
    assert requests(step) == [f"c{i} write" for i in range(count)]
    enough = len(world.good) >= world.threshold
    assert step.ret == "0" if enough else step.ret in failing.values()
    assert outcome.contents is not None
    for i, letter in enumerate(world.letters):
        first = outcome.contents[f"c{i}"].read(0, 1)
        assert first == (b"W" if i in world.good else letter.encode())
    reports = [event for event in step.events if event.name == "QUORUM_REPORT_BAD"]
    assert [event.get("node-name") for event in reports] == [
        f"c{i}" for i in world.order if i in failing
    ]
    assert len(step.events) - len(reports) == (not enough)


@given(worlds(engine="callback"), st.data())
def test_with_callbacks_fifo_tells_the_guest_what_the_first_child_that_answers_has(
    world: World, draw: st.DataObject
) -> None:
    pattern = fifo_of(world.revision)
    count = len(world.letters)
    # All failing is undefined, and in the fixtures.
    world = replace(world, errnos=draw.draw(errnos(count, FEW_ERRNOS, count - 1)))
    assume(pattern is not None)
    step = world.play(Step(1, "read", 0, 512), fault="read", **{"read-pattern": pattern}).steps[1]
    last = min(world.good)
    assert requests(step) == [f"c{i} read" for i in range(last + 1)]
    assert (step.ret, step.data) == ("0", world.letters[last].encode() * 512)
    assert step.events == []


@given(worlds(engine="callback"), st.data())
def test_with_callbacks_a_flush_gives_what_most_children_say_success_included(
    world: World, draw: st.DataObject
) -> None:
    count = len(world.letters)
    world = replace(world, errnos=draw.draw(errnos(count, FEW_ERRNOS)))
    step = world.play(Step(1, "flush"), fault="flush").steps[1]
    assert requests(step) == [f"c{i} flush" for i in range(count)]
    said = [world.errnos.get(i, "0") for i in range(count)]
    tally = Counter(said)
    tied = [ret for ret in tally if tally[ret] == max(tally.values())]
    # Of results that tie, the one first seen latest.
    assert step.ret == max(tied, key=said.index)
    assert step.events == []

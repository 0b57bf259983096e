# SPDX-License-Identifier: GPL-2.0-or-later
"""A mirror job of the model: what it asks, when it is ready, what ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qsim.block.dirty_bitmap import BdrvDirtyBitmap
from qsim.outcome import Outcome, StepOutcome
from qsim.scenario import Case, ScenarioError
from qsim.scenario.asked import load_asked

Play = Callable[[Case], Outcome]

QUORUM = {"vote-threshold": 1, "read-pattern": "fifo"}


def mirror(**arguments: Any) -> dict[str, Any]:
    """A mirror from q to s0, 64k at a time unless something else is said."""
    more = {key.replace("_", "-"): value for key, value in arguments.items()}
    given = {"job-id": "j", "device": "q", "target": "s0", "sync": "full", "buf-size": 65536}
    return {"qmp": {"execute": "blockdev-mirror", "arguments": {**given, **more}}}


def command(name: str, **arguments: Any) -> dict[str, Any]:
    return {"qmp": {"execute": name, "arguments": {"device": "j", **arguments}}}


@pytest.fixture
def played(play: Play) -> Callable[..., Outcome]:
    """Steps on a FIFO of two children of 256k that hold A, and a spare that holds S."""

    def run(*steps: dict[str, Any], **setting: Any) -> Outcome:
        children = setting.pop("children", {"c0": "A", "c1": "A", "s0": "S"})
        raw = {"name": "a", "size": "256k", "children": children, "spares": ["s0"]}
        outcome = play(load_asked({**raw, "quorum": QUORUM, "steps": list(steps), **setting}))
        assert outcome.trouble == []
        return outcome

    return run


def asked(shown: StepOutcome, *children: str) -> list[str]:
    """What these children were asked in a step, in order."""
    rounds = shown.rounds() or []
    return [str(one) for some in rounds for one in some if one.child in children]


def events(shown: StepOutcome) -> list[str]:
    return [str(event) for event in shown.events]


def test_it_copies_part_after_part_and_flushes_the_target_before_it_is_ready(
    played: Callable[..., Outcome],
) -> None:
    shown = played(mirror()).steps[1]
    assert asked(shown, "s0") == [
        "s0 write 0 65536", "s0 write 65536 65536", "s0 write 131072 65536", "s0 write 196608 65536",
        "s0 flush",
    ]  # fmt: skip
    assert asked(shown, "c0")[:2] == ["c0 block-status 0 65536", "c0 read 0 65536"]
    assert events(shown) == ["BLOCK_JOB_READY j"]
    assert shown.beside_job


def test_a_larger_buffer_takes_what_is_dirty_in_one_part(played: Callable[..., Outcome]) -> None:
    shown = played(mirror(buf_size=0)).steps[1]
    assert asked(shown, "s0") == ["s0 write 0 262144", "s0 flush"]


@pytest.mark.parametrize(
    ("arguments", "sizes"),
    [
        ({"granularity": 131072}, [131072, 131072]),
        ({"buf_size": 100000}, [131072, 131072]),
        ({"granularity": 32768, "buf_size": 1}, [32768] * 8),
    ],
    ids=["granularity", "buffer is rounded up", "buffer is a part at least"],
)
def test_parts_are_as_large_as_granularity_and_buffer_allow(
    played: Callable[..., Outcome], arguments: dict[str, int], sizes: list[int]
) -> None:
    writes = asked(played(mirror(**arguments)).steps[1], "s0")[:-1]
    assert [int(one.split()[-1]) for one in writes] == sizes


def test_where_all_children_say_zero_the_target_gets_zeroes(
    played: Callable[..., Outcome],
) -> None:
    children = {"c0": "A:64k hole", "c1": "A:64k hole", "s0": "S"}
    outcome = played(mirror(buf_size=0), children=children)
    assert asked(outcome.steps[1], "s0") == [
        "s0 write 0 65536", "s0 write-zeroes 65536 196608", "s0 flush",
    ]  # fmt: skip
    assert outcome.contents is not None
    assert outcome.contents["s0"] == outcome.contents["c0"]


def test_a_target_that_unmaps_is_zeroes_before_anything_is_copied(
    played: Callable[..., Outcome],
) -> None:
    children = {"c0": "A", "c1": "A", "s0": {"contents": "S", "node": {"discard": "unmap"}}}
    shown = played(mirror(), children=children).steps[1]
    assert asked(shown, "s0")[:2] == ["s0 write-zeroes 0 262144", "s0 write 0 65536"]


def test_what_the_guest_writes_is_copied_once_more_and_no_more(
    played: Callable[..., Outcome],
) -> None:
    write = {"write": [65536 - 512, 1024, "W"]}
    shown = played(mirror(), write).steps[2]
    assert asked(shown, "s0") == ["s0 write 0 65536", "s0 write 65536 65536"]
    assert shown.ret == "0"


def test_a_write_that_fails_makes_dirty_too(played: Callable[..., Outcome]) -> None:
    write = {"write": [0, 512, "W"], "faults": {"c0": "write EIO", "c1": "write EIO"}}
    shown = played(mirror(), write).steps[2]
    assert shown.ret == "EIO"
    assert asked(shown, "s0") == ["s0 write 0 65536"]


def test_write_blocking_writes_to_the_target_itself_and_copies_nothing(
    played: Callable[..., Outcome],
) -> None:
    outcome = played(mirror(copy_mode="write-blocking"), {"write": [512, 1024, "W"]})
    assert asked(outcome.steps[2], "c0", "s0") == ["c0 write 512 1024", "s0 write 512 1024"]


def test_write_blocking_leaves_to_the_copy_what_is_dirty_still(
    played: Callable[..., Outcome],
) -> None:
    stopped = {**mirror(copy_mode="write-blocking"), "stop-after": "s0 write"}
    # The first part is copied, the second is being copied, the third is dirty.
    write = {"write": [128 * 1024 + 512, 1024, "W"]}
    outcome = played(stopped, write)
    assert "s0 write 131584 1024" not in asked(outcome.steps[2], "s0")
    assert outcome.contents is not None
    assert outcome.contents["s0"] == outcome.contents["c0"]


def test_complete_flushes_the_target_and_the_source_that_it_is_a_child_of_then(
    played: Callable[..., Outcome],
) -> None:
    outcome = played(mirror(replaces="c0"), command("block-job-complete"), {"read": [0, 512]})
    shown = outcome.steps[2]
    assert asked(shown, "c0", "c1", "s0") == ["s0 flush", "s0 flush", "c1 flush"]
    assert events(shown) == ["BLOCK_JOB_COMPLETED j"]
    # The place of the child that went is the target's.
    assert asked(outcome.steps[3], "c0", "c1", "s0") == ["s0 read 0 512"]


def test_complete_without_replaces_puts_the_target_in_place_of_the_quorum(
    played: Callable[..., Outcome],
) -> None:
    outcome = played(mirror(), command("block-job-complete"), {"write": [0, 512, "W"]})
    assert asked(outcome.steps[3], "c0", "c1", "s0") == ["s0 write 0 512"]


def test_cancelled_when_ready_it_ends_as_a_copy(played: Callable[..., Outcome]) -> None:
    outcome = played(mirror(replaces="c0"), command("block-job-cancel"), {"read": [0, 512]})
    assert events(outcome.steps[2]) == ["BLOCK_JOB_COMPLETED j"]
    assert asked(outcome.steps[3], "c0", "s0") == ["c0 read 0 512"]


def test_cancelled_it_cannot_be_completed_any_more(played: Callable[..., Outcome]) -> None:
    stopped = {"write": [0, 512, "W"], "stop-after": "c0 write"}
    cancel = {**command("block-job-cancel"), "stop-after": "c0 read"}
    shown = played(mirror(), stopped, cancel, command("block-job-complete")).steps[4]
    assert shown.error == ("GenericError", "The active block job 'j' cannot be completed")
    assert events(shown) == ["BLOCK_JOB_COMPLETED j"]


@pytest.mark.parametrize("force", [False, True])
def test_cancelled_before_it_is_ready_it_is_cancelled_by_force(
    played: Callable[..., Outcome], force: bool
) -> None:
    stopped = {**mirror(), "stop-after": "s0 write"}
    shown = played(stopped, command("block-job-cancel", force=force)).steps[2]
    assert events(shown) == ["BLOCK_JOB_CANCELLED j"]


def test_forced_when_ready_it_does_not_flush_the_target(played: Callable[..., Outcome]) -> None:
    shown = played(mirror(), command("block-job-cancel", force=True)).steps[2]
    assert asked(shown, "s0") == []
    assert events(shown) == ["BLOCK_JOB_CANCELLED j"]


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ({"s0": "write EIO"}, ["BLOCK_JOB_ERROR j write report", "BLOCK_JOB_COMPLETED j EIO"]),
        ({"s0": "flush ENOSPC"}, ["BLOCK_JOB_ERROR j write report", "BLOCK_JOB_COMPLETED j ENOSPC"]),
        (
            {"c0": "read EIO", "c1": "read EPERM"},
            [
                "QUORUM_REPORT_BAD read c0 0 128 EIO", "QUORUM_REPORT_BAD read c1 0 128 EPERM",
                "BLOCK_JOB_ERROR j read report", "BLOCK_JOB_COMPLETED j EPERM",
            ],
        ),
    ],
    ids=["target", "flush of the target", "source"],
)  # fmt: skip
def test_an_error_is_told_and_ends_it(
    played: Callable[..., Outcome], faults: dict[str, str], told: list[str]
) -> None:
    assert events(played({**mirror(), "faults": faults}).steps[1]) == told


def test_when_it_has_ended_nothing_is_left_of_it(played: Callable[..., Outcome]) -> None:
    outcome = played(
        mirror(),
        command("block-job-cancel"),
        {"write": [0, 512, "W"]},
        {"qmp": {"execute": "blockdev-del", "arguments": {"node-name": "s0"}}},
        command("block-job-cancel"),
        guest="writable",
    )
    assert outcome.leaks == []
    assert asked(outcome.steps[3], "s0") == []
    assert outcome.steps[4].error is None
    assert outcome.steps[5].error == ("DeviceNotActive", "Block job 'j' not found")


def test_while_it_is_there_its_nodes_are_in_use(played: Callable[..., Outcome]) -> None:
    delete = {"qmp": {"execute": "blockdev-del", "arguments": {"node-name": "s0"}}}
    change = {"qmp": {"execute": "x-blockdev-change", "arguments": {"parent": "q", "node": "s0"}}}
    outcome = played(mirror(), delete, change)
    assert outcome.steps[2].error == ("GenericError", "Node s0 is in use")
    assert outcome.steps[3].error == ("GenericError", "The node s0 already has a parent")


def test_killed_only_what_is_completed_has_an_effect(played: Callable[..., Outcome]) -> None:
    outcome = played({**mirror(), "stop-after": "c0 read x2"}, {"kill": True})
    assert outcome.contents is not None
    # The second part is on its way to the target.
    assert outcome.contents["s0"].read(0, 65537) == b"A" * 65536 + b"S"
    assert outcome.leaks is None


def test_a_stop_that_never_comes_is_trouble(play: Play) -> None:
    case = load_asked(
        {
            "name": "a", "size": "256k", "children": {"c0": "A", "s0": "S"}, "spares": ["s0"],
            "quorum": QUORUM, "steps": [{**mirror(), "stop-after": "s0 write x9"}, {"kill": True}],
        }
    )  # fmt: skip
    assert play(case).trouble == ["asked:0: stop-after: there was no s0 write x9"]


def test_bitmap_knows_chunks_not_bytes() -> None:
    told: list[int] = []
    bitmap = BdrvDirtyBitmap(512, lambda: told.append(1))
    bitmap.after_write(511, 2)
    assert bitmap.chunks == {0, 1}
    bitmap.after_write(4096, 0)
    assert (bitmap.chunks, len(told)) == ({0, 1}, 1)
    bitmap.reset(0, 512)
    assert not bitmap.get(0)
    assert bitmap.get(1023)
    bitmap.enabled = False
    bitmap.after_write(0, 512)
    assert bitmap.chunks == {1}


def test_one_without_a_name_is_outside_the_model(play: Play) -> None:
    # A binary refuses it when the job's node is there already, and flushes that as it goes.
    setting = {"children": {"c0": "A", "s0": "S"}, "spares": ["s0"], "quorum": QUORUM}
    step = mirror()
    del step["qmp"]["arguments"]["job-id"]
    step["expect"] = {"error": "Invalid job ID ''"}
    with pytest.raises(ScenarioError, match="outside the model: a mirror without a job-id"):
        play(load_asked({"name": "a", **setting, "steps": [step]}))

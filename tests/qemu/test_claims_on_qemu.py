# SPDX-License-Identifier: GPL-2.0-or-later
"""The cost of a read, measured: requests and bytes are those predicted, and no read is faster."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qsim.block.sparse import Sparse
from qsim.claims.reading.measure import measuring
from qsim.claims.reading.medium import INSTANT, Due
from qsim.claims.reading.predict import predict
from qsim.claims.reading.settings import CHILD_BYTES, READ_BYTES, SETTINGS, Setting
from qsim.quorum.revisions import nearest
from qsim.scenario import Case
from qsim.scenario.content import Content

#: So many that the first child of "flapping first" goes down.
READS = 60
#: asyncio may call a timer early by the resolution of its clock, in milliseconds.
EARLY_MS = 0.1


def test_measured_is_what_was_predicted(qemu: str) -> None:
    with measuring(qemu) as bench:
        model = nearest(bench.version)
        for setting in SETTINGS:
            measured = bench.measure(setting, READS, 3)
            predicted = predict(setting, READS, 3, model)
            assert not predicted.difference(measured), setting.name
            for took, due in zip(measured.latencies_ms, predicted.latencies_ms, strict=True):
                assert took >= due - EARLY_MS, setting.name


class Unplanned(Setting):
    """Children are asked more often than anybody has planned."""

    def plans(self, reads: int, seed: int) -> dict[str, tuple[Due, ...]]:
        return super().plans(reads - 3, seed)


class Rewriting(Setting):
    """What a driver that writes without being asked to does: this one was asked to."""

    def case(self, reads: int, plans: dict[str, tuple[Due, ...]]) -> Case:
        case = super().case(reads, plans)
        assert case.options is not None
        old = replace(case.children["c0"], content=Content(Sparse(CHILD_BYTES, ord("B"))))
        return replace(
            case,
            options={**case.options, "rewrite-corrupted": True},
            children={**case.children, "c0": old},
        )


def test_what_nobody_has_planned_is_measured_and_differs(qemu: str) -> None:
    places = CHILD_BYTES // READ_BYTES
    with measuring(qemu) as bench:
        model = nearest(bench.version)
        more = bench.measure(Unplanned("more", "fifo", (INSTANT, INSTANT)), 5, 3)
        two_of_three = ("vote", "quorum", (INSTANT,) * 3, 2)
        writes = bench.measure(Rewriting(*two_of_three), places, 3)
    assert more.requests == {"c0": 5, "c1": 0} and more.results == ["0"] * 5
    expected = predict(Setting(*two_of_three), places, 3, model)
    # What is read first was healed before anything counted.
    assert expected.difference(writes) == (
        f"requests other than reads: {{}} and {{'c0 write': {places - 1}}}"
    )


def test_a_measurement_that_is_given_up_leaves_nothing(qemu: str) -> None:
    with pytest.raises(KeyboardInterrupt), measuring(qemu) as bench:
        bench.measure(SETTINGS[0], 2, 3)
        raise KeyboardInterrupt

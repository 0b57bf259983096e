# SPDX-License-Identifier: GPL-2.0-or-later
"""The cost of a read, measured: requests and bytes are those predicted, and no read is faster."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest

from qsim.block.sparse import Sparse
from qsim.claims.reading.measure import LateChildren, measuring
from qsim.claims.reading.medium import INSTANT, Due
from qsim.claims.reading.predict import predict
from qsim.claims.reading.settings import BASE, CHILD_BYTES, READ_BYTES, SETTINGS, Setting
from qsim.quorum.revisions import nearest
from qsim.scenario import Case
from qsim.scenario.content import Content
from qsim.target.error import NotUsable
from qsim.target.nbd_server import Arrival
from qsim.target.process import QemuProcess

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


class Stale(Setting):
    """The first child holds other bytes."""

    def case(self, reads: int, plans: dict[str, tuple[Due, ...]]) -> Case:
        case = super().case(reads, plans)
        old = replace(case.children["c0"], content=Content(Sparse(CHILD_BYTES, ord("B"))))
        return replace(case, children={**case.children, "c0": old})


class Rewriting(Stale):
    """What a driver that writes without being asked to does: this one was asked to."""

    def case(self, reads: int, plans: dict[str, tuple[Due, ...]]) -> Case:
        case = super().case(reads, plans)
        assert case.options is not None
        return replace(case, options={**case.options, "rewrite-corrupted": True})


def test_what_nobody_has_planned_is_measured_and_differs(qemu: str) -> None:
    places = CHILD_BYTES // READ_BYTES
    with measuring(qemu) as bench:
        model = nearest(bench.version)
        stale = bench.measure(Stale("stale", "fifo", (INSTANT, INSTANT)), 2, 3)
        more = bench.measure(Unplanned("more", "fifo", (INSTANT, INSTANT)), 5, 3)
        two_of_three = ("vote", "quorum", (INSTANT,) * 3, 2)
        writes = bench.measure(Rewriting(*two_of_three), places, 3)
    assert stale.results == ["0 with other bytes"] * 2
    assert more.requests == {"c0": 5, "c1": 0} and more.results == ["0"] * 5
    expected = predict(Setting(*two_of_three), places, 3, model)
    # What is read first was healed before anything counted.
    assert expected.difference(writes) == (
        f"requests other than reads: {{}} and {{'c0 write': {places - 1}}}"
    )


def test_a_qemu_that_dies_in_the_middle_is_named_with_what_it_did(
    qemu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = LateChildren.arrived

    def killing(self: LateChildren, arrival: Arrival) -> None:
        if self.cost.requests["c0"] == 2:
            os.kill(pid, signal.SIGKILL)
        else:
            arrived(self, arrival)

    monkeypatch.setattr(LateChildren, "arrived", killing)
    said = (
        f"{qemu}: two instant, fifo, after 2 of 5 reads (children were asked {{'c0': 2, 'c1': 0}}): "
        "QEMU ended with status -9: "
    )
    with pytest.raises(NotUsable, match=re.escape(said)), measuring(qemu) as bench:
        pid = bench._measurement._process.pid
        bench.measure(BASE, 5, 3)


def test_an_export_that_is_never_removed_is_waited_for_in_vain_but_not_for_ever(
    qemu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, bounded = QemuProcess.execute, QemuProcess.bounded

    async def deaf(self: QemuProcess, command: str, arguments: dict[str, Any]) -> Any:
        return {} if command == "block-export-del" else await execute(self, command, arguments)

    async def impatient(
        self: QemuProcess, what: Awaitable[Any], timeout_s: float, name: str
    ) -> Any:
        return await bounded(self, what, 1.0 if name.startswith("the end of") else timeout_s, name)

    monkeypatch.setattr(QemuProcess, "execute", deaf)
    monkeypatch.setattr(QemuProcess, "bounded", impatient)
    with (
        pytest.raises(NotUsable, match=r"after 2 of 2 reads .*: waited 1 s for the end of its"),
        measuring(qemu) as bench,
    ):
        bench.measure(BASE, 2, 3)


def test_a_measurement_that_is_given_up_leaves_nothing(qemu: str) -> None:
    with pytest.raises(KeyboardInterrupt), measuring(qemu) as bench:
        bench.measure(SETTINGS[0], 2, 3)
        raise KeyboardInterrupt

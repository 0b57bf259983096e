# SPDX-License-Identifier: GPL-2.0-or-later
"""The cost of a read, measured: requests and bytes are those predicted, and no read is faster."""

from __future__ import annotations

import pytest

from qsim.claims.reading.measure import measuring
from qsim.claims.reading.predict import predict
from qsim.claims.reading.settings import SETTINGS
from qsim.quorum.revisions import nearest

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


def test_a_measurement_that_is_given_up_leaves_nothing(qemu: str) -> None:
    with pytest.raises(KeyboardInterrupt), measuring(qemu) as bench:
        bench.measure(SETTINGS[0], 2, 3)
        raise KeyboardInterrupt

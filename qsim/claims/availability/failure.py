# SPDX-License-Identifier: GPL-2.0-or-later
"""What fails, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from qsim.claims.availability.draw import Draws, distinct
from qsim.claims.availability.setting import Ints, Setting

#: Hosts of a sequence: the third fails while the first two are still away.
IN_SEQUENCE = 3


class Failure(Enum):
    """A way to fail."""

    HOST = "one host"
    RACK = "a rack"
    #: Each before the former has come back.
    SEQUENCE = f"{IN_SEQUENCE} hosts in sequence"


@dataclass(frozen=True)
class Crash:
    """Hosts that fail together."""

    at_s: int
    hosts: Ints


def crashes(failure: Failure, setting: Setting, draws: Draws) -> list[Crash]:
    """Drawn for a data centre; a sequence leaves at least one host."""
    if failure is Failure.RACK:
        rack = draws.below(setting.racks, 1)
        return [Crash(0, np.arange(int(rack[0]), setting.hosts, setting.racks))]
    first = draws.below(setting.hosts, 1)
    if failure is Failure.HOST:
        return [Crash(0, first)]
    count = min(IN_SEQUENCE, setting.hosts - 1)
    (hosts,) = distinct(draws, first, setting.hosts, count - 1)
    return [Crash(i * setting.gap_s, hosts[i : i + 1]) for i in range(count)]

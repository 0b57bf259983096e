# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a child is: how long its answers take, and how it fails.

Times are in milliseconds.  All that is random is drawn here, by a seed, before anything runs: the
``n``-th request of a child takes the same time in the prediction and in the measurement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from random import Random


@dataclass(frozen=True)
class Medium:
    """A kind of storage at a distance.

    The latency is lognormal.  ``tail_share`` of the requests take ``tail`` times as long, which
    is how storage that is shared has its tail (Dean and Barroso, The Tail at Scale, 2013).

    :param fails: of the number of a request, whether it fails; :data:`never`, or see
        :func:`sometimes` and :func:`flapping`.
    :param failing_ms: how long a request takes that fails; None: as one that does not.
    """

    name: str
    median_ms: float
    sigma: float = 0.0
    tail_share: float = 0.0
    tail: float = 1.0
    fails: Callable[[int, Random], bool] = lambda number, drawn: False
    failing_ms: float | None = None

    def plan(self, requests: int, drawn: Random) -> tuple[Due, ...]:
        """What becomes of its first so many requests."""
        return tuple(self._due(number, drawn) for number in range(requests))

    def _due(self, number: int, drawn: Random) -> Due:
        after_ms = drawn.lognormvariate(log(self.median_ms), self.sigma) if self.median_ms else 0.0
        if drawn.random() < self.tail_share:
            after_ms *= self.tail
        fails = self.fails(number, drawn)
        if fails and self.failing_ms is not None:
            after_ms = self.failing_ms
        return Due(after_ms, fails)


@dataclass(frozen=True)
class Due:
    """One request's fate: answered so long after it came, and with EIO if it ``fails``."""

    after_ms: float
    fails: bool


def sometimes(share: float) -> Callable[[int, Random], bool]:
    """Each request fails with that probability, whatever the others do."""
    return lambda number, drawn: drawn.random() < share


def flapping(up: int, down: int) -> Callable[[int, Random], bool]:
    """So many requests succeed, then so many fail, and again."""
    return lambda number, drawn: number % (up + down) >= up


def always(number: int, drawn: Random) -> bool:
    """Every request fails."""
    return True


#: Flash in the host itself; a host in the same rack; one across the data centre.
LOCAL = Medium("local", 0.2, 0.3)
RACK = Medium("rack", 0.8, 0.35)
FAR = Medium("far", 2.5, 0.5)
#: Across the data centre, on storage that others use: one request in fifty takes ten times as long.
SHARED = Medium("shared", 2.5, 0.5, tail_share=0.02, tail=10.0)
#: A disk that is about to die.
SLOW = Medium("slow", 20.0, 0.2)
#: One request in ten fails, as fast as another succeeds.
FAILING = Medium("failing", 0.2, 0.3, fails=sometimes(0.1))
#: A link that goes and comes: while it is gone, a request fails after the time-out.
FLAPPING = Medium("flapping", 0.2, 0.3, fails=flapping(57, 3), failing_ms=30.0)
#: A host that is gone and says so at once.
GONE = Medium("gone", 0.2, 0.3, fails=always)
#: No time at all: what is measured then is the harness.
INSTANT = Medium("instant", 0.0)

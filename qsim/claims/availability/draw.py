# SPDX-License-Identifier: GPL-2.0-or-later
"""Random numbers that are the same on any machine and under any NumPy.

NumPy promises the stream of its bit generators for ever, but that of ``Generator``'s methods only
within one build (its compatibility policy; NEP 19).  So this takes PCG64's raw integers and maps
them with integer arithmetic.
"""

from __future__ import annotations

import numpy as np
from numpy.random import PCG64, SeedSequence

from qsim.claims.availability.setting import Ints


class Draws:
    """A stream of random numbers.

    :param seed: numbers that tell it from other streams; those differing in any are independent.
    """

    def __init__(self, *seed: int) -> None:
        self._bits = PCG64(SeedSequence(seed))

    def below(self, bound: int | Ints, count: int) -> Ints:
        """``count`` numbers from 0 up to ``bound``, exclusive.

        The upper half of a raw number times the bound, shifted: some come up more often than
        others by ``bound`` in 2**32, which no number of seeds here could show.
        """
        upper = (self._bits.random_raw(count) >> np.uint64(32)).astype(np.int64)
        return (upper * bound) >> 32


def distinct(draws: Draws, own: Ints, bound: int, count: int) -> Ints:
    """For each of ``own`` a row: itself, then ``count`` others below ``bound``, no two alike.

    Any choice is as likely as any other: each is drawn among those left, then moved past the taken.
    """
    rows = own[:, None]
    for taken in range(1, count + 1):
        fresh = draws.below(bound - taken, len(own))
        for passed in np.sort(rows, axis=1).T:
            fresh += fresh >= passed
        rows = np.column_stack((rows, fresh))
    return rows

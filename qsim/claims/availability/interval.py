# SPDX-License-Identifier: GPL-2.0-or-later
"""A mean over seeds, and how well it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt

from scipy.stats import t as student

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval of 95 % (Student's t; the seeds are independent)."""

    mean: float
    half: float

    @property
    def low(self) -> float:
        """Its lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """Its upper end."""
        return self.mean + self.half

    def holds(self, value: float) -> bool:
        """Whether the value is in it, but for rounding."""
        return abs(value - self.mean) <= self.half + 1e-9

    def is_far(self, value: float, grain: float) -> bool:
        """Whether chance alone hardly sets a value so far from the mean.

        Five times the interval, and ten times what one VM makes in the mean: where next to nothing
        happens, the interval of what was seen says little.
        """
        return abs(value - self.mean) > 5 * self.half + 10 * grain


def interval(values: Sequence[float]) -> Interval:
    """Of at least two independent values; sums are exact, so that any machine has the same."""
    count = len(values)
    mean = fsum(values) / count
    variance = fsum((value - mean) ** 2 for value in values) / (count - 1)
    return Interval(
        mean, float(student.ppf((1 + CONFIDENCE) / 2, count - 1)) * sqrt(variance / count)
    )

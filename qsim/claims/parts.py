# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of the claims, by name, in the order of the cover letter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qsim.claims.finding import Finding
from qsim.claims.reading.part import STEPS, reading
from qsim.claims.safety import cases, safety
from qsim.progress import Tell


@dataclass(frozen=True)
class Asked:
    """What a user wants of the claims.

    :param qemu: the binary to measure and to compare with, or None.
    :param reads: guest reads in each setting.
    :param seed: of everything that is drawn.
    """

    qemu: str | None
    reads: int
    seed: int


@dataclass(frozen=True)
class Part:
    """One part: how many steps of progress it has, and what does it."""

    steps: Callable[[], int]
    find: Callable[[Asked, Tell], Finding]


def _availability(asked: Asked, tell: Tell) -> Finding:
    # It needs NumPy and its like, which not everybody has who asks for help.
    from qsim.claims.availability.part import availability  # noqa: PLC0415

    return availability(asked.seed, tell)


def _availability_steps() -> int:
    from qsim.claims.availability.part import steps  # noqa: PLC0415

    return steps(quick=False)


PARTS: dict[str, Part] = {
    "reading": Part(
        lambda: STEPS, lambda asked, tell: reading(asked.qemu, asked.reads, asked.seed, tell)
    ),
    "safety": Part(
        lambda: len(cases()),
        lambda asked, tell: safety([asked.qemu] if asked.qemu else [], tell),
    ),
    "availability": Part(_availability_steps, _availability),
}

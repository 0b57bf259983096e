# SPDX-License-Identifier: GPL-2.0-or-later
"""What a part of the claims has found: one line a claim, tables and plots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cell = str | int | float

#: How a claim begins that the cover letter does not make: what is asked besides.
BEYOND = "beyond the letter: "


class Holds(Enum):
    """What becomes of a claim."""

    YES = "holds"
    IF = "holds under a condition"
    NO = "does not hold"
    #: It takes a binary, and there was none, or it did not come to its end.
    OPEN = "not measured"


@dataclass(frozen=True)
class Verdict:
    """A claim and what became of it.

    All of it is one line; the page has the rest.

    :param claim: a sentence, as short as it can be; after :data:`BEYOND` if it is not the letter's.
    :param figure: what it rests on, with units.
    :param condition: under which it holds.
    """

    claim: str
    holds: Holds
    figure: str
    condition: str = ""

    def __post_init__(self) -> None:
        assert bool(self.condition) == (self.holds is Holds.IF), self.claim

    def __str__(self) -> str:
        condition = f" ({self.condition})" if self.condition else ""
        return f"{self.claim}: {self.holds.value}{condition}: {self.figure}"


@dataclass(frozen=True)
class Table:
    """Rows to be written as ``NAME.csv`` and shown.

    :param columns: each with its unit, e.g. ``latency_ms``.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.name


@dataclass(frozen=True)
class Plot:
    """A picture to be written as ``NAME.svg`` and ``NAME.png``.

    :param draw: fills an empty figure.
    :param inches: its width and height.
    """

    name: str
    draw: Callable[[Figure], None]
    inches: tuple[float, float] = (7.0, 4.0)


@dataclass
class Finding:
    """All that one part has found."""

    verdicts: list[Verdict] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    #: Where prediction and measurement, or model and binary, do not agree: a sentence each.
    differences: list[str] = field(default_factory=list)
    #: In how many of what was compared they are, e.g. "2 of 37 settings".
    differing: str = ""

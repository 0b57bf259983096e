# SPDX-License-Identifier: GPL-2.0-or-later
"""The few draws all generated scenarios are made of.

Hypothesis slips the constants of whatever modules are loaded into what it draws, so that a block
would depend on the program that asks for it.  It leaves out integers below 100: only such are
drawn here, all else is looked up in tables by them.  The first entry of a table is the simplest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

Draw = st.DrawFn

#: The largest integer drawn.
MOST = 98


@cache
def _below(count: int) -> st.SearchStrategy[int]:
    assert 0 < count <= MOST
    return st.integers(min_value=0, max_value=count - 1)


def below(draw: Draw, count: int) -> int:
    """An integer from 0 to ``count`` - 1; 0 is the simplest."""
    return draw(_below(count)) if count > 1 else 0


def of(draw: Draw, table: Sequence[T]) -> T:
    """An entry of a table; one that stands there twice comes twice as often."""
    return table[below(draw, len(table))]


def seldom(draw: Draw, one_in: int) -> bool:
    """True once in so many times."""
    return below(draw, one_in) == one_in - 1

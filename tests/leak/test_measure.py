# SPDX-License-Identifier: GPL-2.0-or-later
"""When memory that grows is a leak, and how that is said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from qsim.leak.measure import LOOKS, Measured, leaks, measure, watch
from qsim.leak.table import TABLE
from qsim.leak.thing import KIB, Repeated
from qsim.target.pool import Pool

HARMLESS = 24 * KIB
LEAK = Repeated(
    "reads",
    "a read",
    ("quorum_co_preadv", "read_fifo_child"),
    (),
    times=1024,
    harmless=HARMLESS,
)


def growths(*kib: int) -> tuple[int, ...]:
    return tuple(one * KIB for one in kib)


def watched(*kib: int) -> tuple[int, ...]:
    """What is seen of a process whose memory grows by this much, series after series."""
    memory = 1000 * KIB
    coming: Iterator[int] = iter(kib)

    async def repeat() -> None:
        nonlocal memory
        memory += next(coming) * KIB

    return asyncio.run(watch(repeat, lambda: memory, HARMLESS))


@pytest.mark.parametrize(
    ("kib", "leak"),
    [
        ((), False),
        ((0,), False),
        ((900,), False),
        ((900, 900), False),
        ((128, 128, 128), True),
        ((40, 128, 128), True),
        ((300, 128, 116), True),
        ((232, 44, 0), False),
        ((24, 24, 24), False),
        ((88, 20, 16), False),
        ((128, 4, 200), False),
    ],
)
def test_only_what_goes_on_to_grow_is_a_leak(kib: tuple[int, ...], leak: bool) -> None:
    assert leaks(growths(*kib), HARMLESS) is leak


@pytest.mark.parametrize(
    ("kib", "seen"),
    [((0, 50), 1), ((6, 50), 1), ((-40, 50), 1), ((50, 0, 50), 2), ((50, 50, 50, 50), LOOKS)],
)
def test_it_is_looked_again_only_while_it_grows(kib: tuple[int, ...], seen: int) -> None:
    assert watched(*kib) == growths(*kib[:seen])


def test_a_leak_is_told_with_its_rate_and_where_to_look() -> None:
    assert Measured(LEAK, growths(20, 32, 32)).wrong == (
        "reads: memory is lost: a read, 3 times 1024 repetitions after 1024 to warm up\n"
        "  the process grew by 20 KiB, 32 KiB, 32 KiB: about 32 bytes each time\n"
        "  block/quorum.c: quorum_co_preadv(), read_fifo_child()"
    )
    assert Measured(LEAK, growths(20, 32, 8)).wrong is None


def test_what_kept_it_from_being_measured_fails_too() -> None:
    measured = Measured(LEAK, trouble="QEMU ended with status -6: an assertion")
    assert measured.wrong == "reads: a read: QEMU ended with status -6: an assertion"


def test_a_binary_of_2014_cannot_repeat_anything() -> None:
    pool = Pool("qemu")
    pool.old = True
    measured = asyncio.run(measure(pool, LEAK))
    assert measured.unsupported
    assert measured.wrong is None


def test_every_entry_of_the_table_is_complete() -> None:
    assert len({one.name for one in TABLE}) == len(TABLE)
    for one in TABLE:
        assert bool(one.requests) != bool(one.commands), one.name
        made = [node["node-name"] for node in one.nodes]
        assert len(set(made)) == len(made), one.name
        assert not one.requests or made[-1] == "q", one.name
        assert one.functions, one.name
        assert len(set(one.functions)) == len(one.functions), one.name

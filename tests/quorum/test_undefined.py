# SPDX-License-Identifier: GPL-2.0-or-later
"""What C leaves undefined must not look like an answer."""

from __future__ import annotations

from collections.abc import Callable

from qsim.outcome import Outcome
from qsim.scenario import Case


def test_padding_that_could_not_be_read_is_said_to_be_undefined(
    load: Callable[[str], list[Case]], play: Callable[[Case], Outcome]
) -> None:
    # bdrv_co_pwritev_part() ignores what bdrv_padding_rmw_read() returns.
    (case,) = load("""
        - name: a
          children: [{block-size: 512, faults: read EIO}]
          quorum: {vote-threshold: 1}
          steps:
          - write: [0, 100, W]
            expect: {ret: 0, requests: [c0 read 0 512, c0 write 0 512]}
        """)
    undefined = play(case).steps[1].undefined
    assert undefined.startswith(
        "memory that was never given a value is written in bdrv_padding_rmw"
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""Where model, harness and QEMU once told different stories (found by random scenarios).

The expectations are what QEMU 7.2 does; the model must say the same, and the harness must see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from textwrap import dedent, indent

import pytest

from qsim.outcome import Outcome, against_fixture, between
from qsim.scenario import Case
from qsim.target.pool import Pool

#: Each found difference: its case, and what is wrong while it is.
CASES = {
    "events of one node in many steps": """
        children: [A, A]
        quorum: {vote-threshold: 1, read-pattern: fifo}
        steps:
        - &failing
          read: [0, 512]
          faults: {c0: EIO}
          expect:
            ret: 0
            data: A
            requests: [c0 read 0 512, c1 read 0 512]
            events: [QUORUM_REPORT_BAD read c0 0 1 EIO]
        - *failing
        - *failing
        """,
    "two events of one node in each step": """
        children: [A, {faults: EIO, without: [fua]}]
        quorum: {vote-threshold: 1}
        steps:
        - &failing
          write: [0, 512, A]
          flags: [fua]
          expect:
            ret: 0
            requests: ["c0 write 0 512, c1 write 0 512", c0 flush, c1 flush]
            events:
            - QUORUM_REPORT_BAD write c1 0 1 EIO
            - QUORUM_REPORT_BAD flush c1 0 0 EIO
        - *failing
        """,
    "a flush through a filter after a write": """
        children: [A, A]
        above: {align: 512}
        quorum: {vote-threshold: 1}
        steps:
        - write: [0, 512, A]
          expect: {ret: 0, requests: all}
        - flush: true
          expect: {ret: 0, requests: [c0 flush, c1 flush, c0 flush, c1 flush]}
        - flush: true
          expect: {ret: 0, requests: [c0 flush, c1 flush]}
        """,
    "block status through a filter": """
        children: [A, A]
        above: {align: 1024}
        quorum: {vote-threshold: 1}
        steps:
        - block-status: [1, 1500]
          expect:
            ret: 0
            extent: data 1500
            requests: [c0 block-status 1 1500, c1 block-status 1 1500]
        """,
    "a child for a node that takes none": """
        children: [A, A]
        quorum: {vote-threshold: 1}
        steps:
        - qmp: {execute: x-blockdev-change, arguments: {parent: c0, node: c1}}
          expect: {error: The node c0 does not support adding a child}
        """,
    "a read with flags of a write": """
        children: [A]
        quorum: {vote-threshold: 1}
        steps:
        - read: [0, 512]
          flags: [no-hole]
          expect: {ret: EINVAL, requests: []}
        """,
    "a write with flags of write-zeroes": """
        children: [A]
        quorum: {vote-threshold: 1}
        steps:
        - write: [0, 512, A]
          flags: [fast-zero]
          expect: {ret: EINVAL, requests: []}
        """,
    "a flush with flags of write-zeroes": """
        children: [A]
        quorum: {vote-threshold: 1}
        steps:
        - flush: true
          flags: [no-hole]
          expect: {ret: EINVAL, requests: []}
        """,
    "two flushes in flight": """
        children: [A]
        quorum: {vote-threshold: 1}
        steps:
        - together: [{flush: true}, {flush: true}]
          expect:
            answers: [{ret: 0}, {ret: 0}]
            finish: [0, 1]
            requests: [c0 flush, c0 flush]
        """,
}


@pytest.fixture(scope="module")
def both(
    qemu: str, load: Callable[[str], list[Case]], play: Callable[[Case], Outcome]
) -> Callable[[str], tuple[Case, Outcome | Exception, Outcome]]:
    """A case by its name with the model's outcome, or what came of it, and QEMU's."""
    cases = {
        name: load(f"- name: {name}\n{indent(dedent(text).strip(), '  ')}\n")[0]
        for name, text in CASES.items()
    }

    async def run() -> list[Outcome]:
        pool = Pool(qemu, 4)
        try:
            await pool.start()
            return await asyncio.gather(*(pool.run(case) for case in cases.values()))
        finally:
            await pool.close()

    real = dict(zip(cases, asyncio.run(run()), strict=True))

    def get(name: str) -> tuple[Case, Outcome | Exception, Outcome]:
        try:
            model: Outcome | Exception = play(cases[name])
        except AssertionError as error:
            model = error
        return cases[name], model, real[name]

    return get


@pytest.mark.parametrize("name", CASES)
def test_model_and_qemu_tell_the_same_story(
    both: Callable[[str], tuple[Case, Outcome | Exception, Outcome]], name: str
) -> None:
    case, model, real = both(name)
    assert [str(one) for one in against_fixture(case, real)] == []
    assert isinstance(model, Outcome), repr(model)
    assert [str(one) for one in against_fixture(case, model)] == []
    assert [str(one) for one in between(model, real)] == []

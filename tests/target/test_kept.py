# SPDX-License-Identifier: GPL-2.0-or-later
"""Nodes that outlive a case: which ones may, and who gets them."""

from __future__ import annotations

import time
from collections.abc import Callable

from qsim.scenario import Case
from qsim.target.eventlog import EventLog, WireEvent
from qsim.target.kept import MOST_IDLE, KeptNodes, Key, can_keep
from qsim.target.limiter import Windows

Load = Callable[[str], list[Case]]

KEY: Key = (512, 1, frozenset(), "{}")
OTHER: Key = (1024, 1, frozenset(), "{}")


def kept_with(*keys: Key) -> tuple[KeptNodes, list[str]]:
    kept = KeptNodes(3)
    nodes = [kept.new(key) for key in keys]
    kept.give_back(nodes)
    return kept, nodes


def test_a_node_is_lent_for_the_same_kind_of_child_only() -> None:
    kept, nodes = kept_with(OTHER, KEY)
    assert kept.lend(KEY, -1, Windows()) == nodes[1]
    assert kept.lend(KEY, -1, Windows()) is None


def test_nodes_are_lent_in_the_order_they_were_made() -> None:
    kept, nodes = kept_with(KEY, KEY)
    assert kept.lend(KEY, 1, Windows()) == nodes[1]
    assert kept.lend(KEY, 2, Windows()) is None


def test_a_node_whose_window_is_open_waits() -> None:
    kept, (node,) = kept_with(KEY)
    windows = Windows()
    windows.opened(f"QUORUM_REPORT_BAD {node}", time.monotonic())
    assert kept.lend(KEY, -1, windows) is None


def test_the_oldest_go_when_there_are_too_many() -> None:
    kept, nodes = kept_with(*[KEY] * (MOST_IDLE + 2))
    assert kept.surplus() == nodes[:2]
    assert kept.surplus() == []
    assert set(kept.keys) == set(nodes[2:])


def test_a_case_with_commands_keeps_nothing(load: Load) -> None:
    plain, commands = load("""
        - name: plain
          quorum: {vote-threshold: 2}
          steps: [{read: [0, 512], expect: {ret: 0, data: A, requests: all}}]
        - name: commands
          quorum: {vote-threshold: 2}
          steps: [{qmp: {execute: query-named-block-nodes}, expect: {return: "?"}}]
    """)
    assert can_keep(plain)
    assert not can_keep(commands)


def test_a_mark_stays_valid_when_what_is_before_it_is_forgotten() -> None:
    log = EventLog()
    events = [WireEvent({"event": str(i)}, i, i) for i in range(4)]
    for event in events[:2]:
        log.append(event)
    mark = log.mark()
    for event in events[2:]:
        log.append(event)
    log.forget(mark)
    assert log.since(mark) == events[2:]
    assert log.mark() == 4


def test_a_case_that_asks_a_child_for_a_status_it_does_not_tell_keeps_nothing(load: Load) -> None:
    told, mute = load("""
        - name: told
          quorum: {vote-threshold: 2}
          steps:
          - block-status: [0, 512]
            expect: {ret: 0, extent: data 512, requests: [c0 block-status 0 512]}
        - name: mute
          children: [{without: [block-status]}, A, A]
          quorum: {vote-threshold: 2}
          steps:
          - block-status: [0, 512]
            expect: {ret: 0, extent: data 512, requests: [c1 block-status 0 512]}
        """)
    # Whose status was told is seen by the request: that node alone is not kept.
    assert can_keep(told)
    assert not can_keep(mute)

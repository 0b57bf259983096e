# SPDX-License-Identifier: GPL-2.0-or-later
"""Fresh names and the way back, the limiter's windows, and what scenarios look at in replies."""

from __future__ import annotations

import pytest

from qsim.target import limiter
from qsim.target.limiter import MARGIN_S, WINDOW_S, Windows
from qsim.target.names import Names
from qsim.target.views import view

NAMES = Names(["c0", "c1", "q"], 17)


def test_names_of_the_scenario_go_out_with_its_number() -> None:
    assert NAMES.out({"node-name": "c0", "children": ["c1", {"file": "q"}], "n": 1}) == {
        "node-name": "c0__17",
        "children": ["c1__17", {"file": "q__17"}],
        "n": 1,
    }


@pytest.mark.parametrize("value", ["c2", "c0 ", "xc0", "children.0", True, None, 5])
def test_what_is_no_name_goes_out_as_it_is(value: object) -> None:
    assert NAMES.out(value) == value


def test_keys_are_no_names() -> None:
    assert NAMES.out({"q": "q"}) == {"q": "q__17"}


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("c0__17", "c0"),
        ("Node 'q__17' is in use", "Node 'q' is in use"),
        ("c0__17 and c1__17", "c0 and c1"),
        ("c0__170", "c0__170"),
        ("c0__1", "c0__1"),
        ("__17", "__17"),
    ],
)
def test_names_come_back_out_of_any_text(text: str, back: str) -> None:
    assert NAMES.back(text) == back
    assert NAMES.back({text: [text]}) == {back: [back]}


@pytest.mark.parametrize("name", ["a-b", "a.1", "a_1", "a-b.1_c", "a.b"])
def test_a_jobs_name_comes_back_whole(name: str) -> None:
    names = Names(["c0", "b", name], 17)
    real = names.out(name)
    assert real == f"{name}__17"
    assert names.mine(real)
    assert names.back(f"Job '{real}' of c0__17: {real}.") == f"Job '{name}' of c0: {name}."


def test_only_names_of_this_scenario_are_its_own() -> None:
    assert NAMES.mine("c0__17")
    assert not any(map(NAMES.mine, ["c0", "c0__16", "c0__170", None, 17]))


def test_window_is_open_for_a_second_after_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(limiter.time, "monotonic", lambda: now)
    windows = Windows()
    assert windows.wait_s(["a"]) <= windows.wait_all_s() == 0.0
    windows.opened("a", 99.5)
    assert windows.wait_s(["a", "b"]) == pytest.approx(WINDOW_S + MARGIN_S - 0.5)
    assert windows.wait_s(["b"]) <= 0.0
    assert windows.wait_s([]) == 0.0
    now = 101.0
    assert windows.wait_s(["a"]) <= 0.0
    assert windows.wait_all_s() == 0.0


def test_last_event_counts_and_an_older_one_closes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limiter.time, "monotonic", lambda: 100.0)
    windows = Windows()
    windows.opened("a", 100.0)
    windows.opened("a", 99.0)
    windows.opened("b", 99.9)
    assert windows.wait_s(["a"]) == windows.wait_all_s() == pytest.approx(WINDOW_S + MARGIN_S)


def test_events_without_a_limit_open_no_window() -> None:
    windows = Windows()
    windows.opened("", 1e12)
    assert windows.wait_all_s() == 0.0


def test_view_of_nodes_is_of_quorum_nodes_and_without_the_harness_s_sockets() -> None:
    file = (
        'json:{"driver": "quorum", "children": '
        '[{"driver": "nbd", "export": "c0", "server": {"path": "/tmp/x"}, "server.type": "unix"}]}'
    )
    nodes = [
        {"node-name": "c0", "drv": "nbd", "ro": False, "file": "", "image": {"virtual-size": 1}},
        {"node-name": "q", "drv": "quorum", "ro": True, "file": file, "image": {"virtual-size": 2}},
    ]
    assert view("query-named-block-nodes", nodes) == {
        "q": {
            "ro": True,
            "virtual-size": 2,
            "file": {"driver": "quorum", "children": [{"driver": "nbd", "export": "c0"}]},
        }
    }


def test_other_replies_are_seen_whole() -> None:
    assert view("x-blockdev-change", {"a": [1]}) == {"a": [1]}


def test_a_lent_name_belongs_to_the_scenario_it_is_lent_to() -> None:
    names = Names(["c0", "c1"], 17)
    names.lend("c1", "kept3x4")
    assert names.out(["c0", "c1"]) == ["c0__17", "kept3x4"]
    assert names.back("kept3x4, kept3x40 and c0__17") == "c1, kept3x40 and c0"
    assert names.mine("kept3x4")
    assert not names.mine("kept3x40")

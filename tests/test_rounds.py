# SPDX-License-Identifier: GPL-2.0-or-later
"""A repeated run in a terminal: how far it is, and nobody waits for what is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from qsim import rounds
from qsim.scenario import Case
from qsim.suite import Runs
from qsim.verdict import Kind, Verdict

CASES = """
- name: a read
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
"""
REPEAT = 4


@pytest.fixture
def wrong(load: Callable[[str], list[Case]]) -> Verdict:
    return Verdict(Kind.DIFFERS, load(CASES)[0])


@pytest.fixture
def shared() -> Any:
    """Two cases in their first round."""
    played = {name: Runs(REPEAT) for name in ("one", "other")}
    return SimpleNamespace(played=played, repeat=REPEAT, over=1, fed=Future())


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is shown."""
    found: list[str] = []

    @contextmanager
    def progress(what: str, total: int) -> Iterator[Callable[[int, str], None]]:
        yield lambda done, more: found.append(more)

    monkeypatch.setattr(rounds, "progress", progress)
    return found


def test_nobody_waits_where_the_first_test_has_something_to_say(
    shared: Any, shown: list[str], wrong: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits(*arguments: object) -> None:
        pytest.fail("it waits for rounds that can change nothing")

    monkeypatch.setattr(rounds, "wait", waits)
    shared.played["one"].came(wrong)
    rounds.watch(shared)
    assert shown == ["round 1 of 4, 1 wrong"]


def test_what_fails_meanwhile_is_shown(
    shared: Any, shown: list[str], wrong: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits(*arguments: object) -> None:
        """While it does another case fails, and then the first cannot be judged."""
        name = "one" if shared.played["other"].has_failed else "other"
        if name == "other":
            shared.played[name].came(wrong)
        else:
            shared.played[name].failed(OSError("gone"))
        shared.over += 1

    monkeypatch.setattr(rounds, "wait", waits)
    rounds.watch(shared)
    assert shown == ["round 1 of 4", "round 2 of 4, 1 wrong", "round 2 of 4, 2 wrong"]

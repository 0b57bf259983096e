# SPDX-License-Identifier: GPL-2.0-or-later
"""Coroutines that run when they are entered and only then."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from qsim.block.coroutine import (
    Coroutine,
    aio_co_wake,
    qemu_coroutine_self,
    qemu_coroutine_yield,
)


def test_runs_at_once_until_it_yields_and_on_from_there() -> None:
    story = []

    async def body() -> None:
        story.append("a")
        await qemu_coroutine_yield()
        story.append("b")

    one = Coroutine(body)
    assert story == []
    one.enter()
    assert (story, one.done) == (["a"], False)
    one.enter()
    assert (story, one.done) == (["a", "b"], True)


def test_nested_entry_runs_on_top_of_its_caller() -> None:
    story = []

    async def inner() -> None:
        story.append("inner")
        await qemu_coroutine_yield()
        story.append("inner again")

    async def outer() -> None:
        story.append("outer")
        child = Coroutine(inner)
        child.enter()
        story.append("back")
        child.enter()
        assert child.done

    Coroutine(outer).enter()
    assert story == ["outer", "inner", "back", "inner again"]


def test_self_is_the_innermost_that_runs() -> None:
    seen = []

    async def inner() -> None:
        seen.append(qemu_coroutine_self())

    async def outer() -> None:
        seen.append(qemu_coroutine_self())
        below = Coroutine(inner)
        below.enter()
        seen.append(qemu_coroutine_self())
        assert seen[1] is below

    one = Coroutine(outer)
    one.enter()
    assert seen[0] is seen[2] is one


def test_a_coroutine_that_has_ended_cannot_be_entered() -> None:
    async def body() -> None:
        pass

    one = Coroutine(body)
    one.enter()
    with pytest.raises(AssertionError, match="co-routine re-entered"):
        one.enter()


def test_a_coroutine_cannot_be_entered_from_itself() -> None:
    async def body() -> None:
        qemu_coroutine_self().enter()

    with pytest.raises(AssertionError, match="co-routine re-entered"):
        Coroutine(body).enter()


def test_a_coroutine_cannot_be_entered_from_one_it_entered() -> None:
    async def outer() -> None:
        me = qemu_coroutine_self()

        async def inner() -> None:
            me.enter()

        Coroutine(inner).enter()

    with pytest.raises(AssertionError, match="co-routine re-entered"):
        Coroutine(outer).enter()


def test_enter_if_inactive_leaves_one_that_runs_alone() -> None:
    story = []

    async def body() -> None:
        qemu_coroutine_self().enter_if_inactive()
        story.append("went on")

    Coroutine(body).enter()
    assert story == ["went on"]


def test_enter_if_inactive_enters_one_that_waits() -> None:
    async def body() -> None:
        await qemu_coroutine_yield()

    one = Coroutine(body)
    one.enter()
    one.enter_if_inactive()
    assert one.done


def test_an_exception_reaches_whoever_entered_and_leaves_the_stack_clean() -> None:
    async def fails() -> None:
        raise ValueError("body")

    async def outer() -> None:
        with pytest.raises(ValueError, match="body"):
            Coroutine(fails).enter()
        assert qemu_coroutine_self() is one

    one = Coroutine(outer)
    one.enter()
    assert one.done


def test_closing_one_that_waits_runs_its_cleanup_once() -> None:
    story = []

    async def body() -> None:
        try:
            await qemu_coroutine_yield()
        finally:
            story.append("closed")

    one = Coroutine(body)
    one.enter()
    one.close()
    one.close()
    assert story == ["closed"]


def test_one_that_was_closed_is_done_and_never_entered_again() -> None:
    story = []

    async def body() -> None:
        story.append("entered")
        await qemu_coroutine_yield()
        story.append("went on")

    waits, unborn = Coroutine(body), Coroutine(body)
    waits.enter()
    for one in (waits, unborn):
        one.close()
        assert one.done
        with pytest.raises(AssertionError, match="co-routine re-entered"):
            one.enter()
    assert story == ["entered"]


def test_another_thread_that_is_in_a_coroutine_does_not_matter() -> None:
    inside, go_on = Event(), Event()

    async def other() -> None:
        inside.set()
        assert go_on.wait(60)

    async def woken() -> None:
        pass

    thread = Thread(target=Coroutine(other).enter)
    thread.start()
    try:
        assert inside.wait(60)
        one = Coroutine(woken)
        aio_co_wake(one)
        assert one.done
    finally:
        go_on.set()
        thread.join()

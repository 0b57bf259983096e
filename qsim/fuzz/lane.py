# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzing as a test of the conformance suite: ``--fuzz=N --seed=S``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from qsim.fuzz.campaign import Tally
from qsim.fuzz.known import read_known, shipped_known
from qsim.fuzz.run import Plan, Result, fuzz
from qsim.fuzz.told import stories, summary
from qsim.progress import is_shown, progress
from qsim.scenario import ScenarioError
from qsim.suite import session_of

TEST = "test_fuzz"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("qsim")
    group.addoption(
        "--fuzz",
        metavar="N",
        type=int,
        help="Also play N scenarios generated from --seed, on the model and on the binary.",
    )
    group.addoption(
        "--seed",
        metavar="S",
        type=int,
        default=0,
        help="Which scenarios --fuzz generates (default: 0).",
    )
    group.addoption(
        "--known",
        metavar="FILE",
        help="Differences that --fuzz goes on past (default: those that come with qsim).",
    )
    group.addoption(
        "--save",
        metavar="DIR",
        default="found",
        help="Where --fuzz writes the smallest scenarios that differ (default: found).",
    )


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str
) -> Generator[None, Any, Any]:
    """Unless fuzzing was asked for there is no test, not even one that is skipped."""
    made = yield
    return [] if name == TEST and not collector.config.getoption("--fuzz", None) else made


def pytest_sessionstart(session: pytest.Session) -> None:
    """What is wrong with the options ends the session here.

    :raise pytest.UsageError: when fuzzing has nothing to compare, or a file cannot be read.
    """
    config = session.config
    if config.getoption("--fuzz") is None:
        return
    if not config.getoption("--qemu"):
        raise pytest.UsageError("--fuzz: name the binary to compare, with --qemu=PATH")
    if config.getoption("--fuzz") < 1 or config.getoption("--seed") < 0:
        raise pytest.UsageError("--fuzz: a number from 1 up, and --seed one from 0 up")
    _known(config)


def _known(config: pytest.Config) -> Any:
    path = config.getoption("--known")
    try:
        return read_known(Path(path)) if path else shipped_known()
    except ScenarioError as error:
        raise pytest.UsageError(f"--known: {error}") from None


RESULT = pytest.StashKey[tuple[Result, Plan]]()


def check_fuzz(config: pytest.Config) -> str | None:
    """Fuzz; what differs, ready to print; None when nothing does."""
    session = session_of(config)
    assert session.background is not None and session.pool is not None
    plan = Plan(config.getoption("--seed"), config.getoption("--fuzz"))
    told = f"QEMU {session.pool.version} ({session.binary})"
    with ExitStack() as shown:
        result = fuzz(
            session.background,
            session.pool.run,
            session.revision,
            plan,
            told,
            _known(config),
            enough=_progress(config, plan, shown),
        )
    config.stash[RESULT] = result, plan
    folder = Path(config.getoption("--save"))
    again = shlex.join(["qsim", "compare", str(folder / "{}"), "--qemu", str(session.binary)])
    texts = stories(result, again)
    if result.smallest:
        texts += [f"saved {path}" for path in result.write(folder)]
    texts += [f"only once: {one}: {one.judged.found[0]}" for one in result.flaky]
    texts += [f"the model fails: {one}: {one.judged.reason}" for one in result.broken]
    if result.stopped_in is not None:
        raise KeyboardInterrupt
    return "\n".join(texts) if result.tally.wrong else None


def _progress(config: pytest.Config, plan: Plan, shown: ExitStack) -> Callable[[Tally], bool]:
    """What shows in a terminal how far it has come, which pytest does not from within a test."""
    plugins = config.pluginmanager
    capture, reporter = plugins.getplugin("capturemanager"), plugins.getplugin("terminalreporter")
    if capture is None or reporter is None or hasattr(config, "workerinput"):
        return lambda tally: False
    shown.enter_context(capture.global_and_fixture_disabled())
    if is_shown():
        reporter.ensure_newline()
    tell = shown.enter_context(progress("fuzzing", plan.count))

    def tick(tally: Tally) -> bool:
        tell(tally.total, f"{tally.wrong} wrong" if tally.wrong else "")
        return False

    return tick


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was played."""
    config = terminalreporter.config
    if RESULT in config.stash:
        terminalreporter.section("fuzzing")
        for line in summary(*config.stash[RESULT]):
            terminalreporter.write_line(line)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The conformance suite as a pytest plugin: ``--qemu=PATH``, and the cases as tests on both.

All selected cases are given to the pools when collection is over, and play in the background
while pytest reports them in its own order.  What a case observed is judged as it comes, and let go.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from qsim import spread
from qsim.data import fixtures_path
from qsim.explore.ways import MOST, Ways, expanded
from qsim.outcome import Outcome, against_fixture
from qsim.page.facts import shown_beside
from qsim.page.write import told_of
from qsim.quorum.revisions import DEFAULT, REVISIONS, revision
from qsim.recognise import Recognised, recognise
from qsim.report.gate import Tally, render_verdict
from qsim.report.terminal import render, rerun_command, short_path
from qsim.scenario import Case, ScenarioError, load_paths
from qsim.scenario.error import ModelError
from qsim.select import cases_of
from qsim.target.background import Background, result_of
from qsim.target.error import TargetError
from qsim.target.model import run_model
from qsim.target.pool import DEFAULT_JOBS, Pool
from qsim.verdict import Kind, Verdict, judge, judge_beside, judge_intended

#: Leaks, fuzzing, rounds, files and TAP are plugins of their own; they are loaded with this one.
pytest_plugins = ("qsim.leak.lane", "qsim.fuzz.lane", "qsim.rounds", "qsim.files", "qsim.tap")

MODEL, QEMU = "model", "qemu"
#: The suite's test module, for --pyargs.
MODULE = "qsim.conformance"
#: The test of scenarios that leave something open.
EVERY_WAY = "test_every_way"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's options."""
    group = parser.getgroup(
        "qsim",
        "conformance of QEMU's quorum driver, as in\n"
        "  pytest conformance --qemu=/usr/bin/qemu-system-x86_64\n"
        "  pytest conformance --qemu=/usr/bin/qemu-system-x86_64 -k fifo --repeat=10\n"
        "options",
    )
    group.addoption(
        "--qemu",
        metavar="PATH",
        help="The binary to compare: qemu-system-*, or qemu-storage-daemon.",
    )
    group.addoption(
        "--baseline",
        metavar="PATH",
        help="Another binary, from before a patch: tell what the patch has changed, and let pass "
        "what it has not.",
    )
    group.addoption(
        "--intended",
        metavar="PATH",
        action="append",
        help="Scenario files or folders with what the patch changes on purpose (with --baseline): "
        "exactly this must have changed.",
    )
    group.addoption(
        "--revision",
        metavar="NAME",
        help="The driver's revision to compare with, by its name or upstream commit (default: "
        f"asked of the binary, else {DEFAULT}).",
    )
    group.addoption(
        "--scenarios",
        metavar="PATH",
        action="append",
        help="Scenario files or folders instead of the suite's own.",
    )
    group.addoption(
        "--jobs",
        metavar="N",
        type=_at_least_one,
        help=f"QEMU processes of a binary side by side (default: {DEFAULT_JOBS} in all).",
    )
    group.addoption(
        "--repeat",
        metavar="N",
        type=_at_least_one,
        default=1,
        help="Play each case N times on the binary; every run must pass (default: 1).",
    )
    group.addoption(
        "--iothread",
        action="store_true",
        help="Requests come through exports in an IOThread, and the nodes live there.",
    )
    group.addoption(
        "--ways",
        metavar="N",
        type=_at_least_one,
        default=MOST,
        help="Of a scenario that leaves the order open, play at most N ways: all of them, or a "
        f"sample with every outcome (default: {MOST}).",
    )


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a number from 1 up")
    return number


def _suites(config: pytest.Config) -> list[Path]:
    """The folders of the suite among the arguments."""
    named = [Path(arg.split("::")[0]).resolve() for arg in config.args]
    folders = [path.parent if path.is_file() else path for path in named]
    return [folder for folder in folders if (folder / "test_scenarios.py").exists()]


def is_meant(config: pytest.Config) -> bool:
    """Whether a binary or the suite is among the arguments: its folder, or its name (--pyargs)."""
    named = bool(_suites(config)) or any(arg.split("::")[0] == MODULE for arg in config.args)
    return named or bool(config.getoption("--qemu"))


def _fixtures(config: pytest.Config) -> list[Path]:
    """What --scenarios names, else the fixtures beside the suite, else those installed."""
    given: list[str] = config.getoption("--scenarios") or []
    beside = [suite.parent / "fixtures" for suite in _suites(config)]
    return (
        [Path(path) for path in given]
        or [path for path in beside if path.is_dir()]
        or [fixtures_path()]
    )


class Runs:
    """A case that is played so many times: over with the first run that fails, or the last."""

    def __init__(self, left: int) -> None:
        self._left = left
        self.over: Future[Verdict] = Future()

    def came(self, verdict: Verdict) -> None:
        """A run has ended."""
        self._left -= 1
        if not self.over.done() and (self._left == 0 or not verdict.kind.passes):
            self.over.set_result(verdict)

    def failed(self, error: Exception) -> None:
        """A run could not be judged."""
        if not self.over.done():
            self.over.set_exception(error)

    @property
    def has_failed(self) -> bool:
        """Whether it is over, and not because every run has passed."""
        if not self.over.done():
            return False
        return self.over.exception() is not None or not self.over.result().kind.passes


class Session:
    """What the tests of one session share.

    :raise pytest.UsageError: for a bad option, fixture or binary, before any test runs.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.binary: str | None = config.getoption("--qemu")
        self.named: str | None = config.getoption("--revision")
        self.iothread: bool = config.getoption("--iothread")
        self.only_collect: bool = config.getoption("collectonly", False)
        self.background: Background | None = None
        self.pool: Pool | None = None
        self.baseline: Pool | None = None
        self.recognised: Recognised | None = None
        self.played: dict[str, Runs] = {}
        self.repeat: int = config.getoption("--repeat")
        #: How many runs are over, and when all of them are.
        self.over = 0
        self.fed: Future[None] | None = None
        self._models: dict[str, Outcome] = {}
        try:
            self._open()
        except KeyError as error:
            self.close()
            raise pytest.UsageError(f"--revision: {error.args[0]}") from None
        except ScenarioError as error:
            self.close()
            raise pytest.UsageError(str(error)) from None
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        chosen = revision(self.named) if self.named else None
        older = self.config.getoption("--baseline")
        intended = self.config.getoption("--intended") or []
        if self.iothread and not self.binary:
            raise pytest.UsageError("--iothread: name a binary too, with --qemu=PATH")
        if older and not self.binary:
            raise pytest.UsageError("--baseline: name the candidate too, with --qemu=PATH")
        if intended and not older:
            raise pytest.UsageError("--intended: name what is changed, with --baseline=PATH")
        if self.binary and not self.only_collect:
            self.background = Background()
            self.pool = self._pool("--qemu", self.binary)
            self.baseline = self._pool("--baseline", older) if older else None
        names = [one.name for one in REVISIONS]
        paths = _fixtures(self.config)
        loaded = load_paths(paths, names)
        own = fixtures_path()
        asks = self.pool is not None and chosen is None
        probes = loaded if paths == [own] else load_paths([own], names) if asks else []
        found = self.recognised = self._recognise(probes) if asks else None
        self.revision = chosen or (found.revision if found else revision(DEFAULT))
        if found and found.revision != found.guess:
            # Who runs a case again by its command must come to the same.
            self.named = found.revision.name
        cases = cases_of(loaded, self.revision)
        self.left_out = len(loaded) - len(cases)
        most = self.config.getoption("--ways")
        self.open = {case.id: Ways(case, self.revision, most) for case in cases if case.is_open}
        self.cases: dict[str, Case] = {}
        for case in cases:
            self.cases |= self._closed(case)
        meant = cases_of(load_paths(map(Path, intended), names), self.revision)
        self.intended = {case.id: case for case in expanded(meant, self.revision, most)}

    def _closed(self, case: Case) -> dict[str, Case]:
        """A case, or those of its ways; none where the model fails, which test_every_way tells."""
        if not case.is_open:
            return {case.id: case}
        try:
            return self.open[case.id].closed
        except ModelError:
            return {}

    def _pool(self, option: str, binary: str) -> Pool:
        assert self.background is not None
        jobs = self.config.getoption("--jobs") or spread.share(DEFAULT_JOBS, self.config)
        try:
            return self.background.open(binary, jobs, self.iothread)
        except TargetError as error:
            raise pytest.UsageError(f"{option}: {error}") from None

    def _recognise(self, cases: Sequence[Case]) -> Recognised | None:
        """Ask the binary which revision it is; the suite's own cases are the probes."""
        if self.pool is None or self.background is None:
            return None
        probes = {case.id: case for case in cases}
        ask = partial(recognise, self.pool.version, probes, self.pool.run)
        try:
            return result_of(self.background.submit(ask))
        except TargetError as error:
            raise pytest.UsageError(f"--qemu: {error}") from None

    def submit(self, ids: Sequence[str]) -> None:
        """Let the binaries play these cases in the background."""
        if self.background is None:
            return
        self.played |= {name: Runs(self.repeat) for name in ids}
        self.fed = self.background.feed(
            partial(self._play, name) for _ in range(self.repeat) for name in ids
        )

    async def _play(self, name: str) -> None:
        """Play a case once more, unless it has failed already."""
        runs = self.played[name]
        try:
            if not runs.over.done():
                runs.came(await self._judged(name))
        except Exception as error:
            runs.failed(error)
        self.over += 1

    async def _judged(self, name: str) -> Verdict:
        """Play a case on the candidate, and the baseline, and judge it at once."""
        assert self.pool is not None
        case = self.intended.get(name) or self.cases[name]
        if self.baseline is None:
            candidate, baseline = await self.pool.run(case), None
            verdict = judge(case, self.model(case), candidate)
        else:
            candidate, baseline = await asyncio.gather(self.pool.run(case), self.baseline.run(case))
            if name in self.intended:
                before = self.cases.get(name)
                model = self._model_of_what_was(before)
                verdict = judge_intended(case, before, candidate, baseline, model)
            else:
                verdict = judge_beside(case, self.model(case), candidate, baseline)
        if self.config.getoption("--report"):
            return replace(verdict, shown=shown_beside(verdict, candidate, baseline))
        return verdict

    def model(self, case: Case) -> Outcome:
        """The case on the model, played once.

        :raise ScenarioError: when it does something the model does not know.
        """
        if case.id not in self._models:
            self._models[case.id] = run_model(case, self.revision)
        return self._models[case.id]

    def _model_of_what_was(self, before: Case | None) -> Outcome | None:
        """What an intention's verdict does not depend on: where the model fails, nothing."""
        try:
            return self.model(before) if before else None
        except ScenarioError:
            return None

    def verdict(self, name: str) -> Verdict:
        """What became of a case on the binary, when it is over."""
        if name not in self.played:  # Another process was to run this test, and has died.
            self.submit([name])
        return result_of(self.played[name].over)

    def compared(self) -> dict[str, str]:
        """What is compared with what, by name."""
        found = {"revision": self.revision.name, "model": self.revision.describes}
        if self.pool is not None:
            found |= {"qemu": str(self.binary), "qemu version": self.pool.version}
        if self.baseline is not None:
            older = str(self.config.getoption("--baseline"))
            found |= {"baseline": older, "baseline version": self.baseline.version}
        return found

    def close(self) -> None:
        """Stop every QEMU."""
        if self.background is not None:
            self.background.close()


SESSION = pytest.StashKey[Session]()
TALLY = pytest.StashKey[Tally]()
#: Whether all tests are over.
WHOLE = pytest.StashKey[spread.Whole]()


class Counting:
    """Counts what is reported, where the reports come together."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test of ours was played, or another one has got so far."""
        if hasattr(report, "qsim"):
            self._tally.count(report.qsim)


def session_of(config: pytest.Config) -> Session:
    """The shared state, made when the first conformance test is collected."""
    if SESSION not in config.stash:
        config.stash[SESSION] = Session(config)
    return config.stash[SESSION]


def pytest_sessionstart(session: pytest.Session) -> None:
    """What is wrong with the options, the fixtures or the binary ends the session here.

    Raised any later, pytest would wrap it into a collection error.
    """
    config = session.config
    if is_meant(config):
        shared = session_of(config)
        tally = config.stash[TALLY] = Tally(shared)
        config.pluginmanager.register(Counting(tally))
        whole = config.stash[WHOLE] = spread.Whole(config)
        config.pluginmanager.register(whole)
        if spread.controls(config):
            # The workers have QEMUs of their own.
            shared.close()


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str
) -> Generator[None, Any, Any]:
    """Where nothing is left open there is no test of that, not even one that is skipped."""
    made = yield
    stash = collector.config.stash
    return [] if name == EVERY_WAY and SESSION in stash and not stash[SESSION].open else made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per witness and case; the model knows nothing of intentions."""
    ours = {"qsim_case", "qsim_ways"} & set(metafunc.fixturenames)
    if not ours:
        return
    session = session_of(metafunc.config)
    if "qsim_ways" in ours:
        metafunc.parametrize("qsim_ways", session.open.values(), ids=session.open.keys())
        return
    every = {**session.intended, **session.cases}
    metafunc.parametrize(
        ("qsim_case", "witness"),
        [
            pytest.param(case, witness, id=f"{name}-{witness}")
            for name, case in every.items()
            for witness in (MODEL, QEMU)
            if (session.binary if witness == QEMU else name in session.cases)
        ],
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start playing: only what was selected, and is for this process to run."""
    if SESSION not in session.config.stash:
        return
    shared = session.config.stash[SESSION]
    if shared.only_collect or spread.controls(session.config):
        return
    shared.submit(
        [
            params["qsim_case"].id
            for params in map(_params, spread.own(session.items, session.config))
            if params.get("witness") == QEMU
        ]
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With pytest-xdist: each worker is told at once which tests are its own."""
    return spread.scheduler(config, log) if SESSION in config.stash else None


pytest_xdist_make_scheduler = pytest.hookimpl(optionalhook=True)(pytest_xdist_make_scheduler)


def _params(item: pytest.Item) -> dict[str, Any]:
    """The parameters of a test that is one of ours, else nothing."""
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else dict(callspec.params)


def check_model(session: Session, case: Case, item: pytest.Item) -> str | None:
    """What is wrong with ``case`` on the model, ready to print; None when nothing is."""
    try:
        model = session.model(case)
    except ScenarioError as error:
        return str(error)
    wrong = against_fixture(case, model)
    if item.config.getoption("--report"):
        kind = Kind.DIFFERS if wrong else Kind.AGREES
        item.stash[SHOWN] = shown_beside(Verdict(kind, case, tuple(wrong)), model, None)
    again = rerun_command(case, None, session.named)
    return render(case, None, model, wrong, again) if wrong else None


def check_open(ways: Ways) -> str | None:
    """Where what can come of a case on the model is not what it allows; None when it is that."""
    try:
        wrong = ways.wrong()
    except ModelError as error:
        return str(error)
    return "\n".join([f"{ways.case.id}: not what is allowed", *wrong]) if wrong else None


def check_binary(session: Session, case: Case, item: pytest.Item) -> str | None:
    """What is wrong with ``case`` on the binary, ready to print; None when nothing is."""
    verdict = session.verdict(case.id)
    item.stash[VERDICT] = verdict
    item.stash[SHOWN] = verdict.shown
    if verdict.kind is Kind.UNSUPPORTED:
        pytest.skip(f"not supported: {verdict.reason}")
    if verdict.kind.passes:
        return None
    assert session.binary is not None
    return render_verdict(verdict, _again(session, case))


def _again(session: Session, case: Case) -> str:
    return rerun_command(case, session.binary, session.named, session.iothread)


VERDICT = pytest.StashKey[Verdict]()
#: What a page says of it, where one is to be written.
SHOWN = pytest.StashKey[dict[str, Any]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what the closing tables need into the report, which may travel between processes."""
    witness = _params(item).get("witness")
    if call.when == "call" and witness:
        # For --junitxml.
        item.user_properties += _properties(_params(item)["qsim_case"], item)
    report = yield
    if call.when == "call" and witness:
        entry = Tally.entry(witness, report.outcome, item.stash.get(VERDICT, None))
        if item.config.getoption("--report"):
            shown = item.stash.get(SHOWN, {})
            entry["page"] = told_of(_params(item)["qsim_case"], witness, report, shown)
        report.qsim = entry  # type: ignore[attr-defined]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """pytest-xdist loses a worker, and what that would have found, where text cannot be sent."""
    return spread.sendable((yield))


def _properties(case: Case, item: pytest.Item) -> list[tuple[str, object]]:
    """What is to be known of a case wherever it is listed."""
    verdict = item.stash.get(VERDICT, None)
    found = {
        "behaviour": case.source,
        "fixture": f"{short_path(case.file)}:{case.line}",
        "known bug": case.bug,
        "verdict": verdict.kind.text if verdict else "",
    }
    return [(name, value) for name, value in found.items() if value]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The short table, or loudly that no binary was compared."""
    config = terminalreporter.config
    if TALLY not in config.stash or config.stash[SESSION].only_collect:
        return
    terminalreporter.section("quorum conformance")
    for line in config.stash[TALLY].lines():
        terminalreporter.write_line(line)
    if not config.stash[SESSION].binary:
        warning = "NO BINARY WAS COMPARED: name one with --qemu=PATH"
        terminalreporter.write_line("")
        terminalreporter.write_line(warning, yellow=True, bold=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Whatever happened, no QEMU stays."""
    if SESSION in config.stash:
        config.stash[SESSION].close()

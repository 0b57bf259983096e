# SPDX-License-Identifier: GPL-2.0-or-later
"""The conformance suite as a pytest plugin: ``--qemu=PATH``, and the cases as tests on both.

All selected cases are given to the pool when collection is over, and play in the background
while pytest reports them in its own order.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from qsim.data import fixtures_path
from qsim.outcome import Outcome, against_fixture, between
from qsim.quorum.revisions import DEFAULT, REVISIONS, Revision, nearest, revision
from qsim.report.terminal import render, rerun_command
from qsim.scenario import Case, ScenarioError, load_paths
from qsim.select import cases_of
from qsim.target.background import BackgroundPool
from qsim.target.error import TargetError
from qsim.target.model import run_model
from qsim.target.pool import DEFAULT_JOBS

MODEL, QEMU = "model", "qemu"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's options."""
    group = parser.getgroup("qsim", "conformance of QEMU's quorum driver")
    group.addoption("--qemu", metavar="PATH", help="the qemu-system binary to compare")
    group.addoption(
        "--revision",
        metavar="NAME",
        help="the driver's revision to compare with (default: by the binary's version, "
        f"else {DEFAULT})",
    )
    group.addoption(
        "--scenarios",
        metavar="PATH",
        action="append",
        help="scenario files or folders instead of the suite's own",
    )
    group.addoption(
        "--jobs",
        metavar="N",
        type=_at_least_one,
        default=DEFAULT_JOBS,
        help=f"QEMU processes side by side (default: {DEFAULT_JOBS})",
    )
    group.addoption(
        "--repeat",
        metavar="N",
        type=_at_least_one,
        default=1,
        help="play each case N times on the binary; every run must pass",
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


def _fixtures(config: pytest.Config) -> list[Path]:
    """What --scenarios names, else the fixtures beside the suite, else those installed."""
    given: list[str] = config.getoption("--scenarios") or []
    beside = [suite.parent / "fixtures" for suite in _suites(config)]
    return (
        [Path(path) for path in given]
        or [path for path in beside if path.is_dir()]
        or [fixtures_path()]
    )


class Session:
    """What the tests of one session share.

    :raise pytest.UsageError: for a bad option, fixture or binary, before any test runs.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.binary: str | None = config.getoption("--qemu")
        self.repeat: int = config.getoption("--repeat")
        self.named: str | None = config.getoption("--revision")
        self.pool: BackgroundPool | None = None
        self.tally: Counter[tuple[str, str]] = Counter()
        self.played: dict[str, list[Future[Outcome]]] = {}
        self._models: dict[str, Outcome] = {}
        self.only_collect: bool = config.getoption("collectonly", False)
        paths = _fixtures(config)
        try:
            chosen = revision(self.named) if self.named else None
            if self.binary and not self.only_collect:
                self.pool = BackgroundPool(self.binary, config.getoption("--jobs"))
            self.revision = chosen or self._guess()
            loaded = load_paths(paths, [one.name for one in REVISIONS])
        except KeyError as error:
            self.close()
            raise pytest.UsageError(f"--revision: {error.args[0]}") from None
        except TargetError as error:
            self.close()
            raise pytest.UsageError(f"--qemu: {error}") from None
        except ScenarioError as error:
            self.close()
            raise pytest.UsageError(str(error)) from None
        except BaseException:
            self.close()
            raise
        self.cases = {case.id: case for case in cases_of(loaded, self.revision)}
        self.left_out = len(loaded) - len(self.cases)

    def _guess(self) -> Revision:
        return nearest(self.pool.version) if self.pool else revision(DEFAULT)

    def submit(self, ids: Sequence[str]) -> None:
        """Let the binary play these cases in the background."""
        if self.pool is not None:
            for _ in range(self.repeat):
                for name in ids:
                    self.played.setdefault(name, []).append(self.pool.submit(self.cases[name]))

    def model(self, case: Case) -> Outcome:
        """The case on the model, played once."""
        if case.id not in self._models:
            self._models[case.id] = run_model(case, self.revision)
        return self._models[case.id]

    def close(self) -> None:
        """Stop every QEMU."""
        if self.pool is not None:
            self.pool.close()


SESSION = pytest.StashKey[Session]()


def session_of(config: pytest.Config) -> Session:
    """The shared state, made when the first conformance test is collected."""
    if SESSION not in config.stash:
        config.stash[SESSION] = Session(config)
    return config.stash[SESSION]


def pytest_sessionstart(session: pytest.Session) -> None:
    """What is wrong with the options, the fixtures or the binary ends the session here.

    Raised any later, pytest would wrap it into a collection error.
    """
    if session.config.getoption("--qemu") or _suites(session.config):
        session_of(session.config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per witness and case."""
    if "qsim_case" not in metafunc.fixturenames:
        return
    session = session_of(metafunc.config)
    witnesses = [MODEL, QEMU] if session.binary else [MODEL]
    metafunc.parametrize(
        ("qsim_case", "witness"),
        [
            pytest.param(case, witness, id=f"{name}-{witness}")
            for name, case in session.cases.items()
            for witness in witnesses
        ],
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start playing: only what was selected."""
    if SESSION not in session.config.stash:
        return
    shared = session.config.stash[SESSION]
    if shared.only_collect:
        return
    ids = [
        params["qsim_case"].id
        for params in map(_params, session.items)
        if params.get("witness") == QEMU
    ]
    shared.submit(ids)


def _params(item: pytest.Item) -> dict[str, Any]:
    """The parameters of a test that is one of ours, else nothing."""
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else dict(callspec.params)


def check(session: Session, case: Case, witness: str) -> str | None:
    """What is wrong with ``case`` on ``witness``, ready to print; None when nothing is.

    A binary fails by what its own outcome is: unlike the fixture, or, where the model agrees
    with the fixture, unlike the model in what the fixture does not name.
    """
    try:
        model = session.model(case)
    except ScenarioError as error:
        return str(error)
    wrong_model = against_fixture(case, model)
    if witness == MODEL:
        if wrong_model:
            return render(case, None, model, wrong_model, rerun_command(case, None, session.named))
        return None
    again = rerun_command(case, session.binary, session.named)
    for future in session.played[case.id]:
        outcome = future.result()
        if outcome.unsupported:
            pytest.skip(f"not supported: {outcome.unsupported}")
        found = against_fixture(case, outcome)
        if found:
            return render(case, None, outcome, found, again)
        found = between(model, outcome)
        if found and not wrong_model:
            return render(case, model, outcome, found, again)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count for the closing table."""
    report = yield
    witness = _params(item).get("witness")
    if call.when == "call" and witness and SESSION in item.config.stash:
        item.config.stash[SESSION].tally[(witness, report.outcome)] += 1
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The short table, or loudly that no binary was compared."""
    config = terminalreporter.config
    if SESSION not in config.stash or config.stash[SESSION].only_collect:
        return
    session = config.stash[SESSION]
    write = terminalreporter.write_line
    terminalreporter.section("quorum conformance")
    # What a binary cannot do is said, never counted among what it does.
    cannot = session.tally[(QEMU, "skipped")]
    more = f"{'not supported':>15}" if cannot else ""
    write(f"{'witness':<44}{'cases':>8}{'agree':>8}{'differ':>8}{more}")
    names = {MODEL: f"model of {session.revision.describes}"}
    if session.pool is not None:
        names[QEMU] = f"QEMU {session.pool.version} ({session.binary})"
    for witness, name in names.items():
        passed = session.tally[(witness, "passed")]
        failed = session.tally[(witness, "failed")]
        more = f"{session.tally[(witness, 'skipped')]:>15}" if cannot else ""
        write(f"{name:<44}{passed + failed:>8}{passed:>8}{failed:>8}{more}")
    if session.repeat > 1 and session.pool is not None:
        write(f"each case was played {session.repeat} times on the binary")
    if session.left_out:
        write(f"{session.left_out} cases are about other revisions than {session.revision.name}")
    if not session.binary:
        warning = "NO BINARY WAS COMPARED: name one with --qemu=PATH"
        terminalreporter.write_line("")
        terminalreporter.write_line(warning, yellow=True, bold=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Whatever happened, no QEMU stays."""
    if SESSION in config.stash:
        config.stash[SESSION].close()

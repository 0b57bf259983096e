# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of several rooms start from: families given as text, and the shipped fixtures."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, settings

from qsim.data import fixtures_path
from qsim.outcome import Outcome
from qsim.quorum.revisions import REVISIONS, Revision, revision
from qsim.scenario import Case, load_paths
from qsim.scenario.load import load_text
from qsim.target.model import run_model

pytest_plugins = ["pytester"]

# For tools/.  Last, so that the package under test stays the one that is installed.
sys.path.append(str(Path(__file__).parent.parent))

# No test may fail because a machine is slow; CI sees the same examples every time.
settings.register_profile(
    "qsim",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("qsim")

QEMU = "/usr/bin/qemu-system-x86_64"
REVISION_NAMES = [one.name for one in REVISIONS]
HEAD = """\
family: example
about: an example
source: block/quorum.c example_function() (7.2)
cases:
"""

#: The text of a family from the text of its cases.
FamilyText = Callable[[str], str]
#: The cases of a family from the text of its cases.
Load = Callable[[str], list[Case]]


@pytest.fixture(scope="session")
def family_text() -> FamilyText:
    """A whole scenario file around a list of cases; the first case stands on line 5."""
    return lambda cases: HEAD + dedent(cases).lstrip("\n")


@pytest.fixture(scope="session")
def load(family_text: FamilyText) -> Load:
    """The cases of a family, loaded under the name ``example.yaml``."""
    return lambda cases: load_text("example.yaml", family_text(cases), REVISION_NAMES)


@pytest.fixture(scope="session")
def play() -> Callable[[Case], Outcome]:
    """A case on the model of 7.2."""
    return lambda case: run_model(case, revision("7.2"))


@pytest.fixture(scope="session")
def shipped_cases() -> list[Case]:
    """Every case that ships with qsim."""
    return load_paths([fixtures_path()], REVISION_NAMES)


#: Outcomes with longer requests are not kept: for every revision they would be gigabytes.
KEPT_BYTES = 256 * 1024


@pytest.fixture(scope="session")
def played() -> Callable[[Case, Revision], Outcome]:
    """A shipped case on the model of a revision, played once for all who look at it."""
    outcomes: dict[tuple[str, Revision], Outcome] = {}

    def play_once(case: Case, on: Revision) -> Outcome:
        parts = [part for step in case.steps for part in (step, *step.parts)]
        if max((part.bytes for part in parts), default=0) > KEPT_BYTES:
            return run_model(case, on)
        key = case.id, on
        if key not in outcomes:
            outcomes[key] = run_model(case, on)
        return outcomes[key]

    return play_once


@pytest.fixture(scope="session")
def suite() -> Path:
    """The folder of the conformance suite."""
    return Path(__file__).parent.parent / "conformance"


@contextmanager
def _short() -> Iterator[Path]:
    place = tempfile.gettempdir()
    path = Path(tempfile.mkdtemp(prefix="qt-", dir=place if len(place) < 40 else "/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def short_tmp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A temporary folder whose path, unlike that of tmp_path, is short enough for sockets."""
    # pytest makes its own folder when it is first needed, and must not make it in here.
    tmp_path_factory.getbasetemp()
    with _short() as path:
        yield path


@pytest.fixture(scope="module")
def short_tmp_of_module() -> Iterator[Path]:
    """Likewise, for all tests of a module."""
    with _short() as path:
        yield path


@pytest.fixture
def tmpdir_here(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``short_tmp`` as the place of temporary folders, of this process and of its children."""
    monkeypatch.setenv("TMPDIR", str(short_tmp))
    monkeypatch.setattr(tempfile, "tempdir", str(short_tmp))
    return short_tmp


def _processes_naming(text: str) -> list[int]:
    """The processes whose command line contains ``text``, without those that are dead already."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in line:
            found.append(int(entry.name))
    return sorted(found)


@pytest.fixture(scope="session")
def processes_naming() -> Callable[[str], list[int]]:
    """Ask which processes have a text, such as a private folder, in their command line."""
    return _processes_naming


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool], float], bool]:
    """Poll for a condition, at most some seconds; whether it came true."""

    def wait(condition: Callable[[], bool], bound_s: float) -> bool:
        deadline = time.monotonic() + bound_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    return wait


def _find_qemu(environ: Mapping[str, str]) -> str:
    """``QSIM_QEMU``, or where distributions put it; in CI its absence is a failure."""
    named = environ.get("QSIM_QEMU")
    path = named or QEMU
    if os.access(path, os.X_OK):
        return path
    if named or environ.get("CI"):
        pytest.fail(f"no QEMU at {path}: set QSIM_QEMU, or install qemu-system-x86 and qemu-utils")
    pytest.skip(f"NOTHING WAS TESTED ON A REAL QEMU: none at {path}; set QSIM_QEMU")


@pytest.fixture(scope="session")
def find_qemu() -> Callable[[Mapping[str, str]], str]:
    """How the binary is found, for its own test."""
    return _find_qemu


@pytest.fixture(scope="session")
def qemu() -> str:
    """The binary.  Skips loudly when there is none, fails in CI or when it was named."""
    return _find_qemu(os.environ)

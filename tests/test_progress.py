# SPDX-License-Identifier: GPL-2.0-or-later
"""Long runs say in a terminal how far they have come, and in a log nothing of it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import pytest

ROOT = Path(__file__).parent.parent
#: What is drawn, and not said.
CONTROL = re.compile(r"\x1b|\r(?!\n)|\x08")
#: What makes others take a log for a terminal.
FORCED = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "CLICOLOR_FORCE": "1"}

CASE = """\
- name: a read, all agree
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
"""


#: What takes longer than this hangs; none should need a tenth of it.
PATIENCE_S = 300


@dataclass(frozen=True)
class Ran:
    """What came of a run: its status, its standard output, and what a terminal or log shows."""

    status: int
    stdout: str
    shown: str


def ran(words: list[str], terminal: bool, where: Path, more: Mapping[str, str] = {}) -> Ran:
    """Run Python with standard output a pipe, and standard error a terminal or a pipe too."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("NO_COLOR", "COLUMNS", "CI", *FORCED) and not key.startswith("PYTEST_")
    }
    environment |= {"TERM": "xterm", "PYTHONPATH": str(ROOT), "COLUMNS": "120", **more}
    near, far = pty.openpty() if terminal else os.pipe()
    try:
        with subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=far,
            cwd=where,
            env=environment,
        ) as process:
            os.close(far)
            watchdog = Timer(PATIENCE_S, process.kill)
            watchdog.start()
            try:
                # Both at once: neither pipe may fill up while the other one is read.
                with ThreadPoolExecutor(1) as reader:
                    shown = reader.submit(everything, near)
                    stdout, _ = process.communicate()
            finally:
                watchdog.cancel()
        return Ran(process.returncode, stdout.decode(), shown.result().decode())
    finally:
        os.close(near)


def everything(near: int) -> bytes:
    """What comes from a pipe or a terminal, up to its end."""
    found = b""
    while True:
        try:
            piece = os.read(near, 65536)
        except OSError:  # A terminal whose other end is closed.
            return found
        if not piece:
            return found
        found += piece


@pytest.mark.parametrize("terminal", [True, False])
def test_a_program_that_says_much_on_both_is_heard(terminal: bool) -> None:
    program = (
        "import sys\n"
        "for _ in range(64):\n"
        "    print('o' * 8191)\n"
        "    sys.stdout.flush()\n"
        "    sys.stderr.write('e' * 8192)\n"
    )
    heard = ran(["-c", program], terminal, ROOT)
    assert (heard.status, len(heard.stdout), len(heard.shown)) == (0, 64 * 8192, 64 * 8192)


EXPLORE = ["-m", "qsim", "explore", "fixtures/fifo.yaml"]
DIFF = ["-m", "qsim", "series", "diff", "v3", "v4", "2014-vote"]


@pytest.mark.parametrize(
    ("words", "what"), [(EXPLORE, "exploring"), (DIFF, "comparing")], ids=["explore", "series diff"]
)
def test_a_command_shows_its_progress_in_a_terminal_and_not_in_a_log(
    words: list[str], what: str
) -> None:
    terminal = ran(words, True, ROOT)
    log = ran(words, False, ROOT, FORCED)
    assert (log.status, log.shown) == (0, "")
    # What it has found is the same, to the letter, and so in a pipe.
    assert (terminal.status, terminal.stdout) == (0, log.stdout)
    assert not CONTROL.search(terminal.stdout)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.shown)
    frames = re.findall(rf"{what} \S+ +(\d+)/(\d+) .*?left (?:\d:\d\d:\d\d|-:--:--)", text)
    first, *_, last = frames
    assert first[0] == "0" and int(last[0]) > 0 and len({total for _, total in frames}) == 1
    # The last is wiped away.
    assert terminal.shown.rstrip("\r\n").endswith("\x1b[2K")


def test_a_dumb_terminal_is_not_drawn_on() -> None:
    shown = ran(EXPLORE, True, ROOT, {"TERM": "dumb"}).shown
    assert not re.search(r"[^\r\n]", shown)


@pytest.fixture
def fuzz(qemu: str, tmp_path: Path) -> Callable[[bool], Ran]:
    return lambda terminal: ran(
        ["-m", "qsim", "fuzz", "--qemu", qemu, "-n", "3"], terminal, tmp_path, FORCED
    )


def test_fuzzing_shows_its_progress_in_a_terminal_and_not_in_a_log(
    fuzz: Callable[[bool], Ran],
) -> None:
    terminal, log = fuzz(True), fuzz(False)
    assert (log.status, log.shown) == (0, "")
    assert (terminal.status, terminal.stdout) == (0, log.stdout)
    assert re.search(r"fuzzing.*/3.*left", terminal.shown)


@pytest.fixture
def suite_on_qemu(
    qemu: str, tmp_path: Path, suite: Path, family_text: Callable[[str], str]
) -> Callable[..., Ran]:
    """The suite with one case, as a program of its own."""
    (tmp_path / "example.yaml").write_text(family_text(CASE), "utf-8")
    words = ["-m", "pytest", str(suite), "-p", "no:cacheprovider", "--jobs=2", f"--qemu={qemu}"]

    def run(*more: str, terminal: bool) -> Ran:
        return ran([*words, f"--scenarios={tmp_path}", *more], terminal, tmp_path)

    return run


def test_suite_shows_its_rounds_and_its_fuzzing_in_a_terminal_and_not_in_a_log(
    suite_on_qemu: Callable[..., Ran],
) -> None:
    terminal = suite_on_qemu("--repeat=4", "--fuzz=3", terminal=True)
    log = suite_on_qemu("--repeat=4", "--fuzz=3", terminal=False)
    for one in (terminal, log):
        assert one.status == 0
        assert "each case was played 4 times on the binary" in one.stdout
        assert not CONTROL.search(one.stdout)
    assert log.shown == ""
    assert re.search(r"playing.*round 4 of 4.*left", terminal.shown)
    assert re.search(r"fuzzing.*/3.*left", terminal.shown)


def test_what_is_said_meanwhile_stands_above() -> None:
    program = (
        "from qsim.progress import counted, say\n"
        "for one in counted('doing', 'ab', 2): say(f'seen {one} [b]')\n"
        "print('over')"
    )
    log = ran(["-c", program], False, ROOT, FORCED)
    assert (log.stdout, log.shown) == ("over\n", "seen a [b]\nseen b [b]\n")
    terminal = ran(["-c", program], True, ROOT)
    assert terminal.stdout == "over\n"
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.shown).replace("\r", "\n").split("\n")
    assert [line for line in lines if line.startswith("seen")] == ["seen a [b]", "seen b [b]"]

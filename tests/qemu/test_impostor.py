# SPDX-License-Identifier: GPL-2.0-or-later
"""A binary that goes wrong at one request: one scenario fails, and says how; all others pass."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qsim.target import process
from qsim.target import qemu as target

# One child each: what goes through the impostor comes later than what goes past it, so that two
# requests of one round could seem to be two rounds.
CASES = """
- name: victim
  children: [A]
  quorum: {vote-threshold: 1}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
  - read: [33936, 8]
    expect: {ret: 0, data: A, requests: all}
  - read: [512, 512]
    expect: {ret: 0, data: A, requests: all}
""" + "".join(
    f"""
- name: other {i}
  children: [A]
  quorum: {{vote-threshold: 1}}
  steps:
  - read: [{i}, 512]
    expect: {{ret: 0, data: A, requests: all}}
"""
    for i in range(12)
)

#: What the failure of each act must say.
SAID = {
    "segv": r"read 33936 8: exit\n +the fixture: none\n +QEMU 7.*: killed by SIGSEGV: nothing on",
    "abort": r"killed by SIGABRT: qemu-system-x86_64: \.\./block/quorum\.c:600: quorum_vote: Asser",
    "exit": r"read 33936 8: exit\n +the fixture: none\n .*: 3: qemu-system-x86_64: that is enough",
    "sanitizer": r"1: =+\n==1234==ERROR: AddressSanitizer: heap-use-after-free",
    "runtime": r"\.\./block/quorum\.c:300:12: runtime error: signed integer overflow",
    "hang": r"read 33936 8: QEMU hangs: waited 2 s",
    "close": r"read 33936 8|set-up|read 512 512",
    "babble": r"read 33936 8|read 512 512",
    "surprise": r"an event nobody knows: QUORUM_SURPRISE",
}


@pytest.fixture
def impostor(tmp_path: Path, qemu: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """The program, going to misbehave in this way."""

    def make(act: str) -> Path:
        monkeypatch.setenv("QSIM_REAL_QEMU", qemu)
        monkeypatch.setenv("QSIM_ACT", act)
        program = tmp_path / "qemu-system-impostor"
        script = Path(__file__).parent / "impostor.py"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n', "utf-8")
        program.chmod(0o755)
        return program

    return make


@pytest.mark.parametrize("act", SAID)
def test_one_scenario_fails_and_says_how_and_nothing_is_left(
    act: str,
    impostor: Callable[[str], Path],
    pytester: pytest.Pytester,
    suite: Path,
    family_text: Callable[[str], str],
    tmpdir_here: Path,
    processes_naming: Callable[[str], list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    for module in (target, process):
        monkeypatch.setattr(module, "PATIENCE_S", 2.0)
    scenarios = pytester.path / "example.yaml"
    scenarios.write_text(family_text(CASES), "utf-8")
    result = pytester.runpytest_inprocess(
        str(suite),
        *("-p", "no:cacheprovider", "--jobs=2", "--revision=7.2"),
        *(f"--scenarios={scenarios}", f"--qemu={impostor(act)}"),
    )
    text = result.stdout.str()
    assert result.ret == 1
    result.assert_outcomes(passed=25, failed=1)
    assert "FAILED" in text
    assert "[example/victim-qemu]" in text
    assert re.search(SAID[act], text), text
    assert "Traceback" not in text
    assert processes_naming(str(tmpdir_here)) == []
    assert os.listdir(tmpdir_here) == []

# SPDX-License-Identifier: GPL-2.0-or-later
"""A page of a real run, for those who look at it from several sides."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

#: A source, an error and a node would be markup if anybody took them for it.
SCENARIOS = """
- name: a read, all agree
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: all}
- name: a tie
  source: block/quorum.c quorum_get_vote_winner() (7.2)
  children: [A, B]
  quorum: {vote-threshold: 1}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: B, requests: all, events: [QUORUM_REPORT_BAD read c0 0 1]}
- name: not so
  source: block/quorum.c quorum_vote() (7.2)
  children: [A, A, B]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: B, requests: all, events: [QUORUM_REPORT_BAD read c2 0 1]}
- name: no such node
  source: "<script>hit=1</script> & <img src=x onerror=hit=2>"
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - qmp: {execute: x-blockdev-change, arguments: {parent: q, node: "</script><script>hit=3</script>"}}
    expect: {error: "<b>other words</b>"}
"""
#: A patch that is said to make it fail, and does not.
INTENDED = """
- name: a read, all agree
  source: the patch on the list
  children: [A, A]
  quorum: {vote-threshold: 2}
  steps:
  - read: [0, 512]
    expect: {ret: EIO, requests: all}
"""


@pytest.fixture(scope="module")
def report(
    tmp_path_factory: pytest.TempPathFactory, family_text: Callable[[str], str], qemu: str
) -> Path:
    """The page of a run on a binary that is its own baseline: some scenarios fail."""
    folder = tmp_path_factory.mktemp("report")
    for name, cases in (("example", SCENARIOS), ("intended", INTENDED)):
        (folder / f"{name}.yaml").write_text(family_text(cases), "utf-8")
    options = [
        "--scenarios=example.yaml",
        "--intended=intended.yaml",
        # These come out alike on all; to ask which it is takes a while.
        "--revision=7.2",
        *(f"--qemu={qemu}", f"--baseline={qemu}", "--jobs=2", "--report=out"),
    ]
    suite = ["--pyargs", "qsim.conformance", "-p", "no:cacheprovider", "-k", "test_scenario"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *suite, *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        # Only what hangs is killed.
        timeout=300,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    return folder / "out" / "index.html"

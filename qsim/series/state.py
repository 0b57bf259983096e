# SPDX-License-Identifier: GPL-2.0-or-later
"""What a revision says to ``read-pattern``, by asking its model."""

from __future__ import annotations

from dataclasses import dataclass

from qsim.quorum.revisions import REVISIONS, Revision
from qsim.quorum.switches import NAMED_FIFO, READ_PATTERN
from qsim.scenario import Case
from qsim.scenario.load import load_text
from qsim.target.model import run_model

_PROBES = """\
family: probes
about: The option of the series, by either way in.
source: cover letter of v4
cases:
- name: blockdev-add
  children: 2
  quorum: {{vote-threshold: 1, read-pattern: {pattern}}}
- name: drive
  images: {{0.qcow2: A, 1.qcow2: A}}
  drive: "id=d0,if=none,driver=quorum,children.0.file.filename=0.qcow2,\\
    children.1.file.filename=1.qcow2,read-pattern={pattern},vote-threshold=1"
"""


@dataclass(frozen=True)
class State:
    """What a revision does with the option.

    :param pattern: the name of the new pattern that was asked for.
    :param schema: whether the schema lets it through.
    :param driver: whether the driver opens with it.
    :param blockdev_add: the answer of blockdev-add, "" for success.
    :param drive: the error of -drive, "" for success.
    """

    pattern: str
    schema: bool
    driver: bool
    blockdev_add: str
    drive: str


def state_of(revision: Revision) -> State:
    """Ask the model of ``revision``."""
    old_name = READ_PATTERN in revision.switches and NAMED_FIFO not in revision.switches
    pattern = "single" if old_name else "fifo"
    names = [one.name for one in REVISIONS]
    blockdev_add, drive = (
        _error(case, revision)
        for case in load_text("probes", _PROBES.format(pattern=pattern), names)
    )
    # -drive does not look at the schema; blockdev-add fails by it or by the driver.
    refused_by_schema = bool(blockdev_add) and blockdev_add != drive.replace("d0", "q")
    return State(pattern, not refused_by_schema, not drive, blockdev_add, drive)


def _error(case: Case, revision: Revision) -> str:
    error = run_model(case, revision).steps[0].error
    return error[1] if error else ""

# SPDX-License-Identifier: GPL-2.0-or-later
"""Block jobs in scenarios: where one begins and ends, and what cannot be said beside one."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from qsim.block.stage import StopAfter
from qsim.scenario import Case, ScenarioError
from qsim.scenario.notation import parse_event

Load = Callable[[str], list[Case]]

MIRROR = "{execute: blockdev-mirror, arguments: {job-id: j, device: q, target: s0, sync: full}}"
COMPLETE = "{execute: block-job-complete, arguments: {device: j}}"
#: Line 5 is the case's, 9 the first step's.
HEAD = """
- name: a
  children: {c0: A, c1: A, s0: S}
  spares: [s0]
  quorum: {vote-threshold: 1}
  steps:
"""


def steps(*lines: str) -> str:
    return HEAD + "".join(f"  {line}\n" for line in lines)


def error_of(load: Load, text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(text)
    return str(caught.value)


def test_a_job_is_there_from_its_command_to_the_step_it_ends_in(load: Load) -> None:
    text = steps(
        "- {read: [0, 512], expect: {ret: 0, data: A, requests: all}}",
        f"- {{qmp: {MIRROR}, expect: {{events: [BLOCK_JOB_READY j]}}}}",
        "- {read: [0, 512], expect: {ret: 0, data: A}}",
        f"- {{qmp: {COMPLETE}, expect: {{events: [BLOCK_JOB_COMPLETED j]}}}}",
        "- {read: [0, 512], expect: {ret: 0, data: A, requests: all}}",
    )
    (case,) = load(text)
    assert [step.job for step in case.steps] == ["", "j", "j", "j", ""]
    assert case.runs_job
    assert case.jobs == ["j"]
    assert [step.expect.requests is None for step in case.steps if step.expect] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert case.opening.expect is not None
    assert case.opening.expect.requests == ()


@pytest.mark.parametrize(
    "mirror",
    [
        f"- {{qmp: {MIRROR}, expect: {{error: refused}}}}",
        f"- {{qmp: {MIRROR.replace('s0', 'q')}, expect: {{}}}}",
    ],
    ids=["refused", "into itself"],
)
def test_a_mirror_that_does_not_start_is_no_job(load: Load, mirror: str) -> None:
    (case,) = load(steps(mirror, "- {read: [0, 512], expect: {ret: 0, data: A, requests: all}}"))
    assert not case.runs_job


@pytest.mark.parametrize("name", ["j", "J1", "a-b.1_c", "j.", "j_"])
def test_a_job_is_called_what_qemu_takes(load: Load, name: str) -> None:
    mirror = MIRROR.replace("job-id: j", f"job-id: {name}")
    (case,) = load(steps(f"- {{qmp: {mirror}, expect: {{events: [BLOCK_JOB_READY {name}]}}}}"))
    assert case.jobs == [name]
    assert case.steps[0].job == name


@pytest.mark.parametrize("name", ["", "1j", "j j", "jö", "-j", "_", "j\n", "j/k"])
@pytest.mark.parametrize("expect", ["{}", "{error: refused}"])
def test_a_job_is_called_nothing_else_not_even_to_be_refused(
    load: Load, name: str, expect: str
) -> None:
    mirror = MIRROR.replace("job-id: j", f"job-id: {json.dumps(name)}")
    assert error_of(load, steps(f"- {{qmp: {mirror}, expect: {expect}}}")).endswith(
        f".job-id: {name!r} does not match: a letter, then letters, digits, and - . _"
    )


def test_another_jobs_end_is_not_this_ones(load: Load) -> None:
    (case,) = load(
        steps(
            f"- {{qmp: {MIRROR}, expect: {{events: [BLOCK_JOB_COMPLETED i EIO]}}}}",
            "- {flush: true, expect: {ret: 0}}",
        )
    )
    assert case.steps[1].job == "j"


def test_a_step_that_stops_says_with_what(load: Load) -> None:
    (case,) = load(
        steps(
            f"- {{qmp: {MIRROR}, stop-after: s0 write x2, expect: {{}}}}",
            "- {read: [0, 512], stop-after: c0 block-status, expect: {ret: 0, data: A}}",
            "- kill: true",
        )
    )
    assert [step.stop_after for step in case.steps] == [
        StopAfter("s0", "write", 2), StopAfter("c0", "block-status", 1), None,
    ]  # fmt: skip
    assert case.steps[2].verb == "kill"
    assert case.steps[2].expected == ()


START = f"- {{qmp: {MIRROR}, expect: {{events: [BLOCK_JOB_READY j]}}}}"
#: What is wrong: the lines of the steps, and what is said of it, from its line on.
WRONG = {
    "requests beside a job": (
        (START, "- {read: [0, 512], expect: {ret: 0, data: A, requests: all}}"),
        "11: cases[0].steps[1].expect.requests: what children are asked depends on the pace of "
        "the job (j) that there is; leave it out",
    ),
    "requests of the command that starts it": (
        (f"- {{qmp: {MIRROR}, expect: {{requests: [c0 read 0 512]}}}}",),
        "10: cases[0].steps[0].expect.requests: what children are asked depends on ",
    ),
    "an order beside a job": (
        (START, "- {read: [0, 512], complete: [c0], expect: {ret: 0, data: A}}"),
        "11: cases[0].steps[1].complete: not while there is a job (j)",
    ),
    "several requests beside a job": (
        (START, "- together: [{read: [0, 512]}, {flush: true}]", "  expect: {}"),
        "11: cases[0].steps[1].together: not while there is a job (j)",
    ),
    "a command meanwhile": (
        (
            START,
            "- read: [0, 512]",
            "  meanwhile: {execute: blockdev-del, arguments: {node-name: c0}}",
            "  expect: {ret: 0, data: A, meanwhile: waits}",
        ),
        "12: cases[0].steps[1].meanwhile: not while there is a job (j)",
    ),
    "a second job": (
        (START, START),
        "11: cases[0].steps[1]: there is a job already: j",
    ),
    "a job without a name": (
        (f"- {{qmp: {MIRROR.replace('job-id: j, ', '')}, expect: {{}}}}",),
        "10: cases[0].steps[0].qmp: a job needs a job-id, by which its events are known",
    ),
    "a job whose name begins with a digit": (
        (
            "- qmp:",
            "    execute: blockdev-mirror",
            "    arguments:",
            "      device: q",
            "      job-id: 1j",
            "      target: s0",
            "      sync: full",
            "  expect: {}",
        ),
        "14: cases[0].steps[0].qmp.arguments.job-id: '1j' does not match: a letter, then letters, "
        "digits, and - . _",
    ),
    "stopping without a job": (
        ("- {read: [0, 512], stop-after: c0 read, expect: {ret: 0, data: A, requests: all}}",),
        "10: cases[0].steps[0].stop-after: only a command or a request beside a job stops",
    ),
    "setting that stops": (
        (START, "- {set: {c0: B}, stop-after: c0 read}"),
        "11: cases[0].steps[1].stop-after: only a command or a request beside a job stops",
    ),
    "stopping with a child that is none": (
        (f"- {{qmp: {MIRROR}, stop-after: s1 write, expect: {{}}}}", "- kill: true"),
        "10: cases[0].steps[0].stop-after: 's1' is no child; there are: c0, c1, s0",
    ),
    "stopping with an operation that is none": (
        (f"- {{qmp: {MIRROR}, stop-after: s0 writes, expect: {{}}}}", "- kill: true"),
        "10: cases[0].steps[0].stop-after: 'writes' is no operation; there are: read, write, ",
    ),
    "stopping with something else": (
        (f"- {{qmp: {MIRROR}, stop-after: s0 write 2, expect: {{}}}}", "- kill: true"),
        "10: cases[0].steps[0].stop-after: 's0 write 2' does not match: a request of a child, ",
    ),
    "stopping at the end": (
        (f"- {{qmp: {MIRROR}, stop-after: s0 write, expect: {{}}}}",),
        "10: cases[0].steps[0].stop-after: children hold requests at the end: ",
    ),
    "a kill of which something is seen": (
        (START, "- {kill: true, expect: {}}"),
        "11: cases[0].steps[1].expect: nothing is seen of a kill",
    ),
    "a kill with faults": (
        (START, "- {kill: true, faults: {c0: EIO}}"),
        "11: cases[0].steps[1].faults: nothing is asked in a kill; leave it out",
    ),
    "a kill with an order": (
        (START, "- {kill: true, complete: [c0]}"),
        "11: cases[0].steps[1].complete: nothing is asked in a kill; leave it out",
    ),
    "a kill that is none": (
        (START, "- kill: false"),
        "11: cases[0].steps[1].kill: True was expected",
    ),
    "faults left open": (
        (START, "- {flush: true, faults: {c0: 'any of ok, EIO'}, expect: {ret: 0}}"),
        "5: cases[0]: a case with a job leaves nothing open",
    ),
    "an event of a job with too little": (
        (f"- {{qmp: {MIRROR}, expect: {{events: [BLOCK_JOB_ERROR j read]}}}}",),
        "10: cases[0].steps[0].expect: 'BLOCK_JOB_ERROR j read' is not the event; write "
        "BLOCK_JOB_ERROR JOB OPERATION ACTION",
    ),
    "an event of a job with too much": (
        (f"- {{qmp: {MIRROR}, expect: {{events: [BLOCK_JOB_READY j EIO]}}}}",),
        "10: cases[0].steps[0].expect: 'BLOCK_JOB_READY j EIO' is not the event; write "
        "BLOCK_JOB_READY JOB",
    ),
}


@pytest.mark.parametrize(("lines", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_is_refused_with_its_place(
    load: Load, lines: tuple[str, ...], said: str
) -> None:
    assert error_of(load, steps(*lines)).startswith(f"example.yaml:{said}")


def test_after_a_kill_there_is_no_job(load: Load) -> None:
    (case,) = load(
        steps(
            START,
            "- kill: true",
            "- {flush: true, expect: {ret: 0, requests: []}}",
            START,
        )
    )
    assert [step.job for step in case.steps] == ["j", "", "", "j"]
    assert case.is_killed


def test_a_process_with_image_files_is_not_killed(load: Load) -> None:
    text = """
    - name: a
      images: {0.qcow2: A}
      drive: driver=quorum,children.0.file.filename=0.qcow2,vote-threshold=1
      steps:
      - kill: true
    """
    assert "a process with image files is not killed" in error_of(load, text)


def test_no_job_runs_on_image_files(load: Load) -> None:
    text = f"""
    - name: a
      images: {{0.qcow2: A}}
      drive: driver=quorum,children.0.file.filename=0.qcow2,vote-threshold=1
      steps:
      - qmp: {MIRROR}
        expect: {{}}
    """
    assert "what images are asked cannot be seen, so no job runs on them" in error_of(load, text)


@pytest.mark.parametrize(
    "text",
    [
        "BLOCK_JOB_READY j",
        "BLOCK_JOB_COMPLETED j",
        "BLOCK_JOB_COMPLETED j EPERM",
        "BLOCK_JOB_CANCELLED j",
        "BLOCK_JOB_ERROR j write report",
    ],
)
def test_event_of_a_job_there_and_back(text: str) -> None:
    assert str(parse_event(text)) == text

# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: what it prints and the exit statuses it documents."""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from qsim import __version__, cli
from qsim.explore.grid import grid
from qsim.outcome import Outcome
from qsim.qapi import default_schema_path
from qsim.quorum.revisions import REVISIONS
from qsim.quorum.switches import ERROR_WITHOUT_NEWLINE
from qsim.report.terminal import short_path
from qsim.scenario import Case
from qsim.series import diff as series_diff
from qsim.series.versions import FOLLOWED, VERSIONS
from qsim.target.model import run_model

FamilyText = Callable[[str], str]

FIFO = """
- name: second child answers
  children: [A, B]
  quorum: {vote-threshold: 1, read-pattern: fifo}
  steps:
  - read: [0, 512]
    faults: {c0: EIO}
    expect:
      ret: 0
      data: B
      requests: [c0 read 0 512, c1 read 0 512]
      events: [QUORUM_REPORT_BAD read c0 0 1 EIO]
- name: first child answers
  children: [A, B]
  quorum: {vote-threshold: 1, read-pattern: fifo}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: A, requests: [c0 read 0 512]}
"""
#: The data is not what the driver gives.
WRONG = """
- name: it is not so
  children: [A]
  quorum: {vote-threshold: 1}
  steps:
  - read: [0, 512]
    expect: {ret: 0, data: B, requests: all}
"""


def qsim(*words: str) -> Result:
    """Run ``qsim`` with these words; an exception that is no exit is a failure of the test."""
    result = CliRunner().invoke(cli.main, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def fixtures(tmp_path: Path, family_text: FamilyText, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two families in the place of those that ship."""
    folder = tmp_path / "fixtures"
    folder.mkdir()
    for family, cases in (("fifo", FIFO), ("wrong", WRONG)):
        text = family_text(cases).replace("family: example", f"family: {family}")
        (folder / f"{family}.yaml").write_text(text, "utf-8")
    monkeypatch.setattr("qsim.cli.common.fixtures_path", lambda: folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_version_is_that_of_the_package() -> None:
    result = qsim("--version")
    assert (result.exit_code, result.output) == (0, f"qsim, version {__version__}\n")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["run", "-h"], ["schema", "compare", "-h"]])
def test_help_is_no_error(words: list[str]) -> None:
    result = qsim(*words)
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")


# list


def test_list_names_every_shipped_case_and_where_it_stands(shipped_cases: list[Case]) -> None:
    result = qsim("list")
    assert result.exit_code == 0
    assert [line.split() for line in result.output.splitlines()] == [
        [case.id, f"{short_path(case.file)}:{case.line}"] for case in shipped_cases
    ]


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        ("fifo", ["fifo/second-child-answers", "fifo/first-child-answers"]),
        ("fifo/first-child-answers", ["fifo/first-child-answers"]),
        ("fixtures/fifo.yaml", ["fifo/second-child-answers", "fifo/first-child-answers"]),
        ("fixtures/fifo.yaml::first child answers", ["fifo/first-child-answers"]),
        (
            "fixtures",
            ["fifo/second-child-answers", "fifo/first-child-answers", "wrong/it-is-not-so"],
        ),
    ],
)
def test_list_takes_families_cases_files_folders_and_names_in_files(
    fixtures: Path, selector: str, ids: list[str]
) -> None:
    result = qsim("list", selector)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == ids


def test_list_of_several_selectors_is_in_their_order(fixtures: Path) -> None:
    result = qsim("list", "wrong", "fifo/first-child-answers")
    assert [line.split()[0] for line in result.output.splitlines()] == [
        "wrong/it-is-not-so",
        "fifo/first-child-answers",
    ]


@pytest.mark.parametrize("command", ["list", "run", "compare"])
@pytest.mark.parametrize(
    "selector", ["nosuch", "fifo/nosuch", "fixtures/fifo.yaml::nosuch", "nosuch.yaml", "fif"]
)
def test_selector_that_stands_for_nothing_is_a_usage_error(
    fixtures: Path, command: str, selector: str
) -> None:
    result = qsim(command, selector)
    assert result.exit_code == 2
    assert f"'{selector}' is no file, no FILE::NAME and no case; see 'qsim list'" in result.output


# run


def test_run_tells_the_story_on_the_model(fixtures: Path) -> None:
    result = qsim("run", "fifo/second-child-answers")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "fifo/second-child-answers (fixtures/fifo.yaml:5)"
    assert lines[1] == "model 7.2"
    story = [line.strip() for line in lines]
    for expected in ("asks c0 read 0 512", "<- c0 read: EIO", "ret 0", "data B:512"):
        assert expected in story
    assert story.index("asks c0 read 0 512") < story.index("asks c1 read 0 512")


def test_run_of_a_case_the_fixture_is_wrong_about_is_no_error(fixtures: Path) -> None:
    result = qsim("run", "wrong")
    assert result.exit_code == 0
    assert "data A:512" in result.output


def test_run_takes_a_revision(fixtures: Path) -> None:
    assert "\nmodel 10.0\n" in qsim("run", "fifo/first-child-answers", "--revision", "10.0").output


def test_run_with_trouble_says_so_and_ends_with_1(fixtures: Path, tmp_path: Path) -> None:
    text = (fixtures / "fifo.yaml").read_text("utf-8")
    (tmp_path / "a.yaml").write_text(
        text.replace("faults: {c0: EIO}", "complete: [c1, c0]"), "utf-8"
    )
    result = qsim("run", "a.yaml::second child answers")
    assert result.exit_code == 1
    assert re.search("^!! .*impossible schedule: c1 held no request", result.output, re.MULTILINE)


def test_run_needs_a_selector(fixtures: Path) -> None:
    result = qsim("run")
    assert result.exit_code == 2
    assert "name a case or a file, or say what is to be done" in result.output


@pytest.mark.parametrize("command", ["run", "compare"])
def test_unknown_revision_is_a_usage_error(fixtures: Path, command: str) -> None:
    result = qsim(command, "fifo", "--revision", "5.3")
    assert result.exit_code == 2
    names = ", ".join(one.name for one in REVISIONS)
    assert f"no revision '5.3'; there are: {names}" in result.output


def test_revision_can_be_named_by_its_commit(fixtures: Path) -> None:
    told = [
        qsim("run", "fifo", "--revision", name).output
        for name in ("v4-merged", "a9db86b223", "a9db86b")
    ]
    assert told[0] == told[1] == told[2]
    assert "model v4-merged" in told[0]


# compare


def test_compare_without_differences_ends_with_0(fixtures: Path) -> None:
    result = qsim("compare", "fifo")
    assert (result.exit_code, result.output) == (0, "2 cases, 0 differ (fixture, model 7.2)\n")


def test_compare_shows_each_difference_and_ends_with_1(fixtures: Path) -> None:
    result = qsim("compare")
    assert result.exit_code == 1
    assert "wrong/it-is-not-so: model 7.2 is not what the fixture says" in result.output
    assert re.search(r"fixture: +\S*wrong\.yaml:10\n", result.output)
    assert "behaviour: block/quorum.c example_function() (7.2)" in result.output
    assert "the fixture: B:512\n" in result.output
    assert "model 7.2: A:512\n" in result.output
    assert result.output.endswith("3 cases, 1 differ (fixture, model 7.2)\n")


def test_compare_says_how_to_run_just_this_again_and_that_works(fixtures: Path) -> None:
    first = qsim("compare", "wrong")
    (again,) = re.findall(r"^again: qsim compare '(.*)'$", first.output, re.MULTILINE)
    assert again == "fixtures/wrong.yaml::it is not so"
    second = qsim("compare", again)
    assert second.exit_code == 1
    assert f"again: qsim compare '{again}'" in second.output


def test_compare_leaves_out_cases_about_other_revisions(fixtures: Path, tmp_path: Path) -> None:
    text = (fixtures / "wrong.yaml").read_text("utf-8")
    (tmp_path / "a.yaml").write_text(text.replace("cases:", "since: '10.0'\ncases:"), "utf-8")
    assert qsim("compare", "a.yaml", "--revision", "10.0").exit_code == 1
    assert qsim("compare", "a.yaml", "--revision", "7.2").exit_code == 0


# What is wrong, in one line.


@pytest.mark.parametrize("command", ["list", "run", "compare"])
def test_scenario_that_is_wrong_is_one_line_with_file_line_and_key(
    fixtures: Path, command: str
) -> None:
    path = fixtures / "wrong.yaml"
    path.write_text(path.read_text("utf-8").replace("ret: 0", "rte: 0"), "utf-8")
    result = qsim(command, "fixtures/wrong.yaml")
    assert result.exit_code == 2
    assert result.output.startswith(
        "qsim: fixtures/wrong.yaml:10: cases[0].steps[0].expect: unknown key 'rte'; known here: "
    )
    assert len(result.output.splitlines()) == 1


def test_error_goes_to_stderr(fixtures: Path) -> None:
    (fixtures / "wrong.yaml").write_text("", "utf-8")
    result = qsim("list", "fixtures/wrong.yaml")
    assert result.stdout == ""
    assert result.stderr.startswith("qsim: fixtures/wrong.yaml: the file is empty")


#: Well formed, but not what the model can play: one case each.
OUTSIDE = {
    "another driver in a drive": "images: {a: A}, drive: 'driver=raw,file.filename=a'",
    "a drive without a driver": "images: {a: A}, drive: file=a",
    "an image without a file name": (
        "images: {a: A}, drive: 'driver=quorum,vote-threshold=1,children.0.x=y'"
    ),
    "another driver for a child": (
        "quorum: {vote-threshold: 1, children: [{driver: file, filename: x}]}"
    ),
    "a child defined in place without an export": (
        "quorum: {vote-threshold: 1, children: [{driver: nbd}]}"
    ),
    "a child defined in place with another export": (
        "quorum: {vote-threshold: 1, children: [{driver: nbd, export: other}]}"
    ),
    "another driver in a command": (
        "steps: [{qmp: {execute: blockdev-add, arguments: {driver: null-co, node-name: n}},"
        " expect: {}}]"
    ),
    "another export in a command": (
        "steps: [{qmp: {execute: blockdev-add, arguments: {driver: nbd, node-name: n,"
        " export: other}}, expect: {}}]"
    ),
    "a mirror of what is written from now on": (
        "spares: [c2], steps: [{qmp: {execute: blockdev-mirror, arguments: {job-id: j,"
        " device: q, target: c2, sync: none}}, expect: {}}]"
    ),
    "a mirror to a node that is in use": (
        "steps: [{qmp: {execute: blockdev-mirror, arguments: {job-id: j, device: q, target: c2,"
        " sync: full}}, expect: {}}]"
    ),
    "a command that would make a job pause": (
        "spares: [c2], steps: [{qmp: {execute: blockdev-mirror, arguments: {job-id: j,"
        " device: q, target: c2, sync: full}}, stop-after: c0 read, expect: {}},"
        " {qmp: {execute: x-blockdev-change, arguments: {parent: q, child: children.0}},"
        " expect: {}}]"
    ),
    "an argument the model does not take": (
        "steps: [{qmp: {execute: blockdev-mirror, arguments: {device: q, target: q, sync: full,"
        " speed: 1}}, expect: {}}]"
    ),
}


@pytest.mark.parametrize("case", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_scenario_outside_the_model_is_said_so_with_its_place(
    fixtures: Path, family_text: FamilyText, case: str
) -> None:
    if case.startswith("s"):
        case = f"quorum: {{vote-threshold: 1}}, {case}"
    (fixtures / "wrong.yaml").write_text(family_text(f"- {{name: a, {case}}}\n"), "utf-8")
    result = qsim("run", "fixtures/wrong.yaml")
    assert result.exit_code in (1, 2)
    assert re.search(r"fixtures/wrong\.yaml:\d+", result.output)


@pytest.mark.parametrize(
    ("binary", "message"),
    [
        ("/nosuch/qemu", "/nosuch/qemu does not exist; install qemu-system-x86"),
        ("nosuch-qemu", "nosuch-qemu does not exist"),
        ("/usr", "/usr is a folder; name the qemu-system binary in it"),
        ("/etc/passwd", "/etc/passwd is not executable"),
        ("/bin/true", "/bin/true ended with status 0 before it spoke QMP: it printed nothing"),
        ("/bin/ls", "/bin/ls ended with status 2 before it spoke QMP: /bin/ls: "),
    ],
)
def test_binary_that_cannot_be_used_is_one_line_and_3(
    fixtures: Path, tmpdir_here: Path, binary: str, message: str
) -> None:
    result = qsim("compare", "fifo", "--qemu", binary)
    assert result.exit_code == 3
    assert result.output.startswith(f"qsim: {message}")
    assert len(result.output.splitlines()) == 1
    assert os.listdir(tmpdir_here) == []


@pytest.mark.parametrize(
    "words", [["run", "fifo"], ["compare", "fifo"], ["schema", "compare"]], ids=" ".join
)
def test_every_command_that_takes_a_binary_ends_with_3_without_one(
    fixtures: Path, words: list[str]
) -> None:
    result = qsim(*words, "--qemu", "/nosuch")
    assert result.exit_code == 3
    assert result.output.startswith("qsim: /nosuch does not exist")


# series


def test_series_tells_every_version_every_patch_and_what_followed() -> None:
    result = qsim("series")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    for one in VERSIONS:
        assert one.name in lines
        for change in one.changes:
            assert f"  - {change}" in lines
        for number, patch in enumerate(one.patches, 1):
            after = f"state after it: --revision {patch.after}"
            (at,) = [i for i, line in enumerate(lines) if line.strip() == after]
            assert lines[at - 1].startswith(f"  {number}/{len(one.patches)} {patch.subject} (")
    for name in FOLLOWED:
        assert any(line.startswith(f"  {name}: ") for line in lines)
    assert lines.index("v1") < lines.index("v4") < lines.index("merged, and what followed")


def test_series_says_what_each_state_answers_and_what_nothing_determines() -> None:
    output = " ".join(qsim("series").output.split())
    v3, v4 = output.index("state after it: --revision v3-1"), output.index("--revision v4-1")
    takes = "schema takes read-pattern: {} driver takes read-pattern: {}"
    assert output.startswith(f"the tree before {takes.format('no', 'no')}")
    assert output.index(takes.format("no", "yes")) == v3 + len("state after it: --revision v3-1 ")
    assert output.index(takes.format("yes", "no")) == v4 + len("--revision v4-1 ")
    for one in REVISIONS:
        for text in one.unknown:
            assert f"? not determined: {text}" in output


def test_series_diff_of_states_nothing_tells_apart_shows_the_order_of_the_patches() -> None:
    result = qsim("series", "diff", "v3", "v4")
    assert result.exit_code == 0
    assert "after v3 1/2: the driver takes it, the schema does not\n" in result.output
    assert "after v4 1/2: the schema takes it, the driver does not\n" in result.output
    assert re.search(r"^v3 -> v4: 0 of \d+ scenarios come out differently$", result.output, re.M)


def test_series_diff_names_each_reason_its_source_and_its_scenarios() -> None:
    result = qsim("series", "diff", "v4", "v4-merged")
    assert result.exit_code == 0
    first, _, reason, source, *shown = result.output.splitlines()
    assert re.fullmatch(r"v4 -> v4-merged: [1-9]\d* of \d+ scenarios come out differently", first)
    assert reason == ERROR_WITHOUT_NEWLINE.name
    assert source == f"  ({ERROR_WITHOUT_NEWLINE.source})"
    assert shown[0].startswith("    2014-drive/pattern-there-is-not")
    named = re.findall(r"2014-[a-z0-9-]+/\S+?(?=,|$)", "\n".join(shown), re.MULTILINE)
    assert len(named) == len(set(named)) == int(first.split()[3])
    assert "no reason is known for" not in result.output


def test_series_diff_takes_scenarios_of_ones_own(fixtures: Path) -> None:
    result = qsim("series", "diff", "v4", "opts-freed", "fifo")
    assert result.exit_code == 0
    assert result.output.startswith("v4 -> opts-freed: 2 of 2 scenarios come out differently\n")
    text = " ".join(result.output.split())
    assert "fifo/first-child-answers end: leaks: opts of quorum_open() -> none" in text


def test_series_diff_between_releases_leaves_the_scenarios_of_2014_out(
    fixtures: Path, family_text: FamilyText
) -> None:
    cases = "- name: old\n  until: mid-2015\n  quorum: {vote-threshold: 1}\n"
    old = family_text(cases).replace("example", "old")
    (fixtures / "old.yaml").write_text(old, "utf-8")
    assert "7.2 -> 10.0: 0 of 3 " in qsim("series", "diff", "7.2", "10.0").output
    assert "v3 -> v4: 0 of 1 " in qsim("series", "diff", "v3", "v4").output
    assert "mid-2015 -> 7.2: 0 of 1 " in qsim("series", "diff", "mid-2015", "7.2").output


def test_series_diff_with_a_change_nobody_can_explain_ends_with_1(
    fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert qsim("series", "diff", "mid-2015", "7.2", "fifo").exit_code == 0
    monkeypatch.setattr(series_diff, "reasons", lambda case, found: [])
    result = qsim("series", "diff", "mid-2015", "7.2", "fifo")
    assert result.exit_code == 1
    assert "\nno reason is known for:\n    fifo/second-child-answers\n" in result.output


@pytest.mark.parametrize(
    "words", [["v4"], [], ["v4", "v5"], ["4", "v4"], ["v3", "v4", "no/such"]], ids=" ".join
)
def test_series_diff_needs_two_revisions_and_cases_there_are(words: list[str]) -> None:
    result = qsim("series", "diff", *words)
    assert result.exit_code == 2
    assert result.output.startswith("Usage: ")


# explore


def scenarios(output: str) -> list[str]:
    """The scenario files in what explore prints."""
    return re.findall(r"^# \d+\. .*\n((?:.+\n)+)", output, re.MULTILINE)


def test_explore_without_a_defect_ends_with_0(fixtures: Path) -> None:
    result = qsim("explore", "fifo", "wrong")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == (
        "3 cases, 3 executions, 4 states, 3 outcomes, 0 defects (model 7.2)"
    )


def test_explore_with_defects_ends_with_1_and_shows_each_as_a_scenario_that_runs(
    fixtures: Path, tmp_path: Path
) -> None:
    result = qsim("explore", "fifo", "--revision", "v4")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].endswith(" 2 defects (model v4)")
    assert re.findall(r"^# (.*)$", result.stdout, re.MULTILINE) == [
        "1. leak of opts of quorum_open()",
        "2. null dereference in bdrv_aio_cancel() from quorum_aio_cancel(): acb->aiocb_info",
    ]
    found = scenarios(result.stdout)
    assert len(found) == 2
    for text in found:
        path = tmp_path / "found.yaml"
        path.write_text(text, "utf-8")
        assert qsim("compare", str(path), "--revision", "v4").output.startswith("1 cases, 0 differ")
        # It is about that revision alone.
        assert qsim("compare", str(path), "--revision", "v3").output.startswith("0 cases, ")


def test_explore_without_cancelling_finds_less(fixtures: Path) -> None:
    result = qsim("explore", "fifo", "--revision", "v4", "--no-cancel")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].endswith(" 1 defects (model v4)")


def test_explore_of_nothing_in_particular_goes_through_the_small_world(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[Sequence[int], Sequence[str]]] = []

    def small(children: Sequence[int], patterns: Sequence[str]) -> list[Case]:
        asked.append((children, patterns))
        return grid((2,), patterns, [])

    monkeypatch.setattr("qsim.cli.explore.grid", small)
    for words in (
        ["--revision", "v1", "--children", "3"],
        ["--revision", "before", "--children", "2"],
        [],
    ):
        result = qsim("explore", *words)
        assert result.exit_code == (1 if words else 0)
        assert re.search(r"^\d+ cases, \d+ executions, .* \d defects", result.stdout, re.MULTILINE)
    assert asked == [
        ((3,), ("quorum", "single")),
        ((2,), ("quorum",)),
        ((2, 3), ("quorum", "fifo")),
    ]


def test_explore_takes_cases_of_several_steps(
    fixtures: Path, tmp_path: Path, family_text: FamilyText
) -> None:
    step = "{read: [0, 512], expect: {ret: 0, data: A, requests: all}}"
    cases = f"- name: a\n  quorum: {{vote-threshold: 1}}\n  steps: [{step}, {step}]\n"
    (tmp_path / "a.yaml").write_text(family_text(cases), "utf-8")
    shown = qsim("explore", "a.yaml").stdout
    assert "  1. by c0, c1, c2, c0, c1, c2\n" in shown
    assert shown.splitlines()[-1].endswith(" 1 outcomes, 0 defects (model 7.2)")


OPEN = """
- name: a
  children: 2
  quorum: {vote-threshold: 1}
  steps:
  - read: [0, 512]
    faults: {c0: "any of ok, EIO"}
    complete: any
    expect:
    - {ret: 0, data: A, requests: all}
"""
FAILED = "    - {ret: 0, data: A, requests: all, events: [QUORUM_REPORT_BAD read c0 0 1 EIO]}\n"
NEVER = "    - {ret: EIO, requests: all}\n"


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (FAILED, 0, "1 cases, 4 executions, 4 states, 2 outcomes, 0 defects (model 7.2)"),
        ("", 1, "NOT ALLOWED: read 0 512: events: none != QUORUM_REPORT_BAD read c0 0 1 EIO"),
        (FAILED + NEVER, 1, "a.yaml:15: allowed, and never comes"),
    ],
    ids=["all of it", "one is not allowed", "one never comes"],
)
def test_explore_tells_outcomes_that_are_not_allowed_and_those_that_never_come(
    fixtures: Path, tmp_path: Path, family_text: FamilyText, more: str, status: int, said: str
) -> None:
    (tmp_path / "a.yaml").write_text(family_text(OPEN + more), "utf-8")
    result = qsim("explore", "a.yaml")
    assert said in result.output
    assert result.exit_code == status


def test_explore_goes_on_from_its_checkpoint_and_says_when_a_bound_was_reached(
    fixtures: Path, tmp_path: Path, family_text: FamilyText
) -> None:
    (tmp_path / "a.yaml").write_text(family_text(OPEN + FAILED), "utf-8")
    whole = qsim("explore", "a.yaml")
    part = qsim("explore", "a.yaml", "--max-executions", "1", "--checkpoint", "c.json")
    assert part.exit_code == 5
    assert "NOT ALL WAYS ARE KNOWN, a bound was reached: example/a" in part.output
    done = qsim("explore", "a.yaml", "--checkpoint", "d.json")
    assert (done.exit_code, done.output) == (0, whole.output)
    # It is over, and says so again.
    assert qsim("explore", "a.yaml", "--checkpoint", "d.json").output == whole.output
    other = qsim("explore", "fifo", "--checkpoint", "d.json")
    assert other.exit_code == 2
    assert "d.json is of another exploration" in other.output


@pytest.mark.parametrize(
    "words", [["--revision", "5.3"], ["--children", "4"], ["no/such"]], ids=" ".join
)
def test_explore_of_what_there_is_not_is_a_usage_error(words: list[str]) -> None:
    result = qsim("explore", *words)
    assert result.exit_code == 2
    assert result.output.startswith("Usage: ")


def test_run_and_compare_tell_undefined_behaviour_and_leaks(fixtures: Path, tmp_path: Path) -> None:
    found = scenarios(qsim("explore", "fifo", "--revision", "v4").stdout)
    (tmp_path / "found.yaml").write_text(found[1], "utf-8")
    told = qsim("run", "found.yaml", "--revision", "v4")
    assert told.exit_code == 0
    text = "null dereference in bdrv_aio_cancel() from quorum_aio_cancel(): acb->aiocb_info"
    assert f"   undefined behaviour {text}\n" in told.output
    assert "     <- request 0: cancelled\n" in told.output
    (tmp_path / "found.yaml").write_text(found[1].replace("aiocb_info", "aiocb"), "utf-8")
    result = qsim("compare", "found.yaml", "--revision", "v4")
    assert result.exit_code == 1
    assert f"model v4: {text}\n" in result.output
    # Side by side: what it says first is the same.
    (row,) = re.findall(r"^> *undefined behaviour.*", result.output, re.MULTILINE)
    assert re.fullmatch(r"> undefined behaviour null .*\| undefined behaviour null .*", row)
    # The command that shows it again says which revision it is about.
    (again,) = re.findall(r"^again: qsim (.*)$", result.output, re.MULTILINE)
    assert shlex.split(again)[-2:] == ["--revision", "v4"]
    assert qsim(*shlex.split(again)).exit_code == 1


# schema


def test_schema_check_counts_the_definitions_of_the_shipped_schema() -> None:
    result = qsim("schema", "check")
    assert result.exit_code == 0
    assert re.fullmatch(
        re.escape(str(default_schema_path())) + r": \d+ definitions\n", result.output
    )


def test_schema_check_of_a_file_that_is_wrong_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("##\n# @A: x\n##\n{ 'struct': 'A', 'data': { 'x': 'nosuch' } }\n", "utf-8")
    result = qsim("schema", "check", str(path))
    assert result.exit_code == 2
    assert result.output.startswith(f"qsim: {path}:")
    assert len(result.output.splitlines()) == 1


def test_schema_check_of_a_file_that_is_not_there_is_one_line() -> None:
    result = qsim("schema", "check", "/nosuch.json")
    assert result.exit_code == 2
    assert result.output.startswith("qsim: /nosuch.json")
    assert len(result.output.splitlines()) == 1


def test_schema_compare_needs_a_binary() -> None:
    result = qsim("schema", "compare")
    assert result.exit_code == 2
    assert "Missing option '--qemu'" in result.output


def test_explore_that_is_interrupted_goes_on_to_the_same(
    fixtures: Path, tmp_path: Path, family_text: FamilyText, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(family_text(OPEN + FAILED), "utf-8")
    whole = qsim("explore", "a.yaml")
    runs = 0

    def interrupted(*arguments: Any) -> Outcome:
        nonlocal runs
        runs += 1
        if runs == 2:
            signal.raise_signal(signal.SIGINT)
        return run_model(*arguments)

    monkeypatch.setattr("qsim.explore.search.run_model", interrupted)
    part = qsim("explore", "a.yaml", "--checkpoint", "c.json")
    assert part.exit_code == 130
    assert "the same command goes on from c.json" in part.output
    rest = qsim("explore", "a.yaml", "--checkpoint", "c.json")
    assert (rest.exit_code, rest.output) == (0, whole.output)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: what it prints and the exit statuses it documents."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qsim import __version__, cli
from qsim.qapi import default_schema_path
from qsim.report.terminal import short_path
from qsim.scenario import Case

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
    monkeypatch.setattr(cli, "fixtures_path", lambda: folder)
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
    assert "Missing argument" in result.output


@pytest.mark.parametrize("command", ["run", "compare"])
def test_unknown_revision_is_a_usage_error(fixtures: Path, command: str) -> None:
    result = qsim(command, "fifo", "--revision", "5.2")
    assert result.exit_code == 2
    assert "'5.2' is not one of '7.2', '10.0'" in result.output


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
    "a mirror that would start": (
        "spares: [c2], steps: [{qmp: {execute: blockdev-mirror, arguments: {job-id: j,"
        " device: q, target: c2, sync: full}}, expect: {}}]"
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

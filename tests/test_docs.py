# SPDX-License-Identifier: GPL-2.0-or-later
"""What README and docs/ say can be done as it stands there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from qsim import cli
from qsim.quorum.revisions import REVISIONS, revision
from qsim.scenario import Case
from qsim.scenario.content import parse_content
from qsim.scenario.load import load_text
from qsim.scenario.notation import parse_fault

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = "```"


def code(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The code blocks of a page, fenced or indented, with the language of the fence."""
    language: str | None = None
    block: list[str] = []
    for line in [*page.read_text("utf-8").splitlines(), ""]:
        if line.startswith(FENCE):
            if language is not None:
                yield language, block
                language, block = None, []
            else:
                language = line.removeprefix(FENCE)
        elif language is not None:
            block.append(line)
        elif line.startswith("    "):
            block.append(line[4:])
        elif block and line:
            yield "", block
            block = []
        elif block:
            block.append("")
    if block:
        yield "", block


def commands(name: str) -> list[tuple[str, str]]:
    """Every command line that begins with ``name``, in blocks and in running text."""
    found = []
    for page in PAGES:
        lines = [line for _, block in code(page) for line in block]
        lines += re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))
        for line in lines:
            words = line.removeprefix("$ ").partition(" #")[0].rstrip()
            if words.startswith(f"{name} "):
                found.append((page.name, words))
    return sorted(set(found))


def leaves(group: click.Command) -> Iterator[click.Command]:
    """The commands that do something, a group among them that does without a subcommand."""
    if isinstance(group, click.Group):
        for command in group.commands.values():
            yield from leaves(command)
    if not isinstance(group, click.Group) or group.invoke_without_command:
        yield group


def test_there_are_commands_to_look_at() -> None:
    assert len(commands("qsim")) >= 3
    assert len(commands("pytest")) >= 3


@pytest.mark.parametrize(("page", "line"), commands("qsim"))
def test_qsim_command_is_one_that_click_takes(
    page: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []

    def call(**options: object) -> None:
        # A group is asked before its subcommand too.
        if click.get_current_context().invoked_subcommand is None:
            called.append(options)

    for command in leaves(cli.main):
        monkeypatch.setattr(command, "callback", call)
    result = CliRunner().invoke(cli.main, shlex.split(line)[1:])
    assert (result.exit_code, result.output) == (0, ""), f"{page}: {line}"
    assert len(called) == 1


@pytest.mark.parametrize(("page", "line"), commands("pytest"))
def test_pytest_command_has_options_there_are(
    page: str, line: str, pytester: pytest.Pytester
) -> None:
    config = pytester.parseconfig(*shlex.split(line)[2:])
    assert config.option is not None


def test_cases_that_are_named_exist(shipped_cases: list[Case]) -> None:
    ids = {case.id for case in shipped_cases} | {case.family for case in shipped_cases}
    for page, line in commands("qsim"):
        for word in shlex.split(line)[2:]:
            if re.fullmatch(r"[a-z-]+/[A-Za-z0-9,.+-]+", word):
                assert word in ids, f"{page}: {line}"


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = {line.split()[1] for _, line in commands("make")}
    assert {"conformance", "check"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in link:
            assert (page.parent / link).exists(), link
    for path in re.findall(r"`((?:qsim|schema|fixtures|docs|conformance)/[\w./-]+\.\w+)`", text):
        assert (ROOT / path).exists(), path


def test_functions_stand_in_the_files_the_model_page_names() -> None:
    table = re.findall(r"^\| (.*) \| (.*) \|$", (ROOT / "docs/model.md").read_text("utf-8"), re.M)
    looked_at = 0
    for functions, files in table:
        paths = re.findall(r"`(qsim/quorum/\w+\.py)`", files)
        text = "".join((ROOT / path).read_text("utf-8") for path in paths)
        for function in re.findall(r"`((?:quorum|read|write|bdrv)_[\w*]+)`", functions):
            if paths:
                looked_at += 1
                assert re.search(function.replace("*", r"\w+"), text), (function, paths)
    assert looked_at >= 20


def test_story_in_the_readme_is_the_one_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    blocks = [block for _, block in code(ROOT / "README.md") if block[0].startswith("$ qsim run")]
    assert blocks
    for block in blocks:
        result = CliRunner().invoke(cli.main, shlex.split(block[0])[2:])
        told = result.output.splitlines()
        assert told == [line for line in block[1:] if line]


def test_case_in_the_readme_is_in_the_fixture_it_names() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(r"`(fixtures/\w+\.yaml)` has this one:\n\n```yaml\n(.*?)```", text, re.S)
    assert found
    assert found[2] in (ROOT / found[1]).read_text("utf-8")


def spans(title: str) -> list[str]:
    """The code spans of a paragraph of the scenario page."""
    text = (ROOT / "docs/scenarios.md").read_text("utf-8")
    (paragraph,) = re.findall(rf"^\*\*{title}\*\*(.*?)\n\n", text, re.DOTALL | re.MULTILINE)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", paragraph)]


def test_contents_in_the_docs_are_understood() -> None:
    examples = [span for span in spans("Contents") if span != ":BYTES"]
    assert len(examples) >= 6
    for text in examples:
        # One that does not take the rest is followed by one that does.
        ends = ":" in text.split()[-1] or text.startswith("hex=")
        parse_content(f"{text} A" if ends else text, 64 * 1024)


def test_faults_in_the_docs_are_understood() -> None:
    examples = spans("Faults")
    assert len(examples) >= 5
    for text in examples:
        parse_fault(text)


def test_example_of_a_family_in_the_docs_has_the_keys_there_are() -> None:
    blocks = [block for language, block in code(ROOT / "docs/scenarios.md") if language == "yaml"]
    assert blocks
    for block in blocks:
        text = "\n".join(block).replace("{...}", "{}")
        load_text("docs.yaml", text, [one.name for one in REVISIONS])


@pytest.mark.parametrize(
    "block",
    [block for _, block in code(ROOT / "docs" / "series.md") if block[0].startswith("$ qsim ")],
    ids=lambda block: block[0],
)
def test_what_series_md_shows_is_what_is_printed(
    block: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(cli.main, shlex.split(block[0])[2:])
    assert result.exit_code == 0
    assert result.output.rstrip().splitlines() == [line.rstrip() for line in block[1:]]


def test_the_changes_of_six_years_are_explained() -> None:
    text = (ROOT / "docs" / "six-years.md").read_text("utf-8")
    for switch in revision("5.2").switches ^ revision("11.1").switches:
        # The first words of a reason are in the table; the report has all of them.
        head = re.split(r"[,:]| and what| with the flags| with both", switch.name)[0]
        assert head in text, switch.name


def test_what_campaigns_have_found_is_held_by_fixtures_that_there_are(
    shipped_cases: list[Case],
) -> None:
    text = (ROOT / "docs" / "exploring.md").read_text("utf-8")
    table = text.partition("### What it has found")[2].partition("\n## ")[0]
    named = re.findall(r"`([a-z0-9-]+/[^`]+)`", table)
    assert len(named) >= 10
    assert set(named) <= {case.id for case in shipped_cases}
    files = re.findall(r"tests/[a-z_0-9/]+\.py", table)
    assert all((ROOT / name).is_file() for name in files)

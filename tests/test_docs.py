# SPDX-License-Identifier: GPL-2.0-or-later
"""What README and docs/ say can be done as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import qsim
from qsim import cli
from qsim.quorum.revisions import REVISIONS, revision
from qsim.scenario import Case
from qsim.scenario.content import parse_content
from qsim.scenario.load import load_text
from qsim.scenario.notation import parse_fault
from tools.pages import Shell, Shown, code, joined, sessions

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: The blocks that no test types, of all that have a ``$``, each to its last command; and why.
BY_HAND = {
    (
        "git clone URL qsim",
        "cd qsim",
        "python3 -m venv .venv",
        ".venv/bin/pip install --quiet --editable .",
        ". .venv/bin/activate",
    ): "python -m tools.newcomer types it, and all that follows on its page",
    (
        "pytest conformance --qemu=./qemu-v4/x86_64-softmmu/qemu-system-x86_64",
    ): "needs a QEMU built from the series",
    (
        "qsim fuzz --qemu /usr/bin/qemu-system-x86_64 --count 1000 --seed 7",
        "pytest conformance --qemu=/usr/bin/qemu-system-x86_64 --fuzz=1000 --seed=7",
    ): "takes minutes",
    ("qsim claims --qemu /usr/bin/qemu-system-x86_64",): "takes minutes, and no two are alike",
    ("python -m tools.releases unpack",): "needs a mirror of Debian",
    ("qsim compare bad.yaml",): "there is no such file",
}
#: A page is played on this one; ``QSIM_QEMU`` does not change what it says.
QEMU = "/usr/bin/qemu-system-x86_64"
#: The revision that docs/extending.md adds; test_extending_page.py follows that page.
ADDED = "my-tree"


def commands(name: str) -> list[tuple[str, str]]:
    """Every command line that begins with ``name``, in blocks and in running text."""
    found = []
    for page in PAGES:
        lines = [line for _, block in code(page) for line in typable(block)]
        lines += re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))
        for line in lines:
            words = line.removeprefix("$ ").replace("\\\n", "").partition(" #")[0].rstrip()
            if words.startswith(f"{name} ") and ADDED not in words:
                found.append((page.name, words))
    return sorted(set(found))


def typable(block: list[str]) -> list[str]:
    """The lines of a block that somebody may type: with prompts only those that have one."""
    prompted = block[0].startswith("$ ")
    return [line for line in joined(block) if line.startswith("$ ") or not prompted]


def leaves(group: click.Command) -> Iterator[click.Command]:
    """The commands that do something, a group among them that does without a subcommand."""
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
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
    words = shlex.split(line)[1:]
    result = CliRunner().invoke(cli.main, words)
    if "--help" in words:
        assert result.output.startswith("Usage: "), f"{page}: {line}"
        return
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
            if re.fullmatch(r"(?!fixtures/)[a-z-]+/[A-Za-z0-9,.+-]+", word):
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


SESSIONS = [
    (page, session) for page in PAGES if page.name != "extending.md" for session in sessions(page)
]


def typed(session: list[Shown]) -> tuple[str, ...]:
    return tuple(shown.command for shown in session)


def test_what_no_test_types_is_on_a_page() -> None:
    assert BY_HAND.keys() <= {typed(session) for _, session in SESSIONS}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What qsim looks at of a checkout, to be written into; the commands are those under test."""
    for name in ("conformance", "fixtures"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(
    ("page", "session"),
    [(page, session) for page, session in SESSIONS if typed(session) not in BY_HAND],
    ids=lambda value: value.name if isinstance(value, Path) else value[0].command,
)
def test_what_a_page_shows_is_what_is_printed(
    page: Path,
    session: list[Shown],
    checkout: Path,
    find_qemu: Callable[[Mapping[str, str]], str],
) -> None:
    if any(QEMU in shown.command or "sh retry.sh" in shown.command for shown in session):
        find_qemu({name: value for name, value in os.environ.items() if name != "QSIM_QEMU"})
    environ = dict(os.environ)
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    environ["PYTHONPATH"] = str(Path(qsim.__file__).parent.parent)
    with Shell(checkout, environ) as shell:
        for shown in session:
            told = shell.enter(shown.command)
            if not shown.agrees(told):
                assert told == [*shown.output], f"{page.name}: {shown.command}"
                pytest.fail(f"{page.name}: {shown.command}")


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


def test_the_changes_of_six_years_are_explained() -> None:
    text = (ROOT / "docs" / "six-years.md").read_text("utf-8")
    for switch in revision("5.2").switches ^ revision("11.1").switches:
        # The first words of a reason are in the table; the report has all of them.
        head = re.split(r"[,:]| and what| with the flags| with both", switch.name)[0]
        assert head in text, f"docs/six-years.md has no row with these words on a line: {head}"


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

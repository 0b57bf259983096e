# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that README and docs/ show, and what they show of their output."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

FENCE = "```"
PROMPT = "$ "
#: Stands on a page, on a line of its own, for lines that are left out.
LEFT_OUT = "..."

#: What is another for each reader, and may: the commit and the version it is at, and of QEMU the
#: last digits that a distribution gives it.
THEIRS = (
    (re.compile(r"\bqsim \d+(?:\.\w+)*(, commit\n?[# ]*[0-9a-f]{10})?"), "qsim VERSION"),
    (re.compile(r"\bQEMU (\d+\.\d+)\.\d+"), r"QEMU \1"),
)


@dataclass(frozen=True)
class Shown:
    """A command as a page has it, over several lines perhaps, and the output below it."""

    command: str
    output: tuple[str, ...]

    def agrees(self, told: Sequence[str]) -> bool:
        """Whether ``told`` is what the page shows."""
        parts = re.split(rf"^{re.escape(LEFT_OUT)}\n", _theirs(self.output), flags=re.MULTILINE)
        return bool(re.fullmatch("(?:.*\n)*?".join(map(re.escape, parts)), _theirs(told)))


def _theirs(lines: Sequence[str]) -> str:
    text = "".join(f"{line.rstrip()}\n" for line in lines)
    for pattern, name in THEIRS:
        text = pattern.sub(name, text)
    return text


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
                if block:
                    yield "", block
                    block = []
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


def joined(lines: Sequence[str]) -> Iterator[str]:
    """Lines, those that end in a backslash with the next."""
    whole: list[str] = []
    for line in lines:
        whole.append(line)
        if not line.endswith("\\"):
            yield "\n".join(whole)
            whole = []
    if whole:
        yield "\n".join(whole)


def sessions(page: Path) -> list[list[Shown]]:
    """What a page types, block by block.  A block that does not begin with a prompt has none."""
    return [list(_shown(block)) for _, block in code(page) if block[0].startswith(PROMPT)]


def _shown(block: Sequence[str]) -> Iterator[Shown]:
    command = ""
    output: list[str] = []
    for line in [*joined(block), PROMPT]:
        if not line.startswith(PROMPT):
            output += line.split("\n")
            continue
        if command:
            yield Shown(command, tuple(_trimmed(output)))
        command, output = line.removeprefix(PROMPT), []


class Shell:
    """A bash in a folder, given one command after the other."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def enter(self, command: str) -> list[str]:
        """What a command prints, errors among it, without empty lines at its end.

        :raise EOFError: when it ends the shell.
        """
        bash = self._bash
        assert bash.stdin and bash.stdout
        # In braces it is still this shell that it changes, and it cannot read what we type next.
        bash.stdin.write(f"{{ {command}\n}} </dev/null\nprintf '\\n\\036\\n'\n")
        bash.stdin.flush()
        lines: list[str] = []
        for line in bash.stdout:
            if line == "\036\n":
                return _trimmed(lines)
            lines.append(line.rstrip("\n"))
        raise EOFError(f"the shell ended in: {command}")

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bash.communicate()


def _trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines

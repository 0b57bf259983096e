# SPDX-License-Identifier: GPL-2.0-or-later
"""What a page shows is read as it stands, and held against what is printed to the letter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.pages import Shell, Shown, sessions
from tools.sitehook import FETCHED

PAGE = """\
Text, and `$ no command`.

    $ a=1; echo one \\
        two
    one two

    $ cat; echo $a >&2; false

    1

    no command

```
$ echo fenced
fenced
```

    python -m something
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "page.md"
    file.write_text(PAGE)
    return file


def test_blocks_are_sessions_of_commands_and_their_output(page: Path) -> None:
    assert sessions(page) == [
        [
            Shown("a=1; echo one \\\n    two", ("one two",)),
            Shown("cat; echo $a >&2; false", ("", "1", "", "no command")),
        ],
        [Shown("echo fenced", ("fenced",))],
    ]


def test_a_shell_remembers_and_keeps_its_input_from_commands(page: Path) -> None:
    first, second = sessions(page)[0]
    with Shell(page.parent, os.environ) as shell:
        assert first.agrees(shell.enter(first.command))
        assert shell.enter(second.command) == ["1"]
        assert not second.agrees(["1"])
        assert shell.enter("cd /; pwd; printf x") == ["/", "x"]
        assert shell.enter("pwd") == ["/"]
        with pytest.raises(EOFError, match="the shell ended in: exit 3"):
            shell.enter("exit 3")


@pytest.mark.parametrize(
    ("output", "told", "agrees"),
    [
        (["a", "b"], ["a", "b  "], True),
        (["a", "b"], ["a"], False),
        (["a"], ["a", "b"], False),
        (["a", "...", "d"], ["a", "b", "c", "d"], True),
        (["a", "...", "d"], ["a", "d"], True),
        (["a", "...", "d"], ["a", "b", "c"], False),
        (["..."], [], True),
        (["a.c"], ["abc"], False),
        (["QEMU 7.2.22"], ["QEMU 7.2.9"], True),
        (["QEMU 7.2.22"], ["QEMU 8.0.2"], False),
        (["qsim 0.1.0, commit 0123456789"], ["qsim 0.2.0"], True),
        (["# by qsim 0.1.0, commit", "# 0123456789."], ["# by qsim 0.1.0."], True),
    ],
)
def test_only_what_is_left_out_or_is_the_readers_may_differ(
    output: list[str], told: list[str], agrees: bool
) -> None:
    assert Shown("", tuple(output)).agrees(told) is agrees


def test_what_a_browser_fetches_from_elsewhere_is_found() -> None:
    assert FETCHED.findall('<script async src="https://a.b/c.js">') == ["https://a.b/c.js"]
    assert FETCHED.findall("<link rel=x href=//a.b/c.css>") == ["//a.b/c.css"]
    assert not FETCHED.findall('<a href="https://a.b/">, <img src="img/x.png">')

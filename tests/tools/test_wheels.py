# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder of wheels is whole for the Python it is meant for, not for the one that made it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools import wheels


def wheel(folder: Path, name: str, *requires: str) -> Path:
    """A wheel with nothing in it but what it requires."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"]
    lines += [f"Requires-Dist: {one}\n" for one in requires]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", "".join(lines))
    return path


@pytest.mark.parametrize(
    ("python", "lacks"), [("3.11", ["typing-extensions>=4.4"]), ("3.12.3", []), ("3.13", [])]
)
def test_markers_are_those_of_the_other_python(
    python: str, lacks: list[str], tmp_path: Path
) -> None:
    wheel(tmp_path, "qsim", "qemu.qmp>=0.0.3", 'ruff; extra == "dev"')
    wheel(tmp_path, "qemu_qmp", 'typing-extensions>=4.4; python_version < "3.12"')
    assert wheels.missing(tmp_path, python) == lacks


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """How pip was called; it builds qsim, and downloads what it is asked for and no more."""
    called: list[list[str]] = []

    def run(*words: str) -> None:
        called.append(list(words))
        if words[0] == "wheel":
            folder = next(word for word in words if word.startswith("--wheel-dir="))
            wheel(Path(folder.partition("=")[2]), "qsim", "rich>=13.0", 'old; python_version<"3.9"')
        elif words[-1].startswith("rich"):
            folder = next(word for word in words if word.startswith("--dest="))
            wheel(Path(folder.partition("=")[2]), "rich")

    monkeypatch.setattr(wheels, "_pip", run)
    return called


def test_options_go_to_pip_and_what_lacks_is_fetched(pip: list[list[str]], tmp_path: Path) -> None:
    folder = tmp_path / "w"
    options = ["--python-version=3.13", "--platform=manylinux2014_x86_64", "--platform=any"]
    result = CliRunner().invoke(wheels.main, [f"--folder={folder}", *options])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == f"2 wheels for Python 3.13 in {folder}:"
    build, download, rest = pip
    assert build[-1] == str(wheels.ROOT)
    assert download[-1] == str(folder / "qsim-1.0-py3-none-any.whl")
    assert rest[-1] == "rich>=13.0"
    for words in (download, rest):
        assert words[0] == "download"
        assert set(options) < set(words)
        assert "--only-binary=:all:" in words


def test_this_machine_is_the_default(pip: list[list[str]], tmp_path: Path) -> None:
    assert CliRunner().invoke(wheels.main, [f"--folder={tmp_path}"]).exit_code == 0
    assert not [word for words in pip for word in words if word.startswith(("--py", "--pl"))]


def test_version_without_a_dot_is_refused(pip: list[list[str]]) -> None:
    result = CliRunner().invoke(wheels.main, ["--python-version=313"])
    assert result.exit_code == 2
    assert "'313' is not like 3.13" in result.stderr
    assert pip == []

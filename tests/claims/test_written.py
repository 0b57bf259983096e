# SPDX-License-Identifier: GPL-2.0-or-later
"""``qsim claims``: what is written, what is said, and how it ends."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from errno import ENOSPC
from pathlib import Path

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

from qsim import cli
from qsim.claims import parts, written
from qsim.claims.finding import Finding, Holds, Plot, Table, Verdict
from qsim.claims.written import write
from qsim.target.error import NotUsable

FINDING = Finding(
    verdicts=[Verdict("it is so", Holds.IF, "1 ms", "it is asked")],
    tables=[Table("numbers", ("what", "time_ms"), (("a, b", 1.5), ("c", 2)))],
    plots=[Plot("line", lambda figure: figure.add_subplot().plot([1, 2], [3, 4]) and None)],
)


def test_tables_and_plots_are_written_and_the_same_each_time(tmp_path: Path) -> None:
    files = write(FINDING, tmp_path / "a" / "b")
    assert [path.name for path in files] == ["numbers.csv", "line.svg", "line.png"]
    rows = list(csv.reader(files[0].open(encoding="utf-8", newline="")))
    assert rows == [["what", "time_ms"], ["a, b", "1.5"], ["c", "2"]]
    again = write(FINDING, tmp_path / "c")
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in again]
    assert sorted(files) == sorted((tmp_path / "a" / "b").iterdir())


def test_what_is_interrupted_leaves_what_was_there(tmp_path: Path) -> None:
    def interrupted(path: Path, **_: object) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    def draw(figure: Figure) -> None:
        figure.savefig = interrupted  # type: ignore[method-assign]

    write(FINDING, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        write(Finding(plots=[Plot("line", draw)]), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("filename", [None, "a"])
def test_a_file_that_cannot_be_written_is_named_as_its_user_knows_it(
    filename: str | None, tmp_path: Path
) -> None:
    def draw(figure: Figure) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(ENOSPC, "No space left on device", filename)

        figure.savefig = full  # type: ignore[method-assign]

    with pytest.raises(OSError, match="No space left") as caught:
        write(Finding(plots=[Plot("line", draw)]), tmp_path)
    assert caught.value.filename == str(tmp_path / "line.svg")
    # Renamed to what is a folder.
    (tmp_path / "numbers.csv").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write(FINDING, tmp_path)
    assert caught.value.filename == str(tmp_path / "numbers.csv")


def test_a_line_for_each_claim_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = parts.Part(lambda: 1, lambda asked, tell: FINDING)
    monkeypatch.setitem(parts.PARTS, "reading", one)
    result = CliRunner().invoke(cli.main, ["claims", "reading", "--out", str(tmp_path)])
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == (
        "it is so: holds under a condition (it is asked): 1 ms"
    )


def test_a_difference_is_told_last_and_is_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Finding(differences=["c0 was asked twice"], differing="1 of 37 settings")
    more = Finding(FINDING.verdicts, differences=["one", "two"])
    monkeypatch.setitem(parts.PARTS, "reading", parts.Part(lambda: 1, lambda asked, tell: wrong))
    monkeypatch.setitem(parts.PARTS, "safety", parts.Part(lambda: 1, lambda asked, tell: more))
    monkeypatch.setitem(parts.PARTS, "availability", parts.Part(lambda: 1, lambda *_: FINDING))
    result = CliRunner().invoke(cli.main, ["claims", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.splitlines()[-6:] == [
        *[str(FINDING.verdicts[0])] * 2,
        "DIFFERS: c0 was asked twice",
        "DIFFERS: one",
        "DIFFERS: two",
        "3 differences: 1 in reading (1 of 37 settings), 2 in safety",
    ]
    result = CliRunner().invoke(cli.main, ["claims", "reading", "--out", str(tmp_path)])
    assert result.output.splitlines()[-1] == "1 difference: 1 in reading (1 of 37 settings)"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "qsim: interrupted"),
        (NotUsable("it has died"), 3, "qsim: it has died"),
        (OSError(ENOSPC, "No space left on device", "a.csv"), 2, "qsim: a.csv: No space left"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_earlier_parts_have_found_is_told_when_a_later_one_ends_it(
    error: BaseException,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ends(asked: parts.Asked, tell: object) -> Finding:
        raise error

    monkeypatch.setitem(parts.PARTS, "reading", parts.Part(lambda: 1, lambda asked, tell: FINDING))
    monkeypatch.setitem(parts.PARTS, "safety", parts.Part(lambda: 1, ends))
    result = CliRunner().invoke(cli.main, ["claims", "--out", str(tmp_path)])
    assert result.exit_code == status
    assert result.stdout.splitlines()[-1] == str(FINDING.verdicts[0])
    assert result.stderr.startswith(said)
    # Nothing is said of nothing.
    result = CliRunner().invoke(cli.main, ["claims", "safety", "--out", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (status, "")


def test_a_missing_library_is_named_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "LIBRARIES", ("numpy", "nosuchlibrary"))
    result = CliRunner().invoke(cli.main, ["claims"])
    assert result.exit_code == 2
    assert "nosuchlibrary: not installed; pip install 'qsim[claims]'" in result.output


def test_help_needs_none_of_them() -> None:
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in written.LIBRARIES)
    code = f"import sys; {blocked}from qsim.cli import main; main(['claims', '--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "qsim claims" in done.stdout


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parts.PARTS, "reading", parts.Part(lambda: 1, lambda asked, tell: FINDING))
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "below"
    result = CliRunner().invoke(cli.main, ["claims", "reading", "--out", str(place)])
    assert result.exit_code == 2
    assert f"{place}: Not a directory" in result.output


def work(asked: parts.Asked, tell: object) -> Finding:
    raise AssertionError("worked")


def test_it_is_named_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parts.PARTS, "reading", parts.Part(lambda: 1, work))
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "below"
    result = CliRunner().invoke(cli.main, ["claims", "reading", "--out", str(place)])
    assert result.exit_code == 2


def test_a_folder_nobody_may_write_to_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parts.PARTS, "reading", parts.Part(lambda: 1, work))
    # Root may write anywhere.
    access = os.access
    monkeypatch.setattr(
        os,
        "access",
        lambda path, mode: (
            access(path, mode) and not (str(path) == str(tmp_path) and mode & os.W_OK)
        ),
    )
    result = CliRunner().invoke(cli.main, ["claims", "reading", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "is not writable" in result.output


@pytest.mark.parametrize("name", parts.PARTS)
def test_a_binary_that_cannot_be_used_is_named_before_any_work(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parts.PARTS, name, parts.Part(lambda: 1, work))
    place, qemu = tmp_path / "out", tmp_path / "no-such-qemu"
    result = CliRunner().invoke(
        cli.main, ["claims", name, "--qemu", str(qemu), "--out", str(place)]
    )
    assert result.exit_code == 3
    assert result.output.startswith(f"qsim: {qemu} does not exist; ")
    # One that can be started and is none, and a variable of a script that is not set.
    for other in ("true", ""):
        arguments = ["claims", name, "--qemu", other, "--out", str(place)]
        assert CliRunner().invoke(cli.main, arguments).exit_code == 3
    assert not place.exists()


def test_a_part_that_is_named_twice_is_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parts.PARTS, "reading", parts.Part(lambda: 1, lambda asked, tell: FINDING))
    result = CliRunner().invoke(cli.main, ["claims", "reading", "reading", "--out", str(tmp_path)])
    assert result.output.count("it is so: ") == 1


def test_a_seed_below_zero_is_refused() -> None:
    # NumPy takes none.
    result = CliRunner().invoke(cli.main, ["claims", "availability", "--seed", "-5"])
    assert result.exit_code == 2
    assert "-5 is not in the range x>=0" in result.output


def test_an_unknown_part_is_refused() -> None:
    result = CliRunner().invoke(cli.main, ["claims", "writing"])
    assert result.exit_code == 2
    assert "'writing' is not" in result.output

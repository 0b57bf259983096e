# SPDX-License-Identifier: GPL-2.0-or-later
"""Releases side by side: unpacked once, whole or not at all, and run as the process one started."""

from __future__ import annotations

import fcntl
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.catalogue import PLAYS, PROGRAMS, RELEASES, Release
from tools.error import ToolError
from tools.tree import LOADERS, inside, loader
from tools.unpack import check_machine, command, default_folder, unpack

ROOT = Path(__file__).parent.parent.parent
BOOKWORM = next(release for release in RELEASES if release.suite == "bookworm")
SID = next(release for release in RELEASES if release.suite == "sid")

Calls = Callable[[], list[str]]


#: Another process finds out for itself where it runs.
on_x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="refused on this machine")


def start(folder: Path) -> subprocess.Popen[str]:
    """``unpack 7.2`` as another process."""
    words = [sys.executable, "-m", "tools.releases", "unpack", "7.2", f"--folder={folder}"]
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("program", PROGRAMS)
def test_wrapper_becomes_the_program_with_its_own_libraries_and_modules(
    program: str, calls: Calls, tmp_path: Path
) -> None:
    folder = tmp_path / "with a blank"
    unpacked = unpack(BOOKWORM, folder, print)
    assert (unpacked.version, unpacked.bin) == ("7.2.9", folder / "bin" / "7.2")
    process = subprocess.Popen(
        [unpacked.bin / program, "a b", "c"], stdout=subprocess.PIPE, text=True
    )
    pid, modules, libraries, arguments = process.communicate()[0].rstrip("\n").split("|")
    assert int(pid) == process.pid
    tree = folder / "trees" / "bookworm"
    assert modules == f"{tree}/usr/lib/x86_64-linux-gnu/qemu"
    assert libraries.split(":") == [
        f"{tree}/usr/lib/x86_64-linux-gnu",
        f"{tree}/lib/x86_64-linux-gnu",
        f"{tree}/usr/lib/x86_64-linux-gnu/pulseaudio",
    ]
    assert arguments == "a b c"


def test_what_is_there_is_used_again(calls: Calls, tmp_path: Path) -> None:
    first = unpack(BOOKWORM, tmp_path, print)
    script = first.bin / PROGRAMS[0]
    before = script.stat().st_ino
    assert unpack(BOOKWORM, tmp_path, print) == first
    assert len(calls()) == 1
    assert script.stat().st_ino == before


def test_wrappers_of_a_folder_that_was_moved_are_written_anew(calls: Calls, tmp_path: Path) -> None:
    unpack(BOOKWORM, tmp_path / "a", print)
    (tmp_path / "a").rename(tmp_path / "b")
    moved = unpack(BOOKWORM, tmp_path / "b", print)
    assert str(tmp_path / "a/") not in (moved.bin / PROGRAMS[0]).read_text("utf-8")
    assert len(calls()) == 1


def test_what_an_interrupted_call_has_left_is_not_taken_for_a_release(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE", "touch $tree/stale; kill -9 $$")
    with pytest.raises(ToolError, match="status -9"):
        unpack(BOOKWORM, tmp_path, print)
    assert not (tmp_path / "trees" / "bookworm").exists()
    monkeypatch.setenv("FAKE", "")
    unpack(BOOKWORM, tmp_path, print)
    assert len(calls()) == 2
    assert not (tmp_path / "trees" / "bookworm" / "stale").exists()
    assert not (tmp_path / "trees" / "bookworm.part").exists()


def test_failure_says_why_and_what_to_do(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE", "echo I: well; echo E: no such mirror >&2; exit 25")
    with pytest.raises(ToolError) as caught:
        unpack(SID, tmp_path, print)
    text = str(caught.value)
    assert "status 25: E: no such mirror\n" in text
    assert f"all it said: {tmp_path}/trees/sid.log" in text
    assert "a mirror of Debian that can be reached and 200 MB" in text
    assert "by hand: mmdebstrap " in text
    assert text.endswith(" sid /tmp/try")


def test_without_mmdebstrap_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="as root: apt-get install mmdebstrap"):
        unpack(BOOKWORM, tmp_path, print)


def test_folder_that_cannot_be_written(calls: Calls, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ToolError, match=r"file/trees: Not a directory; name another folder"):
        unpack(BOOKWORM, tmp_path / "file", print)
    with pytest.raises(ToolError, match="takes no path with a colon"):
        unpack(BOOKWORM, tmp_path / "a:b", print)


def test_release_that_does_not_run_here_says_so(calls: Calls, tmp_path: Path) -> None:
    unpacked = unpack(BOOKWORM, tmp_path, print)
    tree = tmp_path / "trees" / "bookworm"
    (tree / "usr/bin/qemu-img").write_text("echo no kernel like this >&2; exit 1\n", "utf-8")
    with pytest.raises(ToolError, match=f"qemu-img of {tree} does not run here: no kernel like"):
        unpack(BOOKWORM, tmp_path, print)
    (tree / "usr/bin/qemu-img").unlink()
    with pytest.raises(ToolError, match=f"{tree} has no qemu-img; remove it"):
        unpack(BOOKWORM, tmp_path, print)
    assert unpacked.bin.is_dir()


def test_suite_that_has_moved_on_is_called_what_it_is(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSION", "12.0.1")
    said: list[str] = []
    unpacked = unpack(SID, tmp_path, said.append)
    assert unpacked.bin == tmp_path / "bin" / "12.0"
    assert said[-1] == "sid has QEMU 12.0.1, not 11.1: see tools/catalogue.py"


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
@pytest.mark.parametrize(("user", "mode"), [(0, "root"), (1000, "chrootless")])
def test_no_mirror_is_named_and_nobody_needs_to_be_root(
    release: Release, user: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    words = command(release, Path("/tree"))
    assert words[-2:] == [release.suite, "/tree"]
    assert f"--mode={mode}" in words
    assert all(word.startswith("--") for word in words[1:-2])
    assert "://" not in "".join(words)
    dated = '--aptopt=Acquire::Check-Valid-Until "false"' in words
    assert dated == (release.suite == "sid")


@pytest.mark.parametrize(("system", "machine"), [("linux", "aarch64"), ("darwin", "x86_64")])
def test_other_machines_are_refused(
    system: str, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(ToolError, match=rf"for Linux on x86_64, .* on {machine}; point the suite"):
        check_machine()


def test_default_folder_is_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert default_folder() == Path("/cache/qsim/releases")
    for none in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", none)
        assert default_folder() == Path("/home/me/.cache/qsim/releases")


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("target", ["/opt/ld-9.so", "../opt/ld-9.so", "../../opt/ld-9.so", ""])
def test_loader_is_the_one_inside_the_tree(name: str, target: str, tmp_path: Path) -> None:
    link = tmp_path / name
    link.parent.mkdir(parents=True)
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "ld-9.so").touch()
    depth = len(Path(name).parts) - 1
    if not target:
        link.touch()
        assert loader(tmp_path) == link
    elif target.startswith("/") or target.count("..") == depth:
        link.symlink_to(target)
        assert loader(tmp_path).resolve() == tmp_path / "opt" / "ld-9.so"
    else:
        link.symlink_to(target)
        with pytest.raises(ToolError, match="has no dynamic loader; remove it"):
            loader(tmp_path)


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/b")
    (tmp_path / "b").symlink_to("/a")
    assert inside(tmp_path, "a").is_symlink()


@on_x86_64
def test_second_call_waits_for_the_first(calls: Calls, tmp_path: Path) -> None:
    unpack(BOOKWORM, tmp_path / "made", print)
    trees = tmp_path / "trees"
    trees.mkdir()
    with (trees / "bookworm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = start(tmp_path)
        assert other.stderr is not None
        assert "waiting for another call" in other.stderr.readline()
        (tmp_path / "made" / "trees" / "bookworm").rename(trees / "bookworm")
    assert other.wait() == 0, other.stderr.read()
    assert len(calls()) == 1
    other.stderr.close()


@on_x86_64
def test_lock_is_held_while_mmdebstrap_lives(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    # It says that it is there, and waits.
    monkeypatch.setenv("FAKE", f"echo x > {gate}; read x < {gate}")
    other = start(tmp_path)
    gate.read_text("utf-8")
    other.send_signal(signal.SIGKILL)
    other.communicate()
    with (tmp_path / "trees" / "bookworm.lock").open("w") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        gate.write_text("go on\n", "utf-8")
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert not (tmp_path / "trees" / "bookworm").exists()


def test_catalogue_names_what_there_is() -> None:
    names = [release.name for release in RELEASES]
    assert names == ["5.2", "7.2", "10.0", "11.1"]
    assert len({release.suite for release in RELEASES}) == len(RELEASES)
    assert {name for name, _ in PLAYS} == set(names)
    assert {program for _, program in PLAYS} <= set(PROGRAMS)

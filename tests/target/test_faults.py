# SPDX-License-Identifier: GPL-2.0-or-later
"""Binaries that are no good, through ``pytest conformance --qemu=X`` and below it.

Whatever is wrong, it is one line and exit status 4, nothing keeps running and nothing is left in
the temporary folder.
"""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qsim.quorum.revisions import REVISIONS
from qsim.target import process
from qsim.target.background import Background
from qsim.target.error import NotUsable, TargetError
from qsim.target.pool import Pool, check_executable
from qsim.target.workdir import MAX_SOCKET_PATH, WorkDir

Processes = Callable[[str], list[int]]
#: The bound on any subprocess of these tests, in seconds; expected are one or two.
BOUND_S = 120


def script(path: Path, text: str) -> Path:
    """An executable file."""
    path.write_text(text, "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def one_case(tmp_path: Path, family_text: Callable[[str], str]) -> Path:
    """A small scenario file, outside of the folder for temporary files."""
    path = tmp_path / "a.yaml"
    path.write_text(family_text("- name: a\n  quorum: {vote-threshold: 1}\n"), "utf-8")
    return path


def lines(pytester: pytest.Pytester, suite: Path, *arguments: str) -> tuple[int, list[str]]:
    """Exit status and lines of ``pytest conformance`` in this process."""
    result = pytester.runpytest_inprocess(str(suite), "-p", "no:cacheprovider", *arguments)
    return result.ret, [line for line in result.outlines + result.errlines if line]


#: What the binary is, and the words that name what is wrong with it; {} is its path.
BINARIES = {
    "true": ("/bin/true", "{} ended with status 0 before it spoke QMP: it printed nothing"),
    "folder": ("/usr/bin", "{} is a folder; name the qemu-system binary in it"),
    "missing": ("/no/such/qemu", "{} does not exist; install qemu-system-x86 or name another path"),
    "not on PATH": ("nosuch-qemu", "{} does not exist; install qemu-system-x86"),
    "not executable": ("data", "{} is not executable"),
    "no shebang": ("text", "{} is not executable on this machine: Exec format error"),
    "no interpreter": ("#!/no/such/sh\n", "{} cannot be started: No such file or directory"),
    "says why": (
        "#!/bin/sh\necho out of order >&2\necho second line >&2\nexit 7\n",
        "{} ended with status 7 before it spoke QMP: out of order",
    ),
    "killed": ("#!/bin/sh\nkill -9 $$\n", "{} ended with status -9 before it spoke QMP"),
}


@pytest.mark.parametrize(("binary", "message"), BINARIES.values(), ids=BINARIES.keys())
def test_binary_that_is_no_qemu_is_one_line_and_exit_4(
    pytester: pytest.Pytester,
    suite: Path,
    one_case: Path,
    tmpdir_here: Path,
    processes_naming: Processes,
    binary: str,
    message: str,
) -> None:
    if binary == "data":
        path = pytester.path / "data"
        path.write_text("data", "utf-8")
    elif binary == "text":
        path = script(pytester.path / "text", "no shebang here\n")
    elif binary.startswith("#!"):
        path = script(pytester.path / "script", binary)
    else:
        path = Path(binary)
    status, printed = lines(pytester, suite, f"--scenarios={one_case}", f"--qemu={path}")
    assert status == pytest.ExitCode.USAGE_ERROR == 4
    assert len(printed) == 1
    assert printed[0].startswith("ERROR: --qemu: " + message.format(path))
    assert os.listdir(tmpdir_here) == []
    assert processes_naming(str(tmpdir_here)) == []


def test_the_same_as_a_process_of_its_own(suite: Path, tmpdir_here: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(suite), "--qemu=/bin/true"],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert ran.returncode == 4
    assert (ran.stdout + ran.stderr).split("\n", 1)[0] == (
        "ERROR: --qemu: /bin/true ended with status 0 before it spoke QMP: it printed nothing"
    )
    assert "Traceback" not in ran.stdout + ran.stderr
    assert os.listdir(tmpdir_here) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--revision=5.3"],
            f"--revision: no revision '5.3'; there are: {', '.join(one.name for one in REVISIONS)}",
        ),
        (["--scenarios=/no/such.yaml"], "/no/such.yaml: cannot be read: "),
    ],
)
def test_other_options_that_are_wrong_are_one_line_too(
    pytester: pytest.Pytester, suite: Path, arguments: list[str], message: str
) -> None:
    status, printed = lines(pytester, suite, *arguments)
    assert (status, len(printed)) == (4, 1)
    assert printed[0].startswith(f"ERROR: {message}")


def test_scenario_that_is_wrong_is_one_line_with_file_line_and_key(
    pytester: pytest.Pytester, suite: Path, one_case: Path
) -> None:
    one_case.write_text(one_case.read_text("utf-8").replace("quorum", "quorom"), "utf-8")
    status, printed = lines(pytester, suite, f"--scenarios={one_case}")
    assert (status, len(printed)) == (4, 1)
    assert printed[0].startswith(f"ERROR: {one_case}:5: cases[0]: unknown key 'quorom'; known here")


@pytest.mark.parametrize("option", ["--jobs=0", "--repeat=0", "--jobs=-1", "--repeat=-1"])
def test_numbers_below_one_are_refused(
    pytester: pytest.Pytester, suite: Path, one_case: Path, option: str
) -> None:
    assert lines(pytester, suite, f"--scenarios={one_case}", option)[0] == 4


# A binary that hangs.


async def unusable(binary: Path) -> str:
    """What a pool says of the binary; the pool is closed again."""
    pool = Pool(str(binary), jobs=1)
    try:
        with pytest.raises(TargetError) as caught:
            await pool.start()
        return str(caught.value)
    finally:
        await pool.close()


def test_binary_that_says_nothing_is_given_up_and_killed_with_its_children(
    tmp_path: Path,
    tmpdir_here: Path,
    processes_naming: Processes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "START_S", 0.3)
    mark = f"1000.{os.getpid()}"
    hangs = script(tmp_path / "hangs", f"#!/bin/sh\nsleep {mark}\necho over\n")
    message = asyncio.run(unusable(hangs))
    assert message.startswith(f"{hangs} does not speak QMP within ")
    assert message.endswith("is it a qemu-system binary?")
    assert processes_naming(mark) == []
    assert os.listdir(tmpdir_here) == []


#: Start a process and be killed before anything else can be done about it.
KILLED = """\
import asyncio, os, signal, sys, time
from qsim.target.process import QemuProcess
from qsim.target.workdir import WorkDir
create = asyncio.create_subprocess_exec
async def create_and_be_killed(*arguments, **options):
    await create(*arguments, **options)
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.create_subprocess_exec = create_and_be_killed
async def main():
    await QemuProcess(sys.argv[1], WorkDir(), 0).start()
asyncio.run(main())
"""


@pytest.mark.xfail(
    strict=True, reason="a child that does not name the folder, before the reaper knows its group"
)
def test_children_of_a_wrapper_do_not_outlive_us_when_we_are_killed_at_its_start(
    tmp_path: Path,
    tmpdir_here: Path,
    processes_naming: Processes,
    eventually: Callable[[Callable[[], bool], float], bool],
) -> None:
    mark = f"1002.{os.getpid()}"
    here = tmp_path / "here"
    wrapper = script(tmp_path / "wrapper", f"#!/bin/sh\nsleep {mark} &\n: > {here}\nwait\n")
    try:
        ran = subprocess.run(
            [sys.executable, "-c", KILLED, str(wrapper), str(here)], timeout=BOUND_S, check=False
        )
        assert ran.returncode == -signal.SIGKILL
        assert eventually(lambda: os.listdir(tmpdir_here) == [], 10)
        assert eventually(lambda: processes_naming(mark) == [], 1)
    finally:
        for pid in processes_naming(mark):
            os.kill(pid, signal.SIGKILL)


# A program that speaks QMP but is not what is needed.

FAKE = """\
#!{python}
import json, socket, sys, time
path = next(a for a in sys.argv if "path=" in a).partition("path=")[2]
link = socket.socket(socket.AF_UNIX)
link.connect(path)
def say(message):
    text = message if isinstance(message, str) else json.dumps(message)
    link.sendall(text.encode() + b"\\n")
def hear():
    text = ""
    while data := link.recv(4096):
        text += data.decode()
        try:
            return json.loads(text)
        except ValueError:
            pass
    sys.exit()
def close():
    link.shutdown(socket.SHUT_RDWR)
    time.sleep(1000)
VERSION = {{"qemu": {{"major": 9, "minor": 8, "micro": 7}}, "package": ""}}
GREETING = {{"QMP": {{"version": VERSION, "capabilities": []}}}}
{setup}
while True:
    asked = hear()
    command = asked["execute"]
    reply = VERSION if command == "query-version" else {{}}
    ident = {{"id": asked["id"]}} if "id" in asked else {{}}
    answer = {{"return": reply, **ident}}
    def fail(text):
        say({{"error": {{"class": "GenericError", "desc": text}}, **ident}})
{behaviour}
    say(answer)
    if command == "quit":
        sys.exit()
"""

#: An NBD server beside it, so that it can be prepared.
NBD = """\
import asyncio, threading
from qsim.block.child import ScriptedChild
from qsim.block.sparse import Sparse
from qsim.target.nbd_server import ChildServer
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
child = ScriptedChild("ping", Sparse(512))
async def serve(path):
    server = ChildServer(path)
    await server.start()
    if EXPORT:
        server.add(EXPORT, child, lambda arrival: arrival.answer(child.complete(arrival.request)))
say(GREETING)
"""
SERVE = """\
    if command == "nbd-server-start":
        asyncio.run_coroutine_threadsafe(serve(asked["arguments"]["addr"]["data"]["path"]), loop).result()
"""
QUORUM = """\
    if command == "blockdev-add" and asked["arguments"]["driver"] == "quorum":
        fail("Number of provided children must be 1 or more")
        continue
"""
NO_QUORUM = """\
    if command == "blockdev-add" and asked["arguments"]["driver"] == "quorum":
        fail("Parameter 'driver' does not accept value 'quorum'")
        continue
"""

#: What stands before the commands, what is done with each, and what is said of the binary.
FAKES = {
    "greets with something else": (
        "say({'a': 1}); time.sleep(1000)",
        "",
        "does not speak QMP within 30 s: ",
    ),
    "greets with rubbish and ends": ("say('HELLO')", "", "ended with status 0 before it spoke QMP"),
    "closes before it greets": ("close()", "", "does not speak QMP within 30 s: "),
    "dies before it greets": ("sys.exit('sorry')", "", "ended with status 1 before it spoke QMP"),
    "closes after it greeted": (
        "say(GREETING); hear(); close()",
        "",
        "does not speak QMP within 30 s: ",
    ),
    "answers with rubbish": (
        "say(GREETING)",
        "    if command == 'query-version': answer = '{rubbish'",
        "cannot be prepared: ",
    ),
    "closes in the middle": (
        "say(GREETING)",
        "    if command == 'query-version': close()",
        "cannot be prepared: ",
    ),
    "dies in the middle": (
        "say(GREETING)",
        "    if command == 'query-version': sys.exit('sorry')",
        "cannot be prepared: QEMU ended with status 1: sorry",
    ),
    "knows no NBD": (
        "say(GREETING)",
        QUORUM + "    if command == 'nbd-server-start': fail('no NBD here'); continue",
        "cannot be prepared: no NBD here",
    ),
    "has no NBD": ("say(GREETING)", QUORUM, "cannot be prepared: "),
    "greets with rubbish": (
        "say('HELLO'); time.sleep(1000)",
        "",
        "does not speak QMP within 30 s: ",
    ),
    "answers with other members": (
        "say(GREETING)",
        "    answer['return'] = {}",
        "cannot be prepared: ",
    ),
    "is without the quorum driver": (
        NBD.replace("EXPORT", "'ping'"),
        SERVE + NO_QUORUM,
        "is QEMU 9.8.7 without the quorum driver (Parameter 'driver' does not accept value "
        "'quorum'); build it with a SHA-256 provider such as gnutls",
    ),
    "opens a quorum without children": (
        NBD.replace("EXPORT", "'ping'"),
        SERVE,
        "opens a quorum node without children; that is no quorum driver",
    ),
    "has another export": (
        NBD.replace("EXPORT", "'other'"),
        SERVE + QUORUM,
        "cannot be prepared: ",
    ),
}


def fake(path: Path, setup: str, behaviour: str) -> Path:
    """A program that speaks as much QMP."""
    return script(path, FAKE.format(python=sys.executable, setup=setup, behaviour=behaviour))


@pytest.fixture(scope="module")
def said(
    tmp_path_factory: pytest.TempPathFactory, processes_naming: Processes
) -> Iterator[dict[str, tuple[Path, str]]]:
    """Each of these programs and what is said of it, all asked at the same time."""
    folder = tmp_path_factory.mktemp("fakes")
    binaries = {
        name: fake(folder / name.replace(" ", "-"), setup, behaviour)
        for name, (setup, behaviour, _) in FAKES.items()
    }

    async def ask() -> list[str]:
        return await asyncio.gather(*(unusable(binary) for binary in binaries.values()))

    with tempfile.TemporaryDirectory(prefix="qt-") as short, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", short)
        texts = asyncio.run(ask())
        assert os.listdir(short) == []
    assert processes_naming(str(folder)) == []
    yield {name: (binaries[name], text) for name, text in zip(binaries, texts, strict=True)}


@pytest.mark.parametrize("name", FAKES)
def test_program_that_breaks_qmp_is_said_to_in_one_line(
    said: dict[str, tuple[Path, str]], name: str
) -> None:
    binary, text = said[name]
    assert text.startswith(f"{binary} {FAKES[name][2]}")
    assert "\n" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    "setup",
    ["time.sleep(1000)", "say(GREETING); time.sleep(1000)"],
    ids=["before the greeting", "after it"],
)
def test_start_that_is_cancelled_is_only_cancelled_and_leaves_nothing(
    tmp_path: Path, tmpdir_here: Path, processes_naming: Processes, setup: str
) -> None:
    here = tmp_path / "here"
    binary = fake(tmp_path / "fake", f"open({str(here)!r}, 'w').close(); {setup}", "")

    async def cancel_in_the_middle() -> None:
        pool = Pool(str(binary), jobs=1)
        starting = asyncio.create_task(pool.start())
        try:
            async with asyncio.timeout(BOUND_S):
                while not here.exists():
                    await asyncio.sleep(0.01)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
        finally:
            await pool.close()

    asyncio.run(cancel_in_the_middle())
    assert processes_naming(str(binary)) == []
    assert os.listdir(tmpdir_here) == []


# Names on PATH.


def test_name_on_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = script(tmp_path / "some-qemu", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert check_executable("some-qemu") == str(binary)
    monkeypatch.chdir(tmp_path)
    assert check_executable("./some-qemu") == str(binary)


def test_name_that_is_nowhere_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nosuch")
    with pytest.raises(NotUsable, match="^some-qemu does not exist; install qemu-system-x86"):
        check_executable("some-qemu")


# The temporary folder.


def test_folder_is_private_and_goes_with_its_reaper(
    tmpdir_here: Path,
    processes_naming: Processes,
    eventually: Callable[[Callable[[], bool], float], bool],
) -> None:
    workdir = WorkDir()
    assert stat.S_IMODE(workdir.path.stat().st_mode) == 0o700
    assert workdir.path.parent == tmpdir_here
    # Its command line is there only when it has become a shell.
    assert eventually(lambda: len(processes_naming(str(workdir.path))) == 1, BOUND_S)
    (workdir.path / "left").write_text("behind", "utf-8")
    workdir.close()
    assert os.listdir(tmpdir_here) == []
    assert processes_naming(str(workdir.path)) == []


#: Is killed when it is about to start its reaper, or when it just has.
KILLED_MAKING = """\
import os, signal, subprocess, sys
from qsim.target.workdir import WorkDir
start = subprocess.Popen
def start_and_be_killed(*args, **options):
    if sys.argv[1] == "after":
        start(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)
subprocess.Popen = start_and_be_killed
WorkDir()
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_folder_of_who_is_killed_while_it_is_made_does_not_stay(
    tmpdir_here: Path,
    processes_naming: Processes,
    eventually: Callable[[Callable[[], bool], float], bool],
    when: str,
) -> None:
    ran = subprocess.run([sys.executable, "-c", KILLED_MAKING, when], timeout=BOUND_S, check=False)
    assert ran.returncode == -signal.SIGKILL
    # A reaper names the folder from its start to its end.
    assert eventually(lambda: processes_naming(str(tmpdir_here)) == [], BOUND_S)
    assert os.listdir(tmpdir_here) == []


def test_tmpdir_too_long_for_sockets_is_said_so_and_nothing_is_left(
    pytester: pytest.Pytester,
    suite: Path,
    one_case: Path,
    tmpdir_here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = tmpdir_here / ("x" * (MAX_SOCKET_PATH - len(str(tmpdir_here)) - 10))
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    # /bin/true would do if the folder were good.
    status, printed = lines(pytester, suite, f"--scenarios={one_case}", "--qemu=/bin/true")
    assert (status, len(printed)) == (4, 1)
    assert printed[0].startswith(f"ERROR: --qemu: the temporary folder {long}/qsim-")
    assert f"a unix socket takes {MAX_SOCKET_PATH}; set TMPDIR to a shorter one" in printed[0]
    assert os.listdir(long) == []


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_tmpdir_that_is_no_folder_is_said_so(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    place = short_tmp / "place"
    if kind == "a file":
        place.write_text("", "utf-8")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    background = Background()
    try:
        with pytest.raises(TargetError) as caught:
            background.open("/bin/true")
    finally:
        background.close()
    said = str(caught.value)
    assert said.startswith("cannot make a temporary folder: ")
    assert str(place) in said
    assert said.endswith("; set TMPDIR to one you can write")

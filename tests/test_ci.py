# SPDX-License-Identifier: GPL-2.0-or-later
"""``contrib/ci``: the jobs as they stand, on a tree that builds at once and a suite that only says
how it was called.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CI = ROOT / "contrib" / "ci"

CONFIGURE = """\
#!/bin/sh
touch build.ninja
cat >Makefile <<'EOF'
qemu-system-x86_64 qemu-img: FORCE
	test -s ../src/what
	cp ../src/what $@
FORCE:
EOF
"""
#: Stands for a Python that has the suite.
SAYS = "#!/bin/sh\nprintf '%s\\n' \"$@\" >called\nexit ${SUITE_STATUS:-0}\n"


def executable(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    path.chmod(0o755)
    return path


def git(tree: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *who, *words], cwd=tree, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A branch of one commit; the suite stands beside, as if it were cloned."""
    path = tmp_path / "qemu"
    path.mkdir()
    git(path, "init", "--quiet", "--initial-branch=target")
    executable(path / "configure", CONFIGURE)
    for name in ("target", "branch"):
        (path / "what").write_text(name, "utf-8")
        git(path, "add", ".")
        git(path, "commit", "--quiet", "-m", name)
    (path / "qsim").symlink_to(ROOT)
    executable(tmp_path / "suite", SAYS)
    return path


Job = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def job(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Run a job's script section in the tree, the CI service's variables set."""
    for name in list(os.environ):
        if name.startswith(("CI_", "GITHUB_", "QEMU_", "QUORUM_", "QSIM_REPOSITORY")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(file: str, **settings: str) -> subprocess.CompletedProcess[str]:
        settings = {"QUORUM_PYTHON": str(tree.parent / "suite"), **settings}
        words = [f"--set={name}={value}" for name, value in settings.items()]
        return subprocess.run(
            [sys.executable, "-m", "tools.job", str(CI / file), *words],
            cwd=tree,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def called(tree: Path) -> list[str]:
    return (tree / "called").read_text("utf-8").splitlines()


def built(tree: Path, name: str) -> list[str]:
    folder = tree / "quorum-gate" / name
    return [(folder / tool).read_text("utf-8") for tool in ("qemu-system-x86_64", "qemu-img")]


@pytest.mark.parametrize(
    ("suite", "status"),
    [
        (0, 0),
        (1, 1),
        # Nothing that git bisect could hold against a commit.
        (4, 125),
    ],
)
@pytest.mark.parametrize(
    ("file", "ci"),
    [
        ("gitlab-ci.yml", {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "HEAD^"}),
        ("gitlab-ci.yml", {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "target~1"}),
        ("github-workflow.yml", {"github.workspace": "/x"}),
    ],
)
def test_job_builds_both_and_ends_as_the_suite_does(
    job: Job, tree: Path, file: str, ci: dict[str, str], suite: int, status: int
) -> None:
    done = job(file, SUITE_STATUS=str(suite), **ci)
    assert done.returncode == status, done.stderr
    assert built(tree, "baseline") == ["target"] * 2
    assert built(tree, "candidate") == ["branch"] * 2
    gate = "quorum-gate"
    assert set(called(tree)) >= {
        f"--qemu={gate}/candidate/qemu-system-x86_64",
        f"--baseline={gate}/baseline/qemu-system-x86_64",
        f"--junitxml={gate}/junit.xml",
        f"--report={gate}/report",
    }
    assert not any(word.startswith("--intended") for word in called(tree))


def test_the_target_is_fetched_where_the_checkout_is_shallow(
    job: Job, tree: Path, tmp_path: Path
) -> None:
    origin = tmp_path / "origin"
    tree.rename(origin)
    git(origin, "checkout", "--quiet", "-b", "branch")
    git(origin, "branch", "--force", "target", "HEAD^")
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=branch", f"file://{origin}", "qemu")
    (tree / "qsim").symlink_to(ROOT)
    done = job("gitlab-ci.yml", CI_MERGE_REQUEST_TARGET_BRANCH_NAME="target")
    assert done.returncode == 0, done.stderr
    assert built(tree, "baseline") == ["target"] * 2
    assert built(tree, "candidate") == ["branch"] * 2


def test_a_whole_clone_stays_whole(job: Job, tree: Path, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    tree.rename(origin)
    git(origin, "checkout", "--quiet", "-b", "branch")
    git(origin, "branch", "--force", "target", "HEAD^")
    git(tmp_path, "clone", "--quiet", "--branch=branch", f"file://{origin}", "qemu")
    (tree / "qsim").symlink_to(ROOT)
    assert job("gitlab-ci.yml", CI_MERGE_REQUEST_TARGET_BRANCH_NAME="target").returncode == 0
    assert git(tree, "rev-parse", "--is-shallow-repository") == "false"
    assert git(tree, "rev-list", "--count", "HEAD") == "2"


def test_other_options_of_configure_are_no_longer_the_old_build(job: Job, tree: Path) -> None:
    log = tree / "quorum-gate" / "configure.log"
    assert job("gitlab-ci.yml").returncode == 0
    log.unlink()
    assert job("gitlab-ci.yml").returncode == 0
    assert not log.exists()
    assert job("gitlab-ci.yml", QEMU_CONFIGURE="--enable-sanitizers").returncode == 0
    assert log.exists()


def test_intentions_of_the_branch_are_taken(job: Job, tree: Path) -> None:
    (tree / "tests").mkdir()
    (tree / "tests/quorum-changes.yaml").touch()
    assert job("gitlab-ci.yml", CI_MERGE_REQUEST_DIFF_BASE_SHA="HEAD^").returncode == 0
    assert "--intended=tests/quorum-changes.yaml" in called(tree)


def test_without_a_target_the_candidate_is_alone(job: Job, tree: Path) -> None:
    assert job("gitlab-ci.yml").returncode == 0
    assert not (tree / "quorum-gate/baseline").exists()
    assert not any(word.startswith("--baseline") for word in called(tree))


def test_binaries_that_are_there_are_not_built(job: Job, tree: Path) -> None:
    done = job("gitlab-ci.yml", QEMU_BINARY="/new", QEMU_BASELINE="/old")
    assert done.returncode == 0
    assert {"--qemu=/new", "--baseline=/old"} <= set(called(tree))
    assert not (tree / "quorum-gate/build").exists()


def test_what_does_not_build_ends_with_125_and_says_which(job: Job, tree: Path) -> None:
    (tree / "what").write_text("", "utf-8")
    git(tree, "commit", "--quiet", "--all", "-m", "nothing")
    done = job("gitlab-ci.yml", CI_MERGE_REQUEST_DIFF_BASE_SHA="HEAD^")
    assert done.returncode == 125
    assert "quorum-gate: candidate does not build" in done.stderr
    assert not (tree / "called").exists()


def test_bisecting_finds_the_commit_and_skips_what_does_not_build(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("", "branch again"):
        (tree / "what").write_text(name, "utf-8")
        git(tree, "commit", "--quiet", "--all", "-m", name or "does not build")
    finds = "#!/bin/sh\n! grep -q again quorum-gate/candidate/qemu-system-x86_64\n"
    monkeypatch.setenv("QUORUM_PYTHON", str(executable(tree.parent / "finds", finds)))
    git(tree, "bisect", "start", "HEAD", "HEAD~3")
    done = subprocess.run(
        ["git", "bisect", "run", "qsim/contrib/ci/quorum-gate"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    # Of two, as the first of them does not build.
    assert "The first bad commit could be any of" in done.stdout + done.stderr
    for commit in ("HEAD", "HEAD~1"):
        assert git(tree, "rev-parse", f"target{commit.removeprefix('HEAD')}") in done.stdout


def test_job_without_a_suite_says_what_is_missing(job: Job, tree: Path) -> None:
    (tree / "qsim").unlink()
    done = job("gitlab-ci.yml")
    assert done.returncode != 0
    assert "QSIM_REPOSITORY: where is the suite cloned from?" in done.stderr


def test_make_fragment_builds_and_compares(tmp_path: Path) -> None:
    executable(tmp_path / "ninja", '#!/bin/sh\necho "$@" >built\n')
    suite = executable(tmp_path / "suite", SAYS)
    path = f"{tmp_path}:{os.environ['PATH']}"
    words = [f"QUORUM_PYTHON={suite}", "BASELINE=/old", "INTENDED=mine.yaml", "QUORUM_ARGS=-k fifo"]
    subprocess.run(
        ["make", "-f", CI / "quorum.mak", "check-quorum", *words],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        check=True,
    )
    assert (tmp_path / "built").read_text("utf-8").split() == ["qemu-system-x86_64", "qemu-img"]
    assert called(tmp_path)[-5:] == [
        "--qemu=./qemu-system-x86_64",
        "--baseline=/old",
        "--intended=mine.yaml",
        "-k",
        "fifo",
    ]


PROJECT = """\
project('x')
have_tools = true
emulators = {'qemu-system-x86_64': custom_target('qemu-system-x86_64',
    output: 'qemu-system-x86_64', command: ['touch', '@OUTPUT@'])}
qemu_img = custom_target('qemu-img', output: 'qemu-img', command: ['touch', '@OUTPUT@'])
subdir('quorum')
"""
TELLS = """\
#!/bin/sh
case "$1" in
-c) exit 0 ;;
esac
printf '%s\\n' "$@" >"${0%/*}/called"
cat "${0%/*}/tap"
"""
STREAM = "TAP version 13\n1..3\nok 1 - a\nnot ok 2 - b # TODO known bug: x\nok 3 - c # SKIP y\n"


@pytest.mark.parametrize(
    ("stream", "status"), [(STREAM, 0), (STREAM.replace("ok 1", "not ok 1"), 1)]
)
def test_meson_reads_what_the_suite_tells(tmp_path: Path, stream: str, status: int) -> None:
    (tmp_path / "meson.build").write_text(PROJECT, "utf-8")
    (tmp_path / "quorum").mkdir()
    (tmp_path / "quorum/meson.build").write_text((CI / "meson.build").read_text("utf-8"), "utf-8")
    (tmp_path / "tap").write_text(stream, "utf-8")
    tells = executable(tmp_path / "tells", TELLS)
    native = tmp_path / "native.ini"
    native.write_text(f"[binaries]\nquorum-python = '{tells}'\n", "utf-8")
    build = tmp_path / "build"
    # Those of this environment, like the suite's other tools.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for words in (["setup", f"--native-file={native}", str(build)], ["test", "-C", str(build)]):
        done = subprocess.run(
            ["meson", *words],
            cwd=tmp_path,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == status, done.stdout
    assert f"--qemu={build}/qemu-system-x86_64" in called(tmp_path)
    assert (build / "qemu-system-x86_64").exists()

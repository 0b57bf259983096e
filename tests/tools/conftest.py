# SPDX-License-Identifier: GPL-2.0-or-later
"""A mmdebstrap that needs no network.  No ``__init__.py`` here: the name ``tools`` is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

#: Notes how it was called, and makes a tree as bullseye's is: a loader that runs a script, and
#: programs that are scripts.  ``$FAKE`` is done half way.
MMDEBSTRAP = """\
#!/bin/sh
echo "$*" >> "$CALLS"
for tree; do :; done
mkdir -p "$tree/lib/x86_64-linux-gnu" "$tree/lib64" "$tree/usr/bin" || exit 1
mkdir -p "$tree/usr/lib/x86_64-linux-gnu/pulseaudio"
touch "$tree/half"
eval "$FAKE"
rm "$tree/half"
ln -s /lib/x86_64-linux-gnu/ld-9.so "$tree/lib64/ld-linux-x86-64.so.2"
cat > "$tree/lib/x86_64-linux-gnu/ld-9.so" <<'END'
#!/bin/sh
[ "$1 $2" = "--inhibit-cache --library-path" ] || exit 1
libraries=$3; shift 3
export libraries
exec sh "$@"
END
chmod +x "$tree/lib/x86_64-linux-gnu/ld-9.so"
for program in qemu-system-x86_64 qemu-storage-daemon qemu-img; do
    cat > "$tree/usr/bin/$program" <<END
if [ "\\$1" = --version ]; then echo "$program version $VERSION (Debian)"; exit; fi
echo "\\$$|\\$QEMU_MODULE_DIR|\\$libraries|\\$*"
END
done
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """With a mmdebstrap of our own on PATH: how it was called."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "mmdebstrap").write_text(MMDEBSTRAP, "utf-8")
    (programs / "mmdebstrap").chmod(0o755)
    log = tmp_path / "calls"
    log.touch()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(log))
    monkeypatch.setenv("FAKE", "")
    monkeypatch.setenv("VERSION", "7.2.9")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return lambda: log.read_text("utf-8").splitlines()

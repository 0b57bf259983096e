# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of ``qsim trace`` for the documentation, as a terminal of 80 columns shows it.

python -m tools.pictures [DIRECTORY]
"""

from __future__ import annotations

import io
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

#: Where the documentation looks for them.
PLACE = Path(__file__).parent.parent / "docs" / "pictures"
#: File and what is typed.
PICTURES = {
    "fifo-retry": ["trace", "children=A,B pattern=fifo; c0: EIO; read 0 512"],
    "tie": ["trace", "--why", "children=A,B threshold=1; read 0 512"],
    "rewrite": ["trace", "children=A,B,A threshold=2 rewrite=on; c1: write EIO; read 0 512"],
    "no-child-answers-v4": [
        "trace", "--why", "--revision", "v4",
        "children=2 pattern=fifo; all: EIO; read 0 512",
    ],
}  # fmt: skip
WIDTH = 80


def on_a_terminal(words: list[str]) -> str:
    """What a command prints on a terminal, colours and all."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(WIDTH), "TERM": "xterm", "PYTHONUTF8": "1"}
    child = subprocess.Popen(
        [sys.executable, "-c", "from qsim.cli import main; main()", *words],
        stdin=subprocess.DEVNULL, stdout=theirs, env=environment,
    )  # fmt: skip
    os.close(theirs)
    printed = b"".join(_until_closed(ours))
    if child.wait() != 0:
        raise SystemExit(f"{shlex.join(words)} ended with status {child.returncode}")
    return printed.decode().replace("\r\n", "\n")


def _until_closed(terminal: int) -> Iterator[bytes]:
    """All that comes from a terminal; its last writer's end is an error on Linux."""
    with open(terminal, "rb", buffering=0) as file:
        try:
            while data := file.read(65536):
                yield data
        except OSError:
            return


def picture(name: str) -> str:
    """One picture as SVG that loads nothing."""
    words = PICTURES[name]
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text("$ " + shlex.join(["qsim", *words]), overflow="fold"))
    console.print(Text.from_ansi(on_a_terminal(words)))
    return console.export_svg(
        title="qsim trace", theme=MONOKAI, unique_id=name, code_format=_without_fonts()
    )


def _without_fonts() -> str:
    """Rich's form less the fonts that it would fetch."""
    head, _, rest = CONSOLE_SVG_FORMAT.partition("@font-face")
    return head + rest[rest.index(".{unique_id}-matrix") :]


def main() -> None:
    """Make all pictures anew."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE
    place.mkdir(exist_ok=True, parents=True)
    for name in PICTURES:
        file = place / f"{name}.svg"
        file.write_text(picture(name), "utf-8")
        print(f"written: {file}")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Cut QAPI schema text into tokens.

Source: QEMU's docs/devel/qapi-code-gen, "Schema syntax" and "Documentation comments".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import QapiError

# What a token is: one of the structural characters, or one of these words.
STRING = "string"
WORD = "word"  # true, false
DOC = "documentation comment"
END = "end of file"

_SKIP = re.compile(r"[ \t\r\f\v]+")
_WORD = re.compile(r"[A-Za-z0-9_.+-]+")


@dataclass(frozen=True)
class Token:
    """A token: its kind, its text (of a string: what it denotes) and where it starts."""

    kind: str
    text: str
    line: int

    def __str__(self) -> str:
        if self.kind in (DOC, END):
            return self.kind
        return f"string '{self.text}'" if self.kind == STRING else f"'{self.text}'"


def tokens(path: Path, text: str) -> Iterator[Token]:
    """The tokens of a schema file, the last one being END.

    A ``##`` block is a token only between expressions; inside one it is a plain comment.

    :param path: named in errors only.
    :raise QapiError: bad character, bad or unterminated string, unterminated ``##`` block.
    """
    pos, line, depth = 0, 1, 0
    while pos < len(text):
        char = text[pos]
        if char == "\n":
            pos, line = pos + 1, line + 1
        elif skip := _SKIP.match(text, pos):
            pos = skip.end()
        elif char == "#":
            end = _line_end(text, pos)
            if depth == 0 and text[pos:end].startswith("##"):
                token, pos, line = _doc(path, text, pos, line)
                yield token
            else:
                pos = end
        elif char in "{}[]:,":
            depth += (char in "{[") - (char in "}]")
            yield Token(char, char, line)
            pos += 1
        elif char == "'":
            token, pos = _string(path, text, pos, line)
            yield token
        elif char == '"':
            raise QapiError(path, line, "strings are written in 'single quotes' here")
        elif word := _WORD.match(text, pos):
            if word[0] not in ("true", "false"):
                raise QapiError(
                    path,
                    line,
                    f"unexpected {word[0]}; quote it if it is a name, "
                    "numbers and null do not exist here",
                )
            yield Token(WORD, word[0], line)
            pos = word.end()
        else:
            raise QapiError(path, line, f"unexpected character {char!r}")
    yield Token(END, "", line)


def _line_end(text: str, pos: int) -> int:
    end = text.find("\n", pos)
    return len(text) if end < 0 else end


def _string(path: Path, text: str, pos: int, line: int) -> tuple[Token, int]:
    chars: list[str] = []
    pos += 1
    while pos < len(text) and text[pos] != "\n":
        char = text[pos]
        if char == "'":
            return Token(STRING, "".join(chars), line), pos + 1
        if char == "\\":
            pos += 1
            if text[pos : pos + 1] != "\\":
                raise QapiError(path, line, r"the only escape in a string is \\")
        elif not " " <= char <= "~":
            raise QapiError(path, line, f"{char!r} in a string; only printable ASCII may be")
        chars.append(char)
        pos += 1
    raise QapiError(
        path, line, f"string is not closed on its line; add a ' after '{''.join(chars)[:30]}"
    )


def _doc(path: Path, text: str, pos: int, line: int) -> tuple[Token, int, int]:
    """One ``##`` block, where it ends and in which line.

    The token's text is what stands between the two ``##``, without each line's ``# ``.
    """
    first = line
    end = _line_end(text, pos)
    if text[pos:end].rstrip() != "##":
        raise QapiError(
            path,
            line,
            "'##' starts a documentation comment and stands alone on "
            "its line; use a single '#' for a plain comment",
        )
    lines: list[str] = []
    while end < len(text):
        pos, line = end + 1, line + 1
        end = _line_end(text, pos)
        content = text[pos:end].strip()
        if content == "##":
            return Token(DOC, "\n".join(lines), first), end, line
        if content and not content.startswith("#"):  # QEMU's reader skips empty lines.
            raise QapiError(
                path,
                line,
                f"this line does not start with '#', but the "
                f"documentation comment of line {first} is still open; "
                "close it with '##'",
            )
        if content not in ("", "#") and not content.startswith("# "):
            raise QapiError(path, line, "documentation comment needs a space after '#'")
        lines.append(content[2:])
    raise QapiError(path, first, "documentation comment is never closed; end it with '##'")

# SPDX-License-Identifier: GPL-2.0-or-later
"""Parse the JSON-like layer of a QAPI schema file, keeping the line of everything.

Source: QEMU's docs/devel/qapi-code-gen, "Schema syntax".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import QapiError
from .lexer import DOC, END, STRING, WORD, Token, tokens


@dataclass(frozen=True)
class Text:
    """A string."""

    value: str
    line: int


@dataclass(frozen=True)
class Flag:
    """``true`` or ``false``."""

    value: bool
    line: int


@dataclass(frozen=True)
class Items:
    """An array."""

    items: tuple["Node", ...]
    line: int


@dataclass(frozen=True)
class Keys:
    """An object; each key with its line and value, in the order written."""

    items: dict[str, "Entry"]
    line: int


@dataclass(frozen=True)
class Entry:
    """A key of an object: where it stands and what it holds."""

    line: int
    value: "Node"


Node = Text | Flag | Items | Keys


@dataclass(frozen=True)
class Expression:
    """A top-level object, with the ``##`` block right before it (None if there is none)."""

    path: Path
    keys: Keys
    doc: Token | None


def parse(path: Path, text: str) -> Iterator[Expression]:
    """The expressions of one file, includes not followed.

    :raise QapiError: the text is not a series of objects and documentation comments.
    """
    yield from _Parser(path, text).expressions()


class _Parser:
    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._tokens = tokens(path, text)
        self._now = next(self._tokens)

    def expressions(self) -> Iterator[Expression]:
        doc: Token | None = None
        while self._now.kind != END:
            if self._now.kind == DOC:
                _refuse_orphan(self._path, doc)
                doc = self._take()
                continue
            if self._now.kind != "{":
                raise self._error("an expression, starting with '{'")
            yield Expression(self._path, self._object(), doc)
            doc = None
        _refuse_orphan(self._path, doc)

    def _take(self) -> Token:
        token = self._now
        if token.kind != END:
            self._now = next(self._tokens)
        return token

    def _error(self, expected: str) -> QapiError:
        return QapiError(self._path, self._now.line, f"expected {expected}, found {self._now}")

    def _object(self) -> Keys:
        line = self._take().line
        items: dict[str, Entry] = {}
        if self._now.kind == "}":
            self._take()
            return Keys(items, line)
        while True:
            if self._now.kind != STRING:
                raise self._error("a key in 'single quotes'" if items else "a key or '}'")
            key = self._take()
            if key.text in items:
                raise QapiError(
                    self._path,
                    key.line,
                    f"duplicate key '{key.text}', first seen in line {items[key.text].line}",
                )
            if self._now.kind != ":":
                raise self._error(f"':' after key '{key.text}'")
            self._take()
            items[key.text] = Entry(key.line, self._value())
            if self._now.kind == "}":
                self._take()
                return Keys(items, line)
            if self._now.kind != ",":
                raise self._error(f"',' or '}}' in the object of line {line}")
            self._take()

    def _array(self) -> Items:
        line = self._take().line
        items: list[Node] = []
        if self._now.kind == "]":
            self._take()
            return Items((), line)
        while True:
            items.append(self._value())
            if self._now.kind == "]":
                self._take()
                return Items(tuple(items), line)
            if self._now.kind != ",":
                raise self._error(f"',' or ']' in the array of line {line}")
            self._take()

    def _value(self) -> Node:
        kind = self._now.kind
        if kind == "{":
            return self._object()
        if kind == "[":
            return self._array()
        if kind == STRING:
            token = self._take()
            return Text(token.text, token.line)
        if kind == WORD:
            token = self._take()
            return Flag(token.text == "true", token.line)
        raise self._error("a string, '{', '[', true or false")


def _refuse_orphan(path: Path, doc: Token | None) -> None:
    """A block that names a definition must stand right before it; free-form ones need not."""
    if doc and doc.text.startswith("@"):
        raise QapiError(path, doc.line, "this documents a definition, but none follows it")

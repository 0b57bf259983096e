# SPDX-License-Identifier: GPL-2.0-or-later
"""Load a schema: a file, the files it includes, its pragmas.

Source: QEMU's docs/devel/qapi-code-gen, "Include directives" and "Pragma directives".
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .builder import build
from .errors import QapiError, did_you_mean
from .model import BUILTINS, Definition, Place
from .names import Pragmas
from .parser import Entry, Expression, Flag, Items, Keys, Text, parse
from .resolve import resolve
from .schema import Schema

_EXCEPTIONS: Final = (
    "command-name-exceptions",
    "command-returns-exceptions",
    "member-name-exceptions",
    "documentation-exceptions",
)


def load(path: Path | str) -> Schema:
    """Read a schema file and what it includes.

    :raise QapiError: anything wrong in any of the files.
    :raise OSError: the file itself (not an included one) cannot be read.
    """
    pragmas = Pragmas()
    # All expressions first: a pragma also holds for what stands above it.
    expressions = list(_Files(pragmas).expressions(Path(path), ()))
    definitions: dict[str, Definition] = {}
    for expression in expressions:
        definition = build(expression, pragmas)
        if definition.name in BUILTINS:
            raise definition.place.error(f"'{definition.name}' is a built-in type")
        if first := definitions.get(definition.name):
            raise definition.place.error(
                f"'{definition.name}' is defined already, at "
                f"{first.place}; commands, events and types share one "
                "set of names"
            )
        definitions[definition.name] = definition
    resolve(definitions, pragmas)
    return Schema(definitions)


class _Files:
    def __init__(self, pragmas: Pragmas) -> None:
        self._pragmas = pragmas
        self._seen: set[Path] = set()

    def expressions(self, path: Path, including: tuple[Path, ...]) -> Iterator[Expression]:
        """The definitions of a file and of those it includes, in the order they stand."""
        self._seen.add(path.resolve())
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise QapiError(path, line, "this is not UTF-8 text") from error
        for expression in parse(path, text):
            items = expression.keys.items
            if "include" not in items and "pragma" not in items:
                yield expression
                continue
            place = Place(path, expression.keys.line)
            if len(items) != 1:
                raise place.error("'include' and 'pragma' stand alone in their expression")
            if expression.doc and expression.doc.text.startswith("@"):
                raise QapiError(
                    path,
                    expression.doc.line,
                    "this documents a definition, but an include or pragma follows",
                )
            if "pragma" in items:
                self._pragma(path, items["pragma"])
            else:
                yield from self._include(place, items["include"], (*including, path.resolve()))

    def _include(
        self, place: Place, entry: Entry, including: tuple[Path, ...]
    ) -> Iterator[Expression]:
        if not isinstance(entry.value, Text):
            raise place.error("'include' takes a file name")
        path = place.path.parent / entry.value.value
        if path.resolve() in including:
            raise place.error(f"'{entry.value.value}' includes this file in turn")
        if path.resolve() in self._seen:
            return
        if not path.is_file():
            raise place.error(f"cannot include '{entry.value.value}': there is no file {path}")
        yield from self.expressions(path, including)

    def _pragma(self, path: Path, entry: Entry) -> None:
        if not isinstance(entry.value, Keys):
            raise QapiError(path, entry.line, "'pragma' takes an object")
        for name, item in entry.value.items.items():
            place = Place(path, item.line)
            if name == "doc-required":
                if not isinstance(item.value, Flag):
                    raise place.error("pragma 'doc-required' is true or false")
                self._pragmas.doc_required = item.value.value
            elif name in _EXCEPTIONS:
                if not isinstance(item.value, Items):
                    raise place.error(f"pragma '{name}' takes an array of names")
                names = self._pragmas.exceptions.setdefault(name, set())
                for value in item.value.items:
                    if not isinstance(value, Text):
                        raise QapiError(path, value.line, f"pragma '{name}' takes names only")
                    names.add(value.value)
            else:
                raise place.error(
                    f"unknown pragma '{name}'" + did_you_mean(name, ("doc-required", *_EXCEPTIONS))
                )

# SPDX-License-Identifier: GPL-2.0-or-later
"""YAML with the line of every key, so that an error can name it."""

from __future__ import annotations

from typing import Any

import yaml

from qsim.scenario.error import ScenarioError

Path = tuple[str | int, ...]


#: libyaml's parser where PyYAML was built with it: ten times as fast.
_FAST = getattr(yaml, "CSafeLoader", None)


def _compose(text: str) -> yaml.Node | None:
    """The nodes of a document; mistakes are told in the words of PyYAML's own parser."""
    if _FAST is not None:
        try:
            return yaml.compose(text, Loader=_FAST)
        except yaml.YAMLError:
            pass
    return yaml.compose(text, Loader=yaml.SafeLoader)


class Document:
    """The data of a YAML file and the line each part of it stands on."""

    def __init__(self, name: str, text: str) -> None:
        """:raise ScenarioError: for broken YAML, duplicate keys, or an empty file."""
        self.name = name
        self._lines: dict[Path, int] = {}
        try:
            root = _compose(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error)
            raise ScenarioError(
                name, mark.line + 1 if mark else 0, "", f"not YAML: {problem}"
            ) from error
        if root is None:
            raise ScenarioError(name, 0, "", "the file is empty; it must hold a family of cases")
        self._constructor = yaml.SafeLoader("")
        self._open: set[int] = set()
        self.data = self._walk(root, ())

    @classmethod
    def of(cls, name: str, data: Any) -> Document:
        """Data that stands in no file, so that all of it is on line 0."""
        document = cls.__new__(cls)
        document.name = name
        document.data = data
        document._lines = {(): 0}
        return document

    def _walk(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._lines[path] = line
        if id(node) in self._open:
            raise ScenarioError(self.name, line, dotted(path), "contains itself")
        self._open.add(id(node))
        try:
            return self._value(node, path)
        except (yaml.YAMLError, ValueError) as error:
            problem = getattr(error, "problem", None) or str(error)
            raise ScenarioError(self.name, line, dotted(path), f"no value: {problem}") from error
        finally:
            self._open.discard(id(node))

    def _value(self, node: yaml.Node, path: Path) -> Any:
        if isinstance(node, yaml.MappingNode):
            result: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                key = self._constructor.construct_object(key_node)
                line = key_node.start_mark.line + 1
                if not isinstance(key, str):
                    raise ScenarioError(
                        self.name, line, dotted(path), f"the key {key!r} must be a string; quote it"
                    )
                if key in result:
                    raise ScenarioError(self.name, line, dotted((*path, key)), "given twice")
                result[key] = self._walk(value_node, (*path, key))
                self._lines[(*path, key)] = line
            return result
        if isinstance(node, yaml.SequenceNode):
            return [self._walk(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._constructor.construct_object(node)

    def line(self, path: Path) -> int:
        """The line of ``path``, or of the nearest part above it that has one."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def error(self, path: Path, message: str) -> ScenarioError:
        """A ScenarioError at ``path``."""
        return ScenarioError(self.name, self.line(path), dotted(path), message)


def dotted(path: Path) -> str:
    """``cases[2].steps[0].read`` for a path."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text

# SPDX-License-Identifier: GPL-2.0-or-later
"""Differences between our schema and a release that are known, and why they are fine.

The file is YAML: a list of entries with the keys ``path`` (a glob pattern for
:attr:`.Difference.path`, or a list of them; only ``*`` and ``?`` are special), ``side`` (as in
:class:`.Difference`) and ``why``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from .compare import Difference, Side
from .errors import QapiError, did_you_mean

_KEYS: Final = ("path", "side", "why")
_SIDES: Final[dict[str, Side]] = {"schema": "schema", "binary": "binary", "both": "both"}


@dataclass(frozen=True)
class Explanation:
    """One pattern of the file.

    :param line: where the pattern stands.
    """

    path: str
    side: Side
    why: str
    line: int

    def matches(self, difference: Difference) -> bool:
        """Whether this explains the difference."""
        return self.side == difference.side and _matches(self.path, difference.path)


@dataclass(frozen=True)
class Split:
    """Differences, apart: those to look at, and those with the reason they are fine."""

    unexplained: list[Difference]
    explained: list[tuple[Difference, str]]


def read_explained(path: Path | str) -> list[Explanation]:
    """Read the file.

    :raise QapiError: not YAML, not such a list, or a key missing, unknown or of the wrong kind;
        the message names the key.
    :raise OSError: the file cannot be read.
    """
    path = Path(path)
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise QapiError(path, line, f"not YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise QapiError(path, 1, f"not YAML: {error}") from error
    if root is None:
        return []
    if not isinstance(root, yaml.SequenceNode):
        raise _error(path, root, "must be a list of entries with path, side and why")
    return [explanation for node in root.value for explanation in _entry(path, node)]


def split(differences: Iterable[Difference], explanations: Iterable[Explanation]) -> Split:
    """Tell the explained differences from the others.

    What our schema marks with ``if`` and the binary lacks explains itself.
    """
    explanations = list(explanations)
    result = Split([], [])
    for difference in differences:
        why = next((e.why for e in explanations if e.matches(difference)), None)
        if why is None and difference.condition:
            why = f"built without {difference.condition}"
        if why is None:
            result.unexplained.append(difference)
        else:
            result.explained.append((difference, why))
    return result


def unused(
    explanations: Iterable[Explanation], releases: Iterable[Iterable[Difference]]
) -> list[Explanation]:
    """The explanations that explain nothing in any of the releases, to be thrown out.

    :param releases: the differences found with each release.
    """
    differences = [difference for release in releases for difference in release]
    return [e for e in explanations if not any(e.matches(d) for d in differences)]


def _entry(path: Path, node: yaml.Node) -> list[Explanation]:
    if not isinstance(node, yaml.MappingNode):
        raise _error(path, node, "an entry must have the keys path, side and why")
    keys: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = str(key.value)
        if name not in _KEYS:
            raise _error(path, key, f"unknown key '{name}'" + did_you_mean(name, _KEYS))
        if name in keys:
            raise _error(path, key, f"key '{name}' stands twice in this entry")
        keys[name] = value
    for name in _KEYS:
        if name not in keys:
            raise _error(path, node, f"this entry lacks the key '{name}'")
    side = _text(path, keys["side"], "side")
    if side not in _SIDES:
        raise _error(path, keys["side"], f"'side' must be {', '.join(_SIDES)}, not '{side}'")
    why = _text(path, keys["why"], "why")
    patterns = keys["path"]
    nodes = patterns.value if isinstance(patterns, yaml.SequenceNode) else [patterns]
    if not nodes:
        raise _error(path, patterns, "'path' is an empty list")
    return [
        Explanation(_text(path, n, "path"), _SIDES[side], why, n.start_mark.line + 1) for n in nodes
    ]


def _text(path: Path, node: yaml.Node, key: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith(":str"):
        raise _error(path, node, f"'{key}' must be text; quote it if it looks like something else")
    text = str(node.value).strip()
    if not text:
        raise _error(path, node, f"'{key}' is empty")
    return text


def _error(path: Path, node: yaml.Node, message: str) -> QapiError:
    return QapiError(path, node.start_mark.line + 1, message)


def _matches(pattern: str, text: str) -> bool:
    # Not fnmatch: paths hold brackets, which must stand for themselves.
    parts = {"*": ".*", "?": "."}
    return bool(re.fullmatch("".join(parts.get(c, re.escape(c)) for c in pattern), text))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Say what :mod:`jsonschema` found in the words of someone who writes QMP."""

from collections.abc import Iterable
from typing import Any, Final, cast

from jsonschema import ValidationError

from .errors import Problem, did_you_mean

# The wrong kind of value explains more than a misspelt member, and that more than a member
# that is missing (often the very one that was misspelt).
_ORDER: Final = ("type", "const", "enum", "minimum", "maximum", "additionalProperties", "required")
_SHOWN_VALUES: Final = 8
_SHOWN_CHARS: Final = 60
_ARTICLES: Final = {
    "integer": "an integer",
    "object": "an object",
    "array": "an array",
    "null": "null",
}


def problems(errors: Iterable[ValidationError]) -> list[Problem]:
    """The errors of one validation, the most telling first, each said once."""
    ranked = sorted(errors, key=lambda error: (len(error.absolute_path), _rank(error)))
    return list(dict.fromkeys(problem for error in ranked for problem in _problems(error)))


def _rank(error: ValidationError) -> int:
    keyword = str(error.validator)
    return _ORDER.index(keyword) if keyword in _ORDER else len(_ORDER)


def _problems(error: ValidationError) -> list[Problem]:
    at, value, schema = _path(error.absolute_path), cast(Any, error.instance), error.schema
    assert isinstance(schema, dict), "only true and false are schemas but no objects"
    owner = schema.get("title", "this object")
    match error.validator:
        case "required":
            # jsonschema reports each missing member apart but does not say which in data.
            return [
                Problem(_join(at, name), f"missing; {owner} requires it")
                for name in schema["required"]
                if name not in value
            ]
        case "additionalProperties":
            known = schema["properties"]
            return [
                Problem(
                    _join(at, name),
                    f"{owner} has no such member"
                    + did_you_mean(name, [k for k in known if k not in value]),
                )
                for name in value
                if name not in known
            ]
        case "type":
            kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            wanted = " or ".join(_with_article(kind) for kind in kinds)
            return [
                Problem(at, f"{_show(value)} is {_with_article(_kind(value))}, must be {wanted}")
            ]
        case "enum":
            return [Problem(at, _not_in_enum(value, schema["enum"], owner))]
        case "minimum" | "maximum":
            return [
                Problem(
                    at,
                    f"{value} is out of range, must be {schema['minimum']} to {schema['maximum']}",
                )
            ]
        case "const":
            return [Problem(at, f"{_show(value)} must be {_show(schema['const'])}")]
    return [Problem(at, error.message)]


def _not_in_enum(value: object, known: list[str], owner: str) -> str:
    values = ", ".join(known[:_SHOWN_VALUES]) + (", …" if len(known) > _SHOWN_VALUES else "")
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    return f"{_show(value)} is not a value of {owner} ({values})" + hint


def _path(parts: Iterable[str | int]) -> str:
    text = ""
    for part in parts:
        text = f"{text}[{part}]" if isinstance(part, int) else _join(text, part)
    return text


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def _kind(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case None:
            return "null"
        case int():
            return "integer"
        case float():
            return "floating-point number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
    return f"Python {type(value).__name__}, which no JSON gives"


def _with_article(kind: str) -> str:
    return _ARTICLES.get(kind, f"a {kind}")

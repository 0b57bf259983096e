# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names may stand where, and the pragmas that make exceptions.

Source: QEMU's docs/devel/qapi-code-gen, "Naming rules and reserved names" and "Pragma
directives".
"""

import re
from dataclasses import dataclass, field

from .model import Place

_NAME = re.compile(r"(__[a-z0-9.-]+_)?(x-)?([a-z][a-z0-9_-]*)", re.IGNORECASE)
_CAMEL_CASE = re.compile(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")


@dataclass
class Pragmas:
    """The pragmas of a schema; they hold for all of its files.

    :param doc_required: whether every definition must be documented.
    :param exceptions: names by pragma, as ``member-name-exceptions``.
    """

    doc_required: bool = False
    exceptions: dict[str, set[str]] = field(default_factory=dict)

    def excepts(self, pragma: str, name: str) -> bool:
        """Whether the pragma lists the name."""
        return name in self.exceptions.get(pragma, ())


def check_definition_name(name: str, kind: str, place: Place, pragmas: Pragmas) -> None:
    """Types in CamelCase, events in CAPITALS, commands in lower-case.

    :raise QapiError: the name breaks the rule for its kind.
    """
    stem = _stem(name, f"{kind} name", place)
    if kind == "event":
        if re.search(r"[a-z-]", stem):
            raise place.error(f"event name '{name}' must be CAPITALS_AND_UNDERSCORES")
    elif kind == "command":
        _check_lower(
            stem,
            f"command name '{name}'",
            place,
            "command-name-exceptions",
            upper=False,
            underscore=pragmas.excepts("command-name-exceptions", name),
        )
    elif not _CAMEL_CASE.fullmatch(stem):
        raise place.error(f"{kind} name '{name}' must be CamelCase")
    elif stem.endswith("List"):
        raise place.error(
            f"{kind} name '{name}' must not end in 'List': that is how the generator names arrays"
        )


def check_member_name(name: str, place: Place, *, permissive: bool = False) -> None:
    """Members, arguments, branches, features: lower-case words joined by hyphens.

    :param permissive: upper-case and underscores are fine (``member-name-exceptions``).
    :raise QapiError: the name breaks the rule or is reserved.
    """
    stem = _stem(name, "name", place)
    _check_lower(
        stem,
        f"name '{name}'",
        place,
        "member-name-exceptions",
        upper=permissive,
        underscore=permissive,
    )
    if name == "u" or name.replace("-", "_").startswith("has_"):
        raise place.error(f"name '{name}' is reserved for the code generator")


def check_value_name(name: str, place: Place, *, permissive: bool = False) -> None:
    """Values of an enumeration: as members, but may start with a digit.

    :raise QapiError: the name breaks the rule.
    """
    # The digit is hidden behind a letter, so that one rule serves both.
    stem = _stem("d" + name if name[:1].isdigit() else name, "value", place)
    _check_lower(
        stem,
        f"value '{name}'",
        place,
        "member-name-exceptions",
        upper=permissive,
        underscore=permissive,
    )


def _stem(name: str, what: str, place: Place) -> str:
    match = _NAME.fullmatch(name)
    if not match or name.startswith("q_"):
        raise place.error(
            f"{what} '{name}' is not valid: a letter first, then letters, digits, "
            "'-' and '_'; 'q_' is reserved"
        )
    return match[3]


def _check_lower(
    stem: str, what: str, place: Place, pragma: str, *, upper: bool, underscore: bool
) -> None:
    if (not upper and re.search(r"[A-Z]", stem)) or (not underscore and "_" in stem):
        raise place.error(
            f"{what} must be lower-case with hyphens; where it cannot be, list it "
            f"in pragma '{pragma}'"
        )

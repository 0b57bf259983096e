# SPDX-License-Identifier: GPL-2.0-or-later
"""A scenario in one line, for who types qemu-io every day.

Statements, separated by ``;``: settings, what a child holds or does, and what is done to the node::

    children=3 threshold=2; child 1: read EIO; read 0 512
    children=2 pattern=fifo; all: EIO; read 0 512
    children=A,B pattern=fifo; c0: EIO x2; write -P 0x41 0 1k | flush; complete c1 c0; read 0 512

The result has the form of a case in a file, so that it can become one.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from qsim.block.monitor import COMMANDS
from qsim.scenario.case import IO_VERBS
from qsim.scenario.content import parse_bytes
from qsim.scenario.notation import parse_fault

#: Words for the node's options that are shorter than QEMU's own, which do as well.
OPTIONS = {
    "threshold": "vote-threshold",
    "pattern": "read-pattern",
    "rewrite": "rewrite-corrupted",
    "vote-threshold": "vote-threshold",
    "read-pattern": "read-pattern",
    "rewrite-corrupted": "rewrite-corrupted",
    "blkverify": "blkverify",
}
#: Every child, where one could be named.
ALL = "all"
#: What else can be set, and the key it is in a file.
SETTINGS = ("children", "size", "block-size", "guest", "spares", "above")
#: qemu-io's switches of ``write``, and what they are for NBD.
SWITCHES = {"-f": "fua", "-n": "fast-zero"}
#: Those that change only what it prints.
PRINTING = ("-q", "-v", "-C", "-p")


class ShortFormError(ValueError):
    """A statement that says nothing we know."""

    def __init__(self, statement: str, message: str) -> None:
        super().__init__(f"{statement.strip()!r}: {message}")


def looks_short(text: str) -> bool:
    """Whether a word on the command line is meant as a scenario, not as the name of one."""
    first = text.split(maxsplit=1)[0] if text.split() else ""
    return ";" in text or "=" in first or first in (*IO_VERBS, *COMMANDS)


def parse_short(text: str, raw: dict[str, Any] | None = None) -> dict[str, Any]:
    """The case that ``text`` says.

    :param raw: what is known of it already, e.g. its options; it is added to.
    :raise ShortFormError: for the first statement that is none.
    """
    return _Reader(raw or {}).read(text)


class _Reader:
    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw: dict[str, Any] = {"name": "asked", **raw}
        self.quorum: dict[str, Any] = dict(raw.get("quorum", {}))
        self.children: dict[str, dict[str, Any]] = {}
        self.steps: list[dict[str, Any]] = []
        #: What is said before a request and is about it.
        self.next: dict[str, Any] = {}

    def read(self, text: str) -> dict[str, Any]:
        statements = [one for one in re.split(r"[;\n]", text) if one.strip()]
        # How many children there are is needed for what is said of each.
        for statement in statements:
            if _is_settings(statement):
                self._settings(statement)
        if "drive" not in self.raw:
            self.children = _children(self.raw.pop("children", 3))
        for statement in statements:
            if not _is_settings(statement):
                self._statement(statement)
        if self.next:
            key = next(iter(self.next))
            raise ShortFormError(text, f"{key} is about a request, and none follows")
        if "drive" not in self.raw:
            self.raw["children"] = {name: _plain(one) for name, one in self.children.items()}
            self.quorum.setdefault("vote-threshold", 1)
            self.raw["quorum"] = self.quorum
        return {**self.raw, "steps": self.steps}

    def _settings(self, statement: str) -> None:
        for word in re.split(r"\s+", statement.strip()):
            key, _, value = word.partition("=")
            if key in OPTIONS:
                self.quorum[OPTIONS[key]] = _value(value)
            elif key == "above":
                self.raw["above"] = {"align": _value(value)}
            elif key == "spares":
                self.raw["spares"] = value.split(",")
            elif key in SETTINGS:
                self.raw[key] = _value(value)
            else:
                known = ", ".join([*OPTIONS, *SETTINGS])
                raise ShortFormError(statement, f"{key!r} cannot be set; there are: {known}")

    def _statement(self, statement: str) -> None:
        name, colon, said = statement.partition(":")
        if colon and _NAME.fullmatch(name.strip()):
            for child in self._whose(name, statement):
                self._of_child(child, said.strip(), statement)
            return
        words = _words(statement)
        if words[0] == "complete":
            self.next["complete"] = [word.strip(",") for word in words[1:]]
        elif words[0] == "set":
            self._set(words, statement)
        elif words[0] in COMMANDS:
            self._do({"qmp": {"execute": words[0], "arguments": _arguments(words[1:], statement)}})
        else:
            parts = [_request(part) for part in statement.split("|")]
            self._do(parts[0] if len(parts) == 1 else {"together": parts})

    def _do(self, step: dict[str, Any]) -> None:
        self.steps.append({**step, **self.next})
        self.next = {}

    def _whose(self, name: str, statement: str) -> list[str]:
        """A child by its name or by its number, or all."""
        word = name.rsplit(maxsplit=1)[-1]
        known = list(self.raw["images"] if "drive" in self.raw else self.children)
        if word == ALL:
            return known
        if word.isdigit() and int(word) < len(known):
            return [known[int(word)]]
        if word not in known:
            there = ", ".join([*known, ALL])
            raise ShortFormError(statement, f"{word!r} is no child; there are: {there}")
        return [word]

    def _of_child(self, name: str, said: str, statement: str) -> None:
        """What a child holds, or how it fails: always, or once there were requests in the next."""
        if said.startswith("holds "):
            if self.steps:
                self.steps.append({"set": {name: said.removeprefix("holds ").strip()}})
            else:
                self._target(name)["contents"] = said.removeprefix("holds ").strip()
            return
        faults = [fault.strip() for fault in said.split(",")]
        for fault in faults:
            try:
                parse_fault(fault)
            except ValueError as error:
                raise ShortFormError(statement, f"{error}; or: holds A:512 B") from error
        if self.steps:
            self.next.setdefault("faults", {}).setdefault(name, []).extend(faults)
        else:
            self._target(name).setdefault("faults", []).extend(faults)

    def _target(self, name: str) -> dict[str, Any]:
        if "drive" not in self.raw:
            return self.children[name]
        images: dict[str, Any] = self.raw["images"]
        if not isinstance(images[name], dict):
            images[name] = {"contents": images[name]}
        image: dict[str, Any] = images[name]
        return image

    def _set(self, words: Sequence[str], statement: str) -> None:
        if len(words) < 3:
            raise ShortFormError(statement, "write e.g. set c0 B")
        whose = self._whose(words[1], statement)
        self._do({"set": dict.fromkeys(whose, " ".join(words[2:]))})


_NAME = re.compile(r"(?:child +)?[A-Za-z0-9._-]+")


def _is_settings(statement: str) -> bool:
    return all("=" in word for word in statement.split())


def _words(statement: str) -> list[str]:
    try:
        return shlex.split(statement)
    except ValueError as error:
        raise ShortFormError(statement, str(error)) from error


def _value(text: str) -> Any:
    """A value as YAML has it: numbers, on and off, words."""
    if re.fullmatch(r"\d+[kMGT]", text):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ShortFormError(text, "this is no value; write a number, on, off or a word") from error


def _children(said: Any) -> dict[str, dict[str, Any]]:
    """A number of children, or what each of them holds."""
    if isinstance(said, dict):
        return {name: {"contents": what} for name, what in said.items()}
    holds = ["A"] * said if isinstance(said, int) else str(said).split(",")
    return {f"c{i}": {"contents": what} for i, what in enumerate(holds)}


def _plain(child: dict[str, Any]) -> Any:
    """A child about which nothing else is said is its contents."""
    return child["contents"] if list(child) == ["contents"] else child


def _arguments(words: Sequence[str], statement: str) -> dict[str, Any]:
    arguments = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ShortFormError(statement, f"{word!r} is no argument; write e.g. node=c2")
        arguments[key] = _value(value)
    return arguments


def _request(text: str) -> dict[str, Any]:
    """A guest request, in the words of a scenario or of qemu-io."""
    words = _words(text)
    verb = words[0] if words else ""
    reader = _REQUESTS.get(verb)
    if reader is None:
        known = ", ".join([*_REQUESTS, "set", "complete", *COMMANDS])
        raise ShortFormError(text, f"{verb!r} is nothing that can be done; there are: {known}")
    return reader(words[1:], text)


def _range(words: Sequence[str], text: str) -> list[int]:
    if len(words) < 2:
        raise ShortFormError(text, "needs an offset and a number of bytes, e.g. 0 512")
    try:
        return [parse_bytes(words[0]), parse_bytes(words[1])]
    except ValueError as error:
        raise ShortFormError(text, str(error)) from error


def _flags(words: Sequence[str]) -> dict[str, Any]:
    return {"flags": list(words)} if words else {}


def _ranged(verb: str) -> Callable[[Sequence[str], str], dict[str, Any]]:
    def read(words: Sequence[str], text: str) -> dict[str, Any]:
        words = [word for word in words if word not in PRINTING]
        for word in words:
            if word.startswith("-"):
                raise ShortFormError(text, f"{word!r} is no switch of {verb} here")
        return {verb: _range(words, text), **_flags(words[2:])}

    return read


def _write(words: Sequence[str], text: str) -> dict[str, Any]:
    """``write 0 512 W``, and qemu-io's ``write [-f] [-P PATTERN | -z [-u] [-n]] 0 512``."""
    left: list[str] = []
    flags: list[str] = []
    content: str | None = None
    zeroes = unmap = False
    rest = iter(words)
    for word in rest:
        match word:
            case "-P":
                content = _pattern(next(rest, ""), text)
            case "-z":
                zeroes = True
            case "-u":
                unmap = True
            case _ if word in SWITCHES:
                flags.append(SWITCHES[word])
            case _ if word in PRINTING:
                pass
            case _ if word.startswith("-"):
                raise ShortFormError(text, f"{word!r} is no switch; there are: -P -z -u -n -f")
            case _:
                left.append(word)
    place = _range(left, text)
    if zeroes:
        # Who does not allow it to unmap asks that it leaves no hole.
        return {"write-zeroes": place, **_flags([*flags, *([] if unmap else ["no-hole"])])}
    written = content or " ".join(left[2:]) or "W"
    return {"write": [*place, written], **_flags(flags)}


def _pattern(word: str, text: str) -> str:
    try:
        byte = int(word, 0)
    except ValueError:
        byte = -1
    if not 0 <= byte <= 255:
        raise ShortFormError(text, f"-P takes a byte, e.g. 0x41, not {word!r}")
    return f"0x{byte:02x}"


def _flush(words: Sequence[str], text: str) -> dict[str, Any]:
    if words:
        raise ShortFormError(text, "a flush takes nothing")
    return {"flush": True}


_REQUESTS: dict[str, Callable[[Sequence[str], str], dict[str, Any]]] = {
    "read": _ranged("read"),
    "write": _write,
    "write-zeroes": _ranged("write-zeroes"),
    "discard": _ranged("discard"),
    "block-status": _ranged("block-status"),
    "flush": _flush,
}

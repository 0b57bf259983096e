# SPDX-License-Identifier: GPL-2.0-or-later
"""A loaded schema: its definitions, and values checked against them."""

from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from .errors import Problem, QapiValueError, did_you_mean
from .messages import problems
from .model import Alternate, Command, Definition, Enum, Event, Member, Struct, Type, TypeRef, Union
from .quick import plainly_conforms
from .wire import Json, all_members, arguments_schema, event_schema, type_schema


def _is_integer(_: object, value: object) -> bool:
    # JSON Schema takes 1.0 for an integer; QEMU does not (qobject/qnum.c, qnum_get_try_int).
    return isinstance(value, int) and not isinstance(value, bool)


_Validator: Final = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


class Schema:
    """Definitions whose references have been checked; made by :func:`qsim.qapi.load`.

    Validators are made once per name and kept, so a Schema is best kept too.
    """

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self.definitions = dict(definitions)
        self._validators: dict[str, tuple[Json, Validator]] = {}

    @property
    def commands(self) -> dict[str, Command]:
        """The commands by name, in the order they stand."""
        return {n: d for n, d in self.definitions.items() if isinstance(d, Command)}

    @property
    def events(self) -> dict[str, Event]:
        """The events by name, in the order they stand."""
        return {n: d for n, d in self.definitions.items() if isinstance(d, Event)}

    @property
    def types(self) -> dict[str, Type]:
        """The enums, structs, unions and alternates by name, in the order they stand."""
        return {
            n: d
            for n, d in self.definitions.items()
            if isinstance(d, Enum | Struct | Union | Alternate)
        }

    def json_schema(self, name: str) -> Json:
        """The JSON Schema (draft 2020-12) of a type, a command's arguments or an event.

        For an event it describes the whole message. A built-in type, or an array as
        ``[str]``, will do as well.

        :raise KeyError: nothing is defined by that name.
        """
        match self.definitions.get(name):
            case Command() as command:
                return arguments_schema(self.definitions, command)
            case Event() as event:
                return event_schema(self.definitions, event)
        if name.startswith("[") and name.endswith("]"):
            return type_schema(self.definitions, TypeRef(name[1:-1], array=True))
        return type_schema(self.definitions, TypeRef(name))

    def members(self, name: str) -> dict[str, Member]:
        """The members of a struct, its bases' first; of a union, the common ones.

        :raise KeyError: there is no such type.
        :raise TypeError: it is no struct or union.
        """
        definition = self.definitions[name]
        if not isinstance(definition, Struct | Union):
            raise TypeError(
                f"{name} is a {type(definition).__name__.lower()}; only structs and "
                "unions have members"
            )
        return all_members(self.definitions, definition)

    def check_type(self, name: str, value: object) -> None:
        """Check a value against a type.

        :raise QapiValueError: it does not conform.
        :raise KeyError: there is no such type.
        """
        self._check(name, f"type {name}", value)

    def check_command(self, name: str, arguments: Mapping[str, object] | None = None) -> None:
        """Check the ``arguments`` of a command as QMP would take them.

        :raise QapiValueError: unknown command, or the arguments do not conform.
        """
        if not isinstance(self.definitions.get(name), Command):
            raise QapiValueError(
                f"command {name}",
                [Problem("", "the schema has no such command" + did_you_mean(name, self.commands))],
            )
        self._check(name, f"command {name}", {} if arguments is None else arguments)

    def check_event(self, message: Mapping[str, object]) -> None:
        """Check an event as it comes over the wire, with ``data`` and ``timestamp``.

        :raise QapiValueError: unknown event, or the message does not conform.
        """
        name = message.get("event")
        if not isinstance(name, str):
            raise QapiValueError("event", [Problem("event", "missing, or not a string")])
        if not isinstance(self.definitions.get(name), Event):
            raise QapiValueError(
                f"event {name}",
                [Problem("", "the schema has no such event" + did_you_mean(name, self.events))],
            )
        self._check(name, f"event {name}", message)

    def _check(self, name: str, subject: str, value: Any) -> None:
        if name not in self._validators:
            written = self.json_schema(name)
            self._validators[name] = (written, _Validator(written))
        document, validator = self._validators[name]
        if plainly_conforms(document, value, document.get("$defs", {})):
            return
        if found := problems(validator.iter_errors(value)):
            raise QapiValueError(subject, found)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes over the wire, held against the schema, and the parts only the harness knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qsim.block.error import QmpError
from qsim.block.events import Event
from qsim.block.switches import ENUM_NAMES_MEMBER, Switch
from qsim.qapi import QapiValueError, Schema, schema_2014, shipped_schema
from qsim.qapi.visit import VisitError, visit_arguments, visit_arguments_5_2
from qsim.qapi.visit_2014 import visit_arguments_2014


def with_servers(options: Any, path: str) -> Any:
    """Complete inline children: a scenario says ``driver: nbd`` and the export, no socket."""
    if isinstance(options, dict):
        options = {key: with_servers(value, path) for key, value in options.items()}
        if options.get("driver") == "nbd" and "server" not in options:
            options["server"] = {"type": "unix", "path": path}
        return options
    if isinstance(options, list):
        return [with_servers(item, path) for item in options]
    return options


@dataclass(frozen=True)
class Dialect:
    """How a release words its refusals, and the schema it goes by."""

    schema: Schema
    visit: Callable[[Schema, str, dict[str, Any]], None]

    def refuse(self, command: str, arguments: dict[str, Any]) -> None:
        """Arguments that do not conform get the answer QEMU's visitor gives.

        :raise QmpError: QEMU's error, for the first thing it would refuse.
        """
        if command not in self.schema.definitions:
            return  # The monitor itself answers.
        try:
            self.schema.check_command(command, arguments)
        except QapiValueError as error:
            try:
                self.visit(self.schema, command, arguments)
            except VisitError as refusal:
                raise QmpError(str(refusal)) from error
            raise

    def event_problem(self, event: Event) -> str | None:
        """What is wrong with an event by the schema; None when it conforms."""
        message = {
            "event": event.name,
            "data": dict(event.data),
            "timestamp": {"seconds": 0, "microseconds": 0},
        }
        try:
            self.schema.check_event(message)
        except QapiValueError as error:
            return str(error)
        return None


def today(switches: frozenset[Switch] = frozenset({ENUM_NAMES_MEMBER})) -> Dialect:
    """The dialect of the releases with coroutines."""
    named = ENUM_NAMES_MEMBER in switches
    return Dialect(shipped_schema(), visit_arguments if named else visit_arguments_5_2)


def of_2014(state: str) -> Dialect:
    """The dialect of 2014, its schema in one of its states."""
    return Dialect(schema_2014(state), visit_arguments_2014)

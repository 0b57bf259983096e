# SPDX-License-Identifier: GPL-2.0-or-later
"""The schema that ships with qsim, read once."""

from functools import cache

from .loader import load
from .paths import default_schema_path, schema_path_2014
from .schema import Schema


@cache
def shipped_schema() -> Schema:
    """The shipped schema.

    :raise FileNotFoundError: it is not there.
    """
    return load(default_schema_path())


@cache
def schema_2014(state: str) -> Schema:
    """The schema of 2014 in one of its states: "before", "string" or "read-pattern".

    :raise FileNotFoundError: it is not there.
    """
    return load(schema_path_2014(state))

# SPDX-License-Identifier: GPL-2.0-or-later
"""The schema that ships with qsim, read once."""

from functools import cache

from .loader import load
from .paths import default_schema_path
from .schema import Schema


@cache
def shipped_schema() -> Schema:
    """The shipped schema.

    :raise FileNotFoundError: it is not there.
    """
    return load(default_schema_path())

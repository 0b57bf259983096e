# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the schema that ships with qsim is."""

from pathlib import Path

from qsim.data import data_path


def default_schema_path() -> Path:
    """The schema that ships with qsim.

    :raise FileNotFoundError: neither the package nor a source checkout has it.
    """
    return data_path("schema") / "block-core.json"


def default_explained_path() -> Path:
    """The explained differences that ship with the schema.

    :raise FileNotFoundError: neither the package nor a source checkout has them.
    """
    return data_path("schema") / "explained.yaml"


def schema_path_2014(state: str) -> Path:
    """The schema of 2014 in one of its states: "before", "string" or "read-pattern".

    :raise FileNotFoundError: neither the package nor a source checkout has it.
    """
    return data_path("schema") / "2014" / f"{state}.json"

# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the schema that ships with qsim is."""

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent.parent
# In an installed package; in a source checkout.
_PLACES: Final = (_PACKAGE / "_data" / "schema", _PACKAGE.parent / "schema")


def default_schema_path() -> Path:
    """The schema that ships with qsim.

    :raise FileNotFoundError: neither the package nor a source checkout has it.
    """
    return _find("block-core.json")


def default_explained_path() -> Path:
    """The explained differences that ship with the schema.

    :raise FileNotFoundError: neither the package nor a source checkout has them.
    """
    return _find("explained.yaml")


def _find(name: str) -> Path:
    for place in _PLACES:
        if (place / name).is_file():
            return place / name
    raise FileNotFoundError(f"{name} is in none of {', '.join(map(str, _PLACES))}; is qsim "
                            "installed completely?")

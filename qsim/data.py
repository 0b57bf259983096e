# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the package's data lies: beside the checkout, or inside an installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent


def data_path(name: str) -> Path:
    """The folder ``name`` (``fixtures`` or ``schema``).

    :raise FileNotFoundError: when this is neither a checkout nor an installation.
    """
    for candidate in (_PACKAGE / "_data" / name, _CHECKOUT / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"no {name} folder beside or inside {_PACKAGE}; reinstall qsim")

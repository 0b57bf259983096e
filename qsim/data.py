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


def fixtures_path() -> Path:
    """The fixtures: those of the checkout one stands in, else those that came with the package.

    :raise FileNotFoundError: when there are neither.
    """
    here = Path.cwd()
    if (here / "conformance" / "test_scenarios.py").exists() and (here / "fixtures").is_dir():
        return here / "fixtures"
    return data_path("fixtures")

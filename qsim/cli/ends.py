# SPDX-License-Identifier: GPL-2.0-or-later
"""The exit statuses, as the end of a command's help."""

from __future__ import annotations

#: What every command that reads scenarios can end with, and one that starts a binary.
WRONG = "2  the command line or a scenario is wrong"
NO_BINARY = "3  the binary cannot be used; one line says why"


def ends(*others: str, fine: str) -> str:
    """The epilog of a command: what 0 means, and each other status with its meaning."""
    lines = [one.partition("  ") for one in (f"0  {fine}", *others)]
    return "\n".join(["\b", "Exit status:", *(f"{code:>5}  {text}" for code, _, text in lines)])

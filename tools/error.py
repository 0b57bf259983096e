# SPDX-License-Identifier: GPL-2.0-or-later
"""What a tool cannot do, and what to do about it."""

from __future__ import annotations


class ToolError(Exception):
    """The message says what is wrong and what to do."""

# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario leaves open: ``any of A, B``, ``any of ok, EIO, write ENOSPC``."""

from __future__ import annotations

from typing import Any

PREFIX = "any of "


def alternatives(raw: Any) -> list[str] | None:
    """The alternatives of a text that leaves something open, None when it does not.

    :raise ValueError: when there are fewer than two, or two are the same.
    """
    if not isinstance(raw, str) or not raw.startswith(PREFIX):
        return None
    texts = [text.strip() for text in raw.removeprefix(PREFIX).split(",")]
    if len(texts) < 2 or len(set(texts)) != len(texts) or "" in texts:
        raise ValueError(f"{raw!r}: give two or more alternatives, each once, with commas between")
    return texts

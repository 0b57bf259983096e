# SPDX-License-Identifier: GPL-2.0-or-later
"""What a wrong scenario is answered with: file, line, key, and what to do."""

from __future__ import annotations


class ScenarioError(Exception):
    """A scenario file that cannot be used.

    :param path: the file.
    :param line: the line, from 1; 0 when the whole file is meant.
    :param key: where in the document, e.g. ``cases[2].steps[0].read``.
    :param message: what is wrong and what to do.
    """

    def __init__(self, path: str, line: int, key: str, message: str) -> None:
        where = f"{path}:{line}" if line else path
        super().__init__(f"{where}: {key}: {message}" if key else f"{where}: {message}")
        self.path = path
        self.line = line
        self.key = key
        self.message = message


class ModelError(ScenarioError):
    """A scenario the model fails on by a mistake of its own."""

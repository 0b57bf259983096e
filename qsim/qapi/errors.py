# SPDX-License-Identifier: GPL-2.0-or-later
"""The two things that go wrong here: a file that says nonsense, a value that does not fit.

::

    Exception
     +-- QapiError        a file (schema, explained.yaml) is wrong: path, line, message
     +-- QapiValueError   a value does not conform to the schema: subject, problems
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path


class QapiError(Exception):
    """A file could not be read.

    :param path: the file at fault.
    :param line: the line at fault, from 1.
    :param message: what is wrong and, where it can be said, what to do.
    """

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line
        self.message = message


@dataclass(frozen=True)
class Problem:
    """One way in which a value does not conform.

    :param path: where in the value, as ``children[0].driver``; empty for the value itself.
    :param message: what is wrong there.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class QapiValueError(Exception):
    """A value does not conform to the schema.

    :param subject: what was checked, as ``command blockdev-add``.
    :param problems: what is wrong with it, the most telling first; never empty.
    """

    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        assert self.problems, "an error without a problem"
        super().__init__(f"{subject}: {self.problems[0]}")


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Text to append to a message about an unknown name; empty if nothing comes close."""
    close = get_close_matches(wrong, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""

# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases that say what is done and leave open what must be seen: generated ones, for instance."""

from __future__ import annotations

from typing import Any

from qsim.scenario.case import Case, Expectation
from qsim.scenario.jobs import Jobs
from qsim.scenario.lines import Document, Path
from qsim.scenario.load import Loader


class _AskedJobs(Jobs):
    def second(self, path: Path) -> None:
        """Whether the first is there still is not said."""


class _AskedLoader(Loader):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.jobs = _AskedJobs(self.fail, bool(self.raw.get("images")))

    def expectation(self, raw: Any, path: Path, verb: str, step: Any) -> Expectation | None:
        """Nothing is expected."""
        return None


def load_asked(raw: dict[str, Any], family: str = "asked") -> Case:
    """The case that ``raw`` is, in the form a file has it, without any expectation.

    Its shape is not checked against the JSON Schema, only what it means.

    :param family: the name of its family; errors give it instead of a file.
    :raise ScenarioError: for the first mistake.
    """
    document = Document.of(family, {"family": family, "source": family, "cases": [raw]})
    return _AskedLoader(document, ("cases", 0), raw, document.data, ()).case()

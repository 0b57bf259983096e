# SPDX-License-Identifier: GPL-2.0-or-later
"""Differences that are known already, so that a campaign goes on past them.

A file of them is a YAML list; each has a ``name``, the ``reason``, and what it is known by.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from qsim.outcome import Difference
from qsim.scenario.error import ScenarioError


@dataclass(frozen=True)
class Known:
    """A known difference.

    :param name: by which it is counted.
    :param reason: why it is there, or which fixture has it.
    :param field: a regular expression for the whole name of the field, such as ``ret|data``.
    :param text: one for a part of the difference's text.
    :param scenario: one for a part of the scenario as canonical JSON.
    :param revisions: the revisions it is known of; of all when empty.
    :param goes_on: whether whatever differs later in the scenario follows from it.
    """

    name: str
    reason: str
    field: str = ".*"
    text: str = ""
    scenario: str = ""
    revisions: tuple[str, ...] = ()
    goes_on: bool = False

    def covers(self, one: Difference, scenario: str, revision: str) -> bool:
        """Whether this is it, by a difference and its scenario."""
        return (
            (not self.revisions or revision in self.revisions)
            and re.fullmatch(self.field, one.what) is not None
            and re.search(self.text, str(one), re.DOTALL) is not None
            and re.search(self.scenario, scenario) is not None
        )


def name_of(
    known: Sequence[Known], found: Sequence[Difference], scenario: str, revision: str
) -> str | None:
    """By which name a scenario is known to differ, if all that differs is known.

    :param found: what differs, in the order of the steps.
    """
    first = None
    for difference in found:
        by = next((one for one in known if one.covers(difference, scenario, revision)), None)
        if by is None:
            return None
        if by.goes_on:
            return (first or by).name
        first = first or by
    return first.name if first else None


def read_known(path: Path) -> list[Known]:
    """The known differences of a file.

    :raise ScenarioError: when the file is not as it should be.
    """
    try:
        entries = yaml.safe_load(path.read_text("utf-8")) or []
        return [_known(entry) for entry in entries]
    except (OSError, yaml.YAMLError, TypeError, ValueError, re.error) as error:
        raise ScenarioError(str(path), 0, "", f"no list of known differences: {error}") from error


def shipped_known() -> list[Known]:
    """The known differences that come with the package."""
    with resources.as_file(resources.files("qsim.fuzz") / "known.yaml") as path:
        return read_known(path)


def _known(entry: Any) -> Known:
    if not isinstance(entry, dict):
        raise TypeError(f"{entry!r} is no mapping")
    if not isinstance(entry.get("goes_on", False), bool):
        raise ValueError(f"{entry.get('name')}: goes_on must be true or false")
    revisions = entry.get("revisions", ())
    if not isinstance(revisions, list | tuple):
        raise ValueError(f"{entry.get('name')}: revisions must be a list")
    one = Known(**{**entry, "revisions": tuple(revisions)})
    for pattern in (one.field, one.text, one.scenario):
        re.compile(pattern)
    return one

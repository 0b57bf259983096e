# SPDX-License-Identifier: GPL-2.0-or-later
"""What several of these tests start from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from qsim.qapi import Explanation, Schema, default_schema_path, load, read_explained
from qsim.qapi.paths import default_explained_path

Loader = Callable[..., Schema]


@pytest.fixture
def schema_of(tmp_path: Path) -> Loader:
    """Load a schema from text; further files by name, as ``{"b.json": …}``."""

    def load_text(text: str, files: dict[str, str] | None = None) -> Schema:
        for name, content in {**(files or {}), "a.json": text}.items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        return load(tmp_path / "a.json")

    return load_text


@pytest.fixture(scope="session")
def shipped() -> Schema:
    """The schema that ships with qsim."""
    return load(default_schema_path())


@pytest.fixture(scope="session")
def explanations() -> list[Explanation]:
    """The explained differences that ship with it."""
    return read_explained(default_explained_path())

# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenario language: load a file, check it, and say what is wrong and where.

A file is a family of cases about one behaviour.  ``scenario.schema.json`` is its shape,
``content.py`` and ``notation.py`` the short forms for bytes, requests and events, ``case.py``
what a case is once loaded, ``load.py`` and ``expect.py`` the way from the one to the other.
"""

from qsim.scenario.case import Case, ChildSpec, Expectation, Step
from qsim.scenario.error import ScenarioError
from qsim.scenario.load import load_file, load_paths

__all__ = [
    "Case", "ChildSpec", "Expectation", "ScenarioError", "Step", "load_file", "load_paths",
]  # fmt: skip

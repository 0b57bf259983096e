# SPDX-License-Identifier: GPL-2.0-or-later
"""Loads the plugin where the package is not installed but only on the path."""

from __future__ import annotations

import pytest

from conformance import plugin


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the plugin unless its entry point has done so."""
    if not pluginmanager.has_plugin("qsim-conformance"):
        pluginmanager.register(plugin, "qsim-conformance")

# SPDX-License-Identifier: GPL-2.0-or-later
"""The conformance suite, for ``pytest conformance``; it is in the package, for those without."""

from qsim.conformance import compared, test_every_way, test_fuzz, test_leaks, test_scenario

__all__ = ["compared", "test_every_way", "test_fuzz", "test_leaks", "test_scenario"]

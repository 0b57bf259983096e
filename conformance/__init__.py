# SPDX-License-Identifier: GPL-2.0-or-later
"""The conformance suite: every fixture on the model and on the binary named by ``--qemu``.

``plugin.py`` is a pytest plugin (options, the QEMU processes in the background, the closing
table); ``test_scenarios.py`` are the tests it feeds.
"""

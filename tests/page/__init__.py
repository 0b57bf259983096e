# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the report: its facts, its text, and how it is in a browser."""

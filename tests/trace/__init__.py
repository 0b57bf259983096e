# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of what is told of a run."""

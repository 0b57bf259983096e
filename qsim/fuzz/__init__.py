# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzing: scenarios nobody has thought of, on model and binary, and the smallest that differ.

Needs Hypothesis, which only this room imports.
"""

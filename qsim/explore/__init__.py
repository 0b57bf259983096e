# SPDX-License-Identifier: GPL-2.0-or-later
"""Exploration: every way a case can go on the model, and what is wrong with any of them.

Every order in which children can answer, every point at which to cancel, every fault and content
a scenario leaves open.
"""

# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of what is written for who has no qsim."""

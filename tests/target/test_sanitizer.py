# SPDX-License-Identifier: GPL-2.0-or-later
"""Binaries built with sanitizers."""

from __future__ import annotations

import os

from qsim.target.sanitizer import environment, has_asan


def test_what_is_left_at_exit_is_no_leak_unless_the_user_says_so() -> None:
    assert environment({}) == {"ASAN_OPTIONS": "detect_leaks=0"}
    # Of two values of an option the last one counts.
    user = {"ASAN_OPTIONS": "detect_leaks=1:log_path=/tmp/asan"}
    assert environment(user) == {"ASAN_OPTIONS": "detect_leaks=0:detect_leaks=1:log_path=/tmp/asan"}


def test_an_ordinary_process_has_no_shadow() -> None:
    assert not has_asan(os.getpid())

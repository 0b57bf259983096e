# SPDX-License-Identifier: GPL-2.0-or-later
"""How these tests find their QEMU: in CI nothing is skipped silently."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

Find = Callable[[Mapping[str, str]], str]


def test_missing_binary_fails_in_ci(find_qemu: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(pytest.fail.Exception, match="no QEMU at /usr/bin/qemu-system-x86_64"):
        find_qemu({"CI": "1"})


def test_missing_binary_that_was_named_fails_anywhere(find_qemu: Find) -> None:
    with pytest.raises(pytest.fail.Exception, match="no QEMU at /no/such"):
        find_qemu({"QSIM_QEMU": "/no/such"})


def test_missing_binary_is_skipped_loudly_elsewhere(
    find_qemu: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(pytest.skip.Exception, match="NOTHING WAS TESTED ON A REAL QEMU"):
        find_qemu({})


def test_named_binary_is_taken(find_qemu: Find) -> None:
    assert find_qemu({"QSIM_QEMU": "/bin/sh", "CI": "1"}) == "/bin/sh"

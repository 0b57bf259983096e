# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong with a binary or with the machine, each with one line that says so."""

from __future__ import annotations


class TargetError(Exception):
    """A target that cannot be used at all; the message says why and what to do."""


class NotUsable(TargetError):
    """The path is no QEMU that can run scenarios."""


class QemuDied(Exception):
    """The process ended by itself.

    :param status: the exit status; negative is the number of the signal, as in subprocess.
    :param stderr: what it wrote there since the scenario began.
    """

    def __init__(self, status: int, stderr: str) -> None:
        super().__init__(f"QEMU ended with status {status}: {stderr or 'nothing on stderr'}")
        self.status = status
        self.stderr = stderr


class QemuHung(Exception):
    """QEMU did not do in time what was waited for."""

# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors a QMP command can end with, and the end of the process."""

from __future__ import annotations


class QmpError(Exception):
    """error_setg(): a command fails with this text.

    :param desc: the error's ``desc`` member.
    :param ret: the negative errno that goes with it inside QEMU.
    :param klass: the error's ``class`` member.
    """

    def __init__(self, desc: str, ret: int = -22, klass: str = "GenericError") -> None:
        super().__init__(desc)
        self.desc = desc
        self.ret = ret
        self.klass = klass


class ProcessExit(BaseException):
    """exit(): the process ends with ``status`` and these last words on stderr.

    Not an :class:`Exception`: nothing in the model may catch it but the target that runs it.
    """

    def __init__(self, status: int, stderr: str) -> None:
        super().__init__(f"exit({status}): {stderr}")
        self.status = status
        self.stderr = stderr

# SPDX-License-Identifier: GPL-2.0-or-later
"""Errno names, numbers and texts: Linux numbers, glibc's strerror() in the C locale.

A table and not :mod:`errno`/:func:`os.strerror`, so that outcomes are the same on any machine.
"""

from __future__ import annotations

#: name -> (number, text).  EOPNOTSUPP and ENOTSUP are one number on Linux.
TABLE: dict[str, tuple[int, str]] = {
    "EPERM": (1, "Operation not permitted"),
    "ENOENT": (2, "No such file or directory"),
    "EIO": (5, "Input/output error"),
    "EBADF": (9, "Bad file descriptor"),
    "EAGAIN": (11, "Resource temporarily unavailable"),
    "ENOMEM": (12, "Cannot allocate memory"),
    "EACCES": (13, "Permission denied"),
    "EBUSY": (16, "Device or resource busy"),
    "EINVAL": (22, "Invalid argument"),
    "EFBIG": (27, "File too large"),
    "ENOSPC": (28, "No space left on device"),
    "EROFS": (30, "Read-only file system"),
    "ERANGE": (34, "Numerical result out of range"),
    "EOVERFLOW": (75, "Value too large for defined data type"),
    "ENOTSUP": (95, "Operation not supported"),
    "ESHUTDOWN": (108, "Cannot send after transport endpoint shutdown"),
    "ECANCELED": (125, "Operation canceled"),
    "ENOMEDIUM": (123, "No medium found"),
}

#: The errnos that reach the driver unchanged through an NBD child; all others become EINVAL
#: (NBD protocol document, "Error values").
NBD_ERRNOS = ("EPERM", "EIO", "ENOMEM", "EINVAL", "ENOSPC", "EOVERFLOW", "ENOTSUP", "ESHUTDOWN")

_NAMES = {number: name for name, (number, _) in TABLE.items()}
_NUMBERS = {name: number for name, (number, _) in TABLE.items()} | {"EOPNOTSUPP": 95}


def number(name: str) -> int:
    """The positive number of an errno name.

    :raise KeyError: for a name not in :data:`TABLE`.
    """
    return _NUMBERS[name]


def name(errno: int) -> str:
    """The name of a positive errno, or its number as text when it has none here."""
    return _NAMES.get(errno, str(errno))


def strerror(errno: int) -> str:
    """The text glibc's strerror() has for a positive errno."""
    if errno in _NAMES:
        return TABLE[_NAMES[errno]][1]
    return f"Unknown error {errno}"


def errno_of(text: str) -> str | None:
    """The name of the errno that strerror() gives ``text`` for, None for another text."""
    return next((name for name, (_, known) in TABLE.items() if known == text), None)


#: What NBD carried from May 2015 on; all other errors became EINVAL.
_FEW = {_NUMBERS[name] for name in ("EPERM", "EIO", "ENOMEM", "ENOSPC")}


def nbd_errno_to_system_errno(errno: int) -> int:
    """What an NBD client of 2015 made of an error on the wire; 0 stays 0."""
    return errno if errno in _FEW or not errno else _NUMBERS["EINVAL"]


def system_errno_to_nbd_errno(errno: int) -> int:
    """What an NBD server of 2015 put on the wire; 0 stays 0."""
    return _NUMBERS["ENOSPC"] if errno == _NUMBERS["EFBIG"] else nbd_errno_to_system_errno(errno)

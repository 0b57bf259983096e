# SPDX-License-Identifier: GPL-2.0-or-later
"""The NBD protocol as both ends use it: numbers and packing.

Names and numbers are those of the NBD protocol document (``doc/proto.md`` of the NBD project);
a section named below is a section of that document.  Everything on the wire is big endian.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from enum import IntEnum, IntFlag
from typing import Final

MAGIC: Final = 0x4E42444D41474943  # "NBDMAGIC"
OPTION_MAGIC: Final = 0x49484156454F5054  # "IHAVEOPT"
OPTION_REPLY_MAGIC: Final = 0x3E889045565A9
REQUEST_MAGIC: Final = 0x25609513
SIMPLE_REPLY_MAGIC: Final = 0x67446698
CHUNK_MAGIC: Final = 0x668E33EF

#: The largest payload of a request or a reply, in bytes ("Block size constraints").
MAX_PAYLOAD: Final = 32 * 1024 * 1024
#: The longest option either end accepts, in bytes; far more than a name and its queries need.
MAX_OPTION: Final = 64 * 1024
#: The longest string the protocol allows, in bytes ("Values", export names).
MAX_STRING: Final = 4096
BASE_ALLOCATION: Final = "base:allocation"

GREETING: Final = struct.Struct(">QQH")
OPTION: Final = struct.Struct(">QII")
OPTION_REPLY: Final = struct.Struct(">QIII")
REQUEST: Final = struct.Struct(">IHHQQI")
SIMPLE_REPLY: Final = struct.Struct(">IIQ")
CHUNK: Final = struct.Struct(">IHHQI")
U16: Final = struct.Struct(">H")
U32: Final = struct.Struct(">I")
U64: Final = struct.Struct(">Q")
INFO_EXPORT: Final = struct.Struct(">HQH")
INFO_BLOCK_SIZE: Final = struct.Struct(">HIII")
EXTENT: Final = struct.Struct(">II")
ERROR_PAYLOAD: Final = struct.Struct(">IH")
HOLE_PAYLOAD: Final = struct.Struct(">QI")


class Handshake(IntFlag):
    """Flags both ends send first ("Handshake flags", "Client flags")."""

    FIXED_NEWSTYLE = 1 << 0
    NO_ZEROES = 1 << 1


class Transmission(IntFlag):
    """What an export can do ("Transmission flags")."""

    HAS_FLAGS = 1 << 0
    READ_ONLY = 1 << 1
    SEND_FLUSH = 1 << 2
    SEND_FUA = 1 << 3
    SEND_TRIM = 1 << 5
    SEND_WRITE_ZEROES = 1 << 6
    SEND_DF = 1 << 7
    SEND_FAST_ZERO = 1 << 11


class Opt(IntEnum):
    """Option types ("Option types")."""

    EXPORT_NAME = 1
    ABORT = 2
    LIST = 3
    INFO = 6
    GO = 7
    STRUCTURED_REPLY = 8
    LIST_META_CONTEXT = 9
    SET_META_CONTEXT = 10


class Rep(IntEnum):
    """Option reply types ("Option reply types"); errors have the top bit set."""

    ACK = 1
    SERVER = 2
    INFO = 3
    META_CONTEXT = 4
    ERR_UNSUP = 1 << 31 | 1
    ERR_INVALID = 1 << 31 | 3
    ERR_UNKNOWN = 1 << 31 | 6
    ERR_SHUTDOWN = 1 << 31 | 7
    ERR_TOO_BIG = 1 << 31 | 9


REP_ERROR: Final = 1 << 31


class Info(IntEnum):
    """What ``INFO`` and ``GO`` can tell of an export ("Option reply types", NBD_REP_INFO)."""

    EXPORT = 0
    BLOCK_SIZE = 3


class Cmd(IntEnum):
    """Request types ("Request types")."""

    READ = 0
    WRITE = 1
    DISC = 2
    FLUSH = 3
    TRIM = 4
    WRITE_ZEROES = 6
    BLOCK_STATUS = 7


class CmdFlag(IntFlag):
    """Command flags ("Command flags")."""

    FUA = 1 << 0
    NO_HOLE = 1 << 1
    DF = 1 << 2
    REQ_ONE = 1 << 3
    FAST_ZERO = 1 << 4


class Chunk(IntEnum):
    """Structured reply types ("Structured reply types")."""

    NONE = 0
    OFFSET_DATA = 1
    OFFSET_HOLE = 2
    BLOCK_STATUS = 5
    ERROR = 1 << 15 | 1
    ERROR_OFFSET = 1 << 15 | 2


CHUNK_ERROR: Final = 1 << 15
CHUNK_DONE: Final = 1

#: Bits of a base:allocation extent ("base: metadata context").
STATE_HOLE: Final = 1 << 0
STATE_ZERO: Final = 1 << 1

#: Operations by the name a scenario uses (:data:`qsim.block.child.OPS`).
CMD_OF_OP: Final = {
    "read": Cmd.READ,
    "write": Cmd.WRITE,
    "write-zeroes": Cmd.WRITE_ZEROES,
    "flush": Cmd.FLUSH,
    "block-status": Cmd.BLOCK_STATUS,
    "discard": Cmd.TRIM,
}
#: Flags by the name a scenario uses, in the order of :data:`qsim.block.child.FLAGS`.
CMD_FLAG_OF_NAME: Final = {
    "fua": CmdFlag.FUA,
    "no-hole": CmdFlag.NO_HOLE,
    "fast-zero": CmdFlag.FAST_ZERO,
}

# The protocol's error values ("Error values") are Linux's errno numbers, on purpose.
_ERRORS: Final = frozenset(
    {
        errno.EPERM,
        errno.EIO,
        errno.ENOMEM,
        errno.EINVAL,
        errno.ENOSPC,
        errno.EOVERFLOW,
        errno.EOPNOTSUPP,
        errno.ESHUTDOWN,
    }
)


class NbdError(Exception):
    """What goes wrong with an NBD connection."""


class NbdProtocolError(NbdError):
    """The other end broke the protocol; the connection is of no further use."""


def to_wire(err: int) -> int:
    """The NBD error for errno ``err`` (0 stays 0); EINVAL for those NBD has no number for."""
    return err if err == 0 or err in _ERRORS else errno.EINVAL


def from_wire(error: int) -> int:
    """The errno for NBD error ``error``; EINVAL for unknown ones, as QEMU's client has it."""
    return to_wire(error)


def option(opt: int, data: bytes = b"") -> bytes:
    """A client's option ("Fixed newstyle negotiation")."""
    return OPTION.pack(OPTION_MAGIC, opt, len(data)) + data


def option_reply(opt: int, kind: int, data: bytes = b"") -> bytes:
    """A server's reply to option ``opt`` ("Fixed newstyle negotiation")."""
    return OPTION_REPLY.pack(OPTION_REPLY_MAGIC, opt, kind, len(data)) + data


def pack_string(text: str) -> bytes:
    """A string with its length in front.

    :raise ValueError: if it is longer than :data:`MAX_STRING` bytes.
    """
    raw = text.encode()
    if len(raw) > MAX_STRING:
        raise ValueError(f"{text[:40]!r}… is longer than NBD's {MAX_STRING} bytes")
    return U32.pack(len(raw)) + raw


def pack_go(export: str, infos: Iterable[int]) -> bytes:
    """The data of NBD_OPT_GO and NBD_OPT_INFO ("Option types")."""
    wanted = list(infos)
    head = pack_string(export) + U16.pack(len(wanted))
    return head + b"".join(U16.pack(info) for info in wanted)


def pack_contexts(export: str, queries: Iterable[str]) -> bytes:
    """The data of NBD_OPT_SET_META_CONTEXT and NBD_OPT_LIST_META_CONTEXT ("Option types")."""
    wanted = list(queries)
    head = pack_string(export) + U32.pack(len(wanted))
    return head + b"".join(pack_string(query) for query in wanted)


def unpack_go(data: bytes) -> tuple[str, tuple[int, ...]]:
    """Export name and wanted infos, the inverse of :func:`pack_go`.

    :raise NbdProtocolError: if ``data`` is too short, too long or not UTF-8.
    """
    export, at = _unpack_string(data, 0)
    if len(data) < at + U16.size:
        raise NbdProtocolError("option data ends before the number of infos")
    (count,) = U16.unpack_from(data, at)
    if len(data) != at + U16.size * (1 + count):
        raise NbdProtocolError(f"option data does not hold exactly {count} infos")
    return export, struct.unpack_from(f">{count}H", data, at + U16.size)


def unpack_contexts(data: bytes) -> tuple[str, tuple[str, ...]]:
    """Export name and queries, the inverse of :func:`pack_contexts`.

    :raise NbdProtocolError: if ``data`` is too short, too long or not UTF-8.
    """
    export, at = _unpack_string(data, 0)
    if len(data) < at + U32.size:
        raise NbdProtocolError("option data ends before the number of queries")
    (count,) = U32.unpack_from(data, at)
    at += U32.size
    queries = []
    for _ in range(min(count, MAX_OPTION)):
        query, at = _unpack_string(data, at)
        queries.append(query)
    if len(data) != at:
        raise NbdProtocolError(f"option data goes on after {count} queries")
    return export, tuple(queries)


def _unpack_string(data: bytes, at: int) -> tuple[str, int]:
    """The string at ``at`` and the offset behind it."""
    if len(data) < at + U32.size:
        raise NbdProtocolError("option data ends before a string's length")
    (length,) = U32.unpack_from(data, at)
    start, end = at + U32.size, at + U32.size + length
    if length > MAX_STRING or len(data) < end:
        raise NbdProtocolError(f"a string of {length} bytes does not fit its option")
    try:
        return data[start:end].decode(), end
    except UnicodeDecodeError as error:
        raise NbdProtocolError("a string in an option is not UTF-8") from error

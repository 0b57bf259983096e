# SPDX-License-Identifier: GPL-2.0-or-later
"""The words of the table: requests, commands, and nodes.

All children are nodes inside QEMU, so that a repetition costs some ten microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: What a ``file`` node reads where a ``null-co`` node reads zeroes.
PATTERN = b"\xaa"
KIB, MIB = 1 << 10, 1 << 20
#: The size of every small child in bytes.
SIZE = 64 * KIB

Node = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """A guest's request.

    :param fails: whether an error must come back, None where releases differ; which one is for
        the cases to say.
    """

    op: str
    bytes: int = 512
    fails: bool | None = False


@dataclass(frozen=True)
class Command:
    """A monitor command.

    :param error: a part of the text it must be refused with, "" when it must not be.
    """

    execute: str
    arguments: Node
    error: str = ""


@dataclass(frozen=True)
class Repeated:
    """Something to repeat.

    :param what: one repetition in words.
    :param functions: of block/quorum.c, that it runs through.
    :param nodes: what to make with blockdev-add before; the guest's is called ``q``.
    :param requests: one repetition, when it is the guest's.
    :param commands: one repetition, when it is the monitor's.
    :param before: requests to send once, before anything is repeated.
    :param times: repetitions between two looks at the memory.
    :param warm_up: repetitions before the first.
    :param harmless: a growth of so many bytes in ``times`` repetitions says nothing: more than
        healthy binaries show.  The smallest thing that can be lost takes 32 of the heap.
    """

    name: str
    what: str
    functions: tuple[str, ...]
    nodes: tuple[Node, ...]
    requests: tuple[Request, ...] = ()
    commands: tuple[Command, ...] = ()
    before: tuple[Request, ...] = ()
    times: int = 4096
    warm_up: int = 1024
    harmless: int = 40 * KIB


def null(name: str, size: int = SIZE) -> Node:
    """A child that holds zeroes and forgets what is written."""
    return {"driver": "null-co", "node-name": name, "size": size, "read-zeroes": True}


def other(name: str) -> Node:
    """A child that holds :data:`PATTERN`, in a file of its own."""
    return {"driver": "file", "node-name": name}


def failing(name: str, iotype: str, image: str | Node, errno: int = 5) -> Node:
    """A child that fails at one kind of request (blkdebug: ``none`` happens when it is opened)."""
    rule = {"event": "none", "iotype": iotype, "errno": errno, "once": False}
    return {"driver": "blkdebug", "node-name": name, "image": image, "inject-error": [rule]}


def quorum(*children: str, threshold: int = 2, **options: Any) -> Node:
    """The node ``q``."""
    return {
        **{"driver": "quorum", "node-name": "q", "children": list(children)},
        **{"vote-threshold": threshold, **options},
    }


def over(*children: Node, threshold: int = 2, **options: Any) -> tuple[Node, ...]:
    """Children, and a quorum node of them."""
    names = [child["node-name"] for child in children]
    return (*children, quorum(*names, threshold=threshold, **options))


def failures(iotype: str, count: int) -> tuple[Node, ...]:
    """Three children of which the first ``count`` fail, with different errors."""
    errors = (5, 28, 12)[:count]
    some = [failing(f"c{i}", iotype, null(f"n{i}"), errno=error) for i, error in enumerate(errors)]
    return over(*some, *(null(f"c{i}") for i in range(count, 3)))

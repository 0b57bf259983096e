# SPDX-License-Identifier: GPL-2.0-or-later
"""A case once loaded: what the children are, what goes wrong, what is asked, what must be seen."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from qsim.block.child import Fault, Request, ScriptedChild
from qsim.block.events import Event
from qsim.block.sparse import Sparse
from qsim.block.stage import StopAfter
from qsim.scenario.content import Content

#: The guest's operations.
IO_VERBS = ("read", "write", "write-zeroes", "discard", "flush", "block-status")
#: Steps of which nothing is seen.
SILENT = ("set", "kill")


#: What is seen of a command given meanwhile that begins only when all requests have ended.
WAITS = "waits for the requests, returns {}"
#: The same of one that is refused: at once, or when the requests have ended.
REFUSED = "is refused at once: "
WAITS_REFUSED = "waits for the requests, is refused: "
#: What must not be.
ENDS_EARLY = "ends while children hold requests"

#: The result of a request whose caller gave it up and was not called back.
CANCELLED = "cancelled"


@dataclass(frozen=True)
class OpenFaults:
    """One alternative of faults that are left open: its text, and the faults."""

    text: str
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class OpenContent:
    """One alternative of contents that are left open."""

    text: str
    content: Content


@dataclass(frozen=True)
class ChildSpec:
    """One scripted child as the scenario describes it; sizes in bytes.

    ``node`` are further options of its block node, as ``blockdev-add`` takes them.  Of what is
    left open, ``content`` has the first alternative and ``faults`` none.
    """

    name: str
    content: Content
    block_size: int
    features: frozenset[str]
    node: dict[str, Any]
    faults: tuple[Fault, ...]
    open_contents: tuple[OpenContent, ...] = ()
    open_faults: tuple[OpenFaults, ...] = ()

    def make(self) -> ScriptedChild:
        """A fresh child, for one run."""
        return ScriptedChild(
            self.name,
            self.content.data.copy(),
            self.block_size,
            self.features,
            bool(self.node.get("read-only", False)),
            list(self.content.holes),
            [fault.copy() for fault in self.faults],
        )


@dataclass(frozen=True)
class Answer:
    """What one guest request is answered with; ``extent`` is (kind, bytes)."""

    ret: str
    data: bytes | None = None
    extent: tuple[str, int] | None = None


@dataclass(frozen=True)
class Expectation:
    """What a step must show.  ``line`` is where it is written.

    ``requests`` are the rounds, None where nobody can see them (image files); ``error`` is
    (class, desc) of a QMP command that must fail.  ``answers`` and ``finish`` are for requests
    in flight together: each one's answer, and the order in which they were answered.
    ``meanwhile`` says when the command given meanwhile ends, and how.
    ``undefined`` is where C's behaviour ends to be defined, which ends the run.
    ``contents`` are what children hold at the end, where that is left open otherwise; ``when``
    says which of the alternatives of which children it is for.
    """

    line: int
    ret: str | None = None
    data: bytes | None = None
    extent: tuple[str, int] | None = None
    requests: tuple[tuple[Request, ...], ...] | None = ()
    events: tuple[Event, ...] = ()
    returns: Any = None
    error: tuple[str, str] | None = None
    exit: tuple[int, str] | None = None
    answers: tuple[Answer, ...] = ()
    finish: tuple[int, ...] = ()
    undefined: str | None = None
    meanwhile: str | None = None
    contents: dict[str, Sparse] = field(default_factory=dict)
    when: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Leak:
    """Memory nobody frees: ``what`` of which function, and in which revisions."""

    what: str
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True)
class Step:
    """One thing done: a guest request, several together (``parts``), a QMP command, bytes changed
    behind the driver's back, or the process killed, after which another goes on with the same
    children.  ``meanwhile`` is a command given while the children hold what the requests have
    asked of them.

    ``job`` is the block job there is while the step is done, from the command that starts it to
    the step it ends in: the step then goes on until the job rests, or to ``stop_after``.

    ``any_order`` leaves the order of completions open, ``open_faults`` the faults of a child.
    ``allowed`` is then what may be seen, but for its order, and ``expect`` is None; ``foreseen``
    that which should come of it as things are.
    """

    line: int
    verb: str
    offset: int = 0
    bytes: int = 0
    data: builtins.bytes | None = None
    flags: tuple[str, ...] = ()
    command: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    faults: dict[str, tuple[Fault, ...]] = field(default_factory=dict)
    complete: tuple[str, ...] = ()
    parts: tuple[Step, ...] = ()
    meanwhile: Step | None = None
    expect: Expectation | None = None
    any_order: bool = False
    open_faults: dict[str, tuple[OpenFaults, ...]] = field(default_factory=dict)
    allowed: tuple[Expectation, ...] = ()
    foreseen: Expectation | None = None
    job: str = ""
    stop_after: StopAfter | None = None

    @property
    def expected(self) -> tuple[Expectation, ...]:
        """All that may be seen of it, for who has to know that beforehand."""
        one = self.foreseen or self.expect
        return self.allowed if one is None else (one,)

    def __str__(self) -> str:
        if self.verb in IO_VERBS:
            words = [self.verb]
            if self.verb != "flush":
                words += [str(self.offset), str(self.bytes)]
            return " ".join([*words, *self.flags]) + self._command()
        if self.verb == "together":
            return " | ".join(map(str, self.parts)) + self._command()
        if self.verb == "qmp":
            return f"qmp {self.command}"
        return self.verb

    def _command(self) -> str:
        return f" and {self.meanwhile}" if self.meanwhile else ""


@dataclass(frozen=True)
class Case:
    """One scenario.

    :param options: the quorum node's options as ``blockdev-add`` takes them; None with ``drive``.
    :param drive: a ``-drive`` string as the command line takes it.
    :param above: the ``align`` of a blkdebug node put over the quorum node, in bytes, or None.
    :param guest: "writable", "read-only" or "none".
    :param contents: what every child must hold at the end.
    :param without: revisions between ``since`` and ``until`` where it does not hold.
    :param leaks: what the run leaves allocated.
    :param fixed: which commit ended what it shows, or what is known of that.
    :param bug: what is wrong with what it shows, and where that is known; "" for right behaviour.
    :param way: of a case that leaves something open, the name or id of the only way that is meant.
    :param raw: the case as its file has it, the file's defaults filled in.
    """

    family: str
    name: str
    file: str
    line: int
    source: str
    children: dict[str, ChildSpec]
    options: dict[str, Any] | None
    opening: Step
    steps: tuple[Step, ...]
    contents: dict[str, Sparse]
    guest: str = "writable"
    above: int | None = None
    drive: str | None = None
    images: dict[str, ChildSpec] = field(default_factory=dict)
    since: str | None = None
    until: str | None = None
    without: tuple[str, ...] = ()
    leaks: tuple[Leak, ...] = ()
    fixed: str = ""
    bug: str = ""
    way: str = ""
    raw: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether it leaves something open: an order, faults, contents."""
        return any(step.any_order or step.open_faults for step in self.steps) or any(
            spec.open_contents or spec.open_faults for spec in self.children.values()
        )

    @property
    def jobs(self) -> list[str]:
        """The names it gives to block jobs."""
        given = (step.arguments.get("job-id") for step in self.steps)
        return [name for name in given if isinstance(name, str)]

    @property
    def runs_job(self) -> bool:
        """Whether a block job runs in it."""
        return any(step.job for step in self.steps)

    @property
    def is_killed(self) -> bool:
        """Whether its process is killed on the way."""
        return any(step.verb == "kill" for step in self.steps)

    @property
    def nodes(self) -> list[str]:
        """The names of the quorum node and of those defined in it."""
        return ["q", *_node_names(self.options)]

    @property
    def id(self) -> str:
        """``family/name`` as one word, for test ids and ``-k``."""
        return f"{self.family}/{self.name}".replace(" ", "-")


def _node_names(options: Any) -> Iterator[str]:
    if isinstance(options, dict):
        if isinstance(options.get("node-name"), str):
            yield options["node-name"]
        for value in options.values():
            yield from _node_names(value)
    elif isinstance(options, list):
        for value in options:
            yield from _node_names(value)

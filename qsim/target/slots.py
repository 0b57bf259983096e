# SPDX-License-Identifier: GPL-2.0-or-later
"""Which case plays on which process.

QUORUM_FAILURE is limited for a whole process, so a case that means to see one gets a process whose
window is closed, and others rather one whose window is open.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from qsim.target.eventlog import WireEvent
from qsim.target.kept import KeptNodes
from qsim.target.limiter import Windows
from qsim.target.process import QemuProcess

FAILURE_KEY = "QUORUM_FAILURE"
REPORT_KEY = "QUORUM_REPORT_BAD"
#: So many processes are started for cases that could play on any; more only for those that wait
#: for a window.
ENOUGH = 6


@dataclass(eq=False)
class Slot:
    """A place for a process; the process is replaced when it has died."""

    process: QemuProcess | None = None
    windows: Windows = field(default_factory=Windows)
    kept: KeptNodes = field(default_factory=lambda: KeptNodes(-1))
    busy: bool = False
    #: Where in the process's events those runs began that are not settled yet.
    marks: list[int] = field(default_factory=list)

    def use(self, process: QemuProcess) -> None:
        """A new process, which has seen nothing yet."""
        self.process = process
        self.windows = Windows()
        self.kept = KeptNodes(process.number)
        self.marks = []
        process.heard = self._heard

    def _heard(self, event: WireEvent) -> None:
        """An event came: its window is open from now on."""
        if event.name == FAILURE_KEY:
            self.windows.opened(FAILURE_KEY, event.received_s)
        elif event.name == REPORT_KEY:
            self.windows.opened(f"{REPORT_KEY} {event.data.get('node-name')}", event.received_s)

    def begin(self) -> int:
        """A run begins: events from here on are kept for it."""
        assert self.process is not None
        mark = self.process.events.mark()
        self.marks.append(mark)
        return mark

    def end(self, process: QemuProcess, mark: int) -> None:
        """The run that began at ``mark`` on ``process`` needs no events any more."""
        if process is self.process:
            self.marks.remove(mark)
            process.events.forget(min(self.marks, default=process.events.mark()))

    def wait_s(self, now_s: float | None = None) -> float:
        """Seconds until QUORUM_FAILURE's window is over, from ``now_s`` (monotonic) or now."""
        return self.windows.wait_s([FAILURE_KEY], now_s)

    def suits(self, failure: bool) -> bool:
        """Whether a case may play here: one that means to see QUORUM_FAILURE, or another."""
        return not failure or self.wait_s() <= 0


class Slots:
    """All slots of a pool, and the cases that wait for one, in the order they came."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._slots: list[Slot] = []
        #: Who is served first: those for whom fewer processes will do.
        self._waiting: dict[bool, deque[asyncio.Future[Slot]]] = {True: deque(), False: deque()}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, process: QemuProcess) -> None:
        """A process that runs already."""
        slot = Slot()
        slot.use(process)
        self._slots.append(slot)

    @property
    def first(self) -> Slot:
        """The slot of the process that was started first."""
        return self._slots[0]

    def processes(self) -> Iterator[QemuProcess]:
        """All processes."""
        return (slot.process for slot in self._slots if slot.process is not None)

    def clear(self) -> None:
        """Forget all slots."""
        self._slots.clear()
        if self._timer is not None:
            self._timer.cancel()

    async def acquire(self, failure: bool) -> Slot:
        """A slot for a case, busy until it is released; its process may have to be started.

        :param failure: whether the case means to see QUORUM_FAILURE.
        """
        given: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiting[failure].append(given)
        self.match()
        try:
            return await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():
                self.release(given.result())
            raise

    def release(self, slot: Slot) -> None:
        """The run is over, but for its late events."""
        slot.busy = False
        self.match()

    def match(self) -> None:
        """Give free slots to those who wait."""
        for failure, queue in self._waiting.items():
            while queue:
                if queue[0].done():  # Cancelled meanwhile.
                    queue.popleft()
                    continue
                slot = self._free(failure)
                if slot is None:
                    break
                slot.busy = True
                queue.popleft().set_result(slot)
        self._wake_up()

    def _free(self, failure: bool) -> Slot | None:
        """A free slot that suits, of these the one whose window stays open longest."""
        suiting = [slot for slot in self._slots if not slot.busy and slot.suits(failure)]
        if suiting:
            return max(suiting, key=Slot.wait_s)
        if len(self._slots) < (self.most if failure else min(self.most, ENOUGH)):
            self._slots.append(Slot())
            return self._slots[-1]
        return None

    def _wake_up(self) -> None:
        """Match again when the next window closes, if somebody waits for that."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting[True]:
            return
        waits = [slot.wait_s() for slot in self._slots if not slot.busy and slot.wait_s() > 0]
        if waits:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(min(waits), self.match)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The cost of a read on a real QEMU whose children answer after the times that were drawn."""

from __future__ import annotations

import asyncio
import os
import selectors
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from qemu.qmp import QMPError

from qsim.block.child import ScriptedChild
from qsim.block.errno import name
from qsim.claims.reading.cost import Cost
from qsim.claims.reading.medium import Due
from qsim.claims.reading.settings import CONTENTS, Setting
from qsim.scenario import Case
from qsim.target.error import NotUsable, QemuDied, QemuHung
from qsim.target.nbd_client import GuestConnection
from qsim.target.nbd_proto import NbdError
from qsim.target.nbd_server import Arrival, ChildServer
from qsim.target.pool import Pool
from qsim.target.process import PATIENCE_S, QemuProcess

#: The first reads of a node are slower, and are no part of what is measured.
WARM_UP = 20


class LateChildren:
    """The children of a setting: each read is answered when it is due.

    What nobody has planned, a retry or a write, is answered at once: that it came is told by the
    cost.

    :param plans: by child, what becomes of its reads once they count.
    """

    def __init__(self, case: Case, plans: dict[str, tuple[Due, ...]]) -> None:
        self.cost = Cost.of(list(plans))
        self.children: dict[str, ScriptedChild] = {}
        self._case = case
        self._plans: dict[str, tuple[Due, ...]] | None = None
        self._to_come = plans
        for child, spec in case.children.items():
            self.children[child] = spec.make()
            self.children[child].faults = []

    def begin(self) -> None:
        """From now on reads count, take their time, and fail as planned."""
        self._plans = self._to_come
        for child, spec in self._case.children.items():
            self.children[child].faults = [fault.copy() for fault in spec.faults]

    def arrived(self, arrival: Arrival) -> None:
        """A child is asked for something."""
        request = arrival.request
        child = self.children[request.child]
        if self._plans is None:
            arrival.answer(child.complete(request))
            return
        plan, number = self._plans[request.child], self.cost.requests[request.child]
        self.cost.asked(request)
        # Whether it fails is a matter of its number, so it is decided as it comes.
        reply = child.complete(request)
        if request.op != "read" or number >= len(plan):
            arrival.answer(reply)
            return
        after_s = plan[number].after_ms / 1000
        asyncio.get_running_loop().call_later(after_s, arrival.answer, reply)

    def end(self) -> None:
        """What is asked when nodes go does not count."""
        self._plans = None


class Measurement:
    """A QEMU process and a server of children for one setting after the other."""

    def __init__(self, process: QemuProcess, server: ChildServer) -> None:
        self._process = process
        self._server = server
        self._settings = 0

    async def measure(self, setting: Setting, reads: int, seed: int) -> Cost:
        """What ``reads`` guest reads cost.

        :raise NotUsable: when QEMU dies, hangs, or refuses what every QEMU does.
        """
        plans = setting.plans(reads, seed)
        case = setting.case(reads, plans)
        late = LateChildren(case, plans)
        try:
            await self._measure(case, late)
        except (QemuDied, QemuHung, QMPError, NbdError, OSError) as error:
            done, asked = len(late.cost.results), late.cost.requests
            raise NotUsable(
                f"{self._process.binary}: {setting.name}, after {done} of {reads} reads "
                f"(children were asked {asked}): {error}"
            ) from error
        return late.cost

    async def _measure(self, case: Case, late: LateChildren) -> None:
        async with self._nodes(case, late) as guest:
            first = case.steps[0]
            for _ in range(WARM_UP):
                await self._read(guest, first.offset, first.bytes)
            late.begin()
            for step in case.steps:
                began_s = time.perf_counter()
                late.cost.results.append(await self._read(guest, step.offset, step.bytes))
                late.cost.latencies_ms.append((time.perf_counter() - began_s) * 1000)
            late.end()

    async def _read(self, guest: GuestConnection, offset: int, bytes_: int) -> str:
        reply = await self._process.bounded(
            guest.submit("read", offset, bytes_), PATIENCE_S, "the reply to a read"
        )
        if reply.errno:
            return name(reply.errno)
        return "0" if reply.data == CONTENTS.encode() * bytes_ else "0 with other bytes"

    @asynccontextmanager
    async def _nodes(self, case: Case, late: LateChildren) -> AsyncIterator[GuestConnection]:
        """The children, the quorum node, its export and a guest, while they are needed."""
        process, server = self._process, self._server
        self._settings += 1
        real = {child: f"{child}-{self._settings}" for child in late.children}
        top = f"q-{self._settings}"
        for child, node in real.items():
            server.add(node, late.children[child], late.arrived)
            address = {"type": "unix", "path": server.path}
            await process.execute(
                "blockdev-add",
                {"driver": "nbd", "node-name": node, "server": address, "export": node},
            )
        assert case.options is not None
        options = {**case.options, "node-name": top, "children": list(real.values())}
        await process.execute("blockdev-add", options)
        export = {"type": "nbd", "id": top, "node-name": top, "name": top}
        await process.execute("block-export-add", {**process.shape.export, **export})
        guest = await process.bounded(
            GuestConnection.connect(process.nbd_path, top, PATIENCE_S), PATIENCE_S, "its export"
        )
        try:
            yield guest
        finally:
            guest.close()
        # An export goes when its client has; what follows waits for that.
        await process.execute("block-export-del", {"id": top, "mode": "hard"})
        await process.bounded(self._gone(top), PATIENCE_S, f"the end of its export {top}")
        for node in [top, *real.values()]:
            await process.execute("blockdev-del", {"node-name": node})
        for node in real.values():
            server.remove(node)

    async def _gone(self, export: str) -> None:
        process = self._process
        while any(one["id"] == export for one in await process.execute("query-block-exports", {})):
            await process.ping()


class Bench:
    """Measures one setting after the other; made by :func:`measuring`.

    :param version: of the QEMU, as major.minor.micro.
    """

    def __init__(self, runner: asyncio.Runner, measurement: Measurement, version: str) -> None:
        self._runner = runner
        self._measurement = measurement
        self.version = version

    def measure(self, setting: Setting, reads: int, seed: int) -> Cost:
        """What ``reads`` guest reads cost.

        :raise NotUsable: when QEMU dies, hangs, or refuses what every QEMU does.
        """
        return self._runner.run(self._measurement.measure(setting, reads, seed))


@contextmanager
def measuring(qemu: str) -> Iterator[Bench]:
    """A process of ``qemu`` to measure on, and an event loop with exact timers.

    :raise TargetError: when it cannot be used.
    """
    with asyncio.Runner(loop_factory=_exact_loop) as runner:
        pool = Pool(qemu, 1)
        stack = AsyncExitStack()
        try:
            stack.push_async_callback(pool.close)
            runner.run(pool.start())
            if pool.old:
                raise NotUsable(f"{qemu} is QEMU {pool.version}; reads are measured since 5.2")
            process = runner.run(stack.enter_async_context(pool.alone({})))
            server = ChildServer(str(process.workdir.path / "late.sock"))
            stack.push_async_callback(server.close)
            runner.run(server.start())
            yield Bench(runner, Measurement(process, server), pool.version)
        finally:
            runner.run(stack.aclose())


class _Watching(selectors.SelectSelector):
    """Does not sleep: it looks again and again until something is there or it is time.

    What is measured are fractions of a millisecond, and epoll and poll only take whole ones; and
    a processor that sleeps wakes up late.
    """

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready by then (selectors)."""
        end_s = None if timeout is None else time.monotonic() + timeout
        while True:
            ready = super().select(0)
            if ready or (end_s is not None and time.monotonic() >= end_s):
                return ready
            # On a machine with one processor QEMU must run now.
            os.sched_yield()


def _exact_loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(_Watching())

# SPDX-License-Identifier: GPL-2.0-or-later
"""Which event belongs to which step of which run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from qsim.block.events import JOB_EVENTS, Event
from qsim.outcome import Outcome
from qsim.target.eventlog import EventLog, WireEvent
from qsim.target.names import Names
from qsim.target.wire import Dialect, today

#: The events that belong to scenarios, and the member that names the node or the job.
SCENARIO_EVENTS = {
    "QUORUM_REPORT_BAD": "node-name",
    "QUORUM_FAILURE": "reference",
    **dict.fromkeys(JOB_EVENTS, "device"),
}


@dataclass
class Played:
    """A run whose requests are over and whose late events may still come."""

    outcome: Outcome
    names: Names
    starts: list[float] = field(default_factory=list)
    #: When each step's completions were sent; None where others complete what children hold, and
    #: of a step beside a job.
    completed: list[list[float] | None] | None = None
    first_event: int = 0
    begin_s: float = 0.0
    end_s: float = float("inf")
    dialect: Dialect = field(default_factory=today)
    #: Nodes to give back once all of the run's events are there.
    lent: list[str] = field(default_factory=list)
    #: Whether nodes are left that cannot be deleted: the process can serve nobody else.
    spoilt: bool = False


def scenario_event(event: WireEvent, names: Names, translate: bool = True) -> Event:
    """An event of the driver or a job, as it came or in the scenario's names."""
    data = names.back(event.data) if translate else event.data
    return Event.seen(event.name, data)


def attribute(played: Played, events: EventLog) -> None:
    """Give every event of the run's nodes to the step in which QEMU made it.

    Late events, which the limiter held back, carry the time they were made, so sorting by it
    restores the order in which the driver emitted them.
    """
    mine = [
        event
        for event in events.since(played.first_event)
        if event.name in SCENARIO_EVENTS
        and played.names.mine(event.data.get(SCENARIO_EVENTS[event.name]))
        # A kept node can have had events of its own before it was lent to this run.
        and played.begin_s <= event.emitted_s < played.end_s
    ]
    mine.sort(key=lambda event: event.emitted_s)
    known = {*played.dialect.schema.events, *today().schema.events}
    strange = {
        event.name
        for event in events.since(played.first_event)
        if event.name not in known and played.begin_s <= event.emitted_s < played.end_s
    }
    played.outcome.trouble += [f"an event nobody knows: {name}" for name in sorted(strange)]
    for event in mine:
        index = 0
        for i, start in enumerate(played.starts):
            # QEMU cuts the time to microseconds, so it can seem to be up to one earlier.
            if event.emitted_s >= start - 1e-6:
                index = i
        after = None
        if played.completed is not None and played.starts:
            sent = played.completed[index]
            after = None if sent is None else sum(at <= event.emitted_s for at in sent)
        seen = replace(scenario_event(event, played.names), after=after)
        if played.outcome.steps:
            played.outcome.steps[index].events.append(seen)
        problem = played.dialect.event_problem(Event.of(event.name, played.names.back(event.data)))
        if problem:
            played.outcome.trouble.append(problem)

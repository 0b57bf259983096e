# SPDX-License-Identifier: GPL-2.0-or-later
"""The plots about the cost of a read; predicted and measured side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qsim.claims.reading.cost import Cost
from qsim.claims.reading.settings import MOST, SETTINGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Costs = Mapping[str, Cost]

#: Two that the colour-blind and a black and white print tell apart (Okabe and Ito).
PREDICTED, MEASURED = "#0072B2", "#D55E00"
#: The settings whose whole distributions are shown.
SHOWN = (
    "two local, quorum",
    "two local, fifo",
    "local, rack, far, quorum",
    "local, rack, far, fifo",
    "three shared, quorum",
    "three shared, fifo",
    "flapping first, quorum",
    "flapping first, fifo",
)


def quantiles(figure: Figure, predicted: Costs, measured: Costs) -> None:
    """By setting, from the median over p90 to p99."""
    axes = figure.add_subplot()
    names = [setting.name for setting in SETTINGS]
    for costs, offset, colour, mark, label in (
        (predicted, -0.17, PREDICTED, "o", "predicted"),
        (measured, 0.17, MEASURED, "s", "measured"),
    ):
        if not costs:
            continue
        places = [place + offset for place in range(len(names))]
        low, middle, high = (
            [costs[name].quantile_ms(share) for name in names] for share in (0.5, 0.9, 0.99)
        )
        axes.hlines(places, low, high, color=colour, linewidth=1.5)
        axes.plot(low, places, mark, color=colour, label=f"{label}: median, p90, p99")
        axes.plot(middle, places, "|", color=colour, markersize=9)
        axes.plot(high, places, "|", color=colour, markersize=5)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    _milliseconds(axes, 0.1, 100)
    axes.set_xlabel("latency of a guest read, ms")
    axes.set_title("Fifo waits for one child, quorum for the slowest")
    axes.grid(axis="x", which="both", alpha=0.3)
    axes.legend(loc="best", fontsize=8)


def distributions(figure: Figure, predicted: Costs, measured: Costs) -> None:
    """The share of reads that are answered within a time, for :data:`SHOWN`."""
    rows = figure.subplots(2, 4, sharex=True, sharey=True)
    # By columns, so that both patterns of a setting stand one above the other.
    for number, name in enumerate(SHOWN):
        axes = rows[number % 2][number // 2]
        _steps(axes, predicted[name], PREDICTED, "-", "predicted")
        if measured:
            _steps(axes, measured[name], MEASURED, "--", "measured")
        axes.set_title(name, fontsize=9)
        _milliseconds(axes, 0.1, 100)
        axes.set_ylim(0, 1.02)
        axes.grid(alpha=0.3)
    for axes in rows[1]:
        axes.set_xlabel("ms")
    for row in rows:
        row[0].set_ylabel("share of reads answered")
    rows[0][0].legend(fontsize=8)


def _milliseconds(axes: Axes, low_ms: float, high_ms: float) -> None:
    """A logarithmic scale whose ticks are numbers people read."""
    axes.set_xscale("log")
    axes.set_xlim(low_ms, high_ms)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")


def _steps(axes: Axes, cost: Cost, colour: str, line: str, label: str) -> None:
    times = sorted(cost.latencies_ms)
    shares = [(place + 1) / len(times) for place in range(len(times))]
    axes.step(times, shares, line, where="post", color=colour, label=label)


def by_number(figure: Figure, predicted: Costs, measured: Costs) -> None:
    """Requests and latency of a read, by how many children there are."""
    left, right = figure.subplots(1, 2)
    counts = range(1, MOST + 1)
    for pattern, colour, mark in (("quorum", MEASURED, "s"), ("fifo", PREDICTED, "o")):
        for costs, line, label in ((predicted, "-", "predicted"), (measured, ":", "measured")):
            if not costs:
                continue
            its = [costs[f"{count} in racks, {pattern}"] for count in counts]
            shape = mark if costs is measured else "x"
            style = {"color": colour, "linestyle": line, "marker": shape, "markersize": 4}
            name = f"{pattern}, {label}"
            left.plot(counts, [one.requests_per_read for one in its], label=name, **style)
            right.plot(counts, [one.quantile_ms(0.5) for one in its], label=name, **style)
    left.set_ylabel("child requests per guest read")
    right.set_ylabel("median latency, ms")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xlabel("children, all in racks")
        axes.set_xticks(counts)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.suptitle("A read under fifo costs the same for any number of children")

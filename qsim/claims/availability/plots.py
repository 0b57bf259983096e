# SPDX-License-Identifier: GPL-2.0-or-later
"""Three pictures.  Colours are those of Okabe and Ito; styles and marks differ as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qsim.claims.availability.failure import Failure
from qsim.claims.availability.interval import Interval
from qsim.claims.availability.loss import Loss
from qsim.claims.availability.schemes import (
    ANYWHERE,
    APART,
    PAIRS,
    RING,
    SCATTERED,
    SCHEMES,
    SLOTS_PER_HOST,
    THREE,
    VMS_PER_HOST,
)
from qsim.claims.availability.sizes import Size, average
from qsim.claims.availability.twenty import CASES, VMS, Point
from qsim.claims.finding import Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Look:
    """Of a line."""

    color: str
    line: str
    mark: str


BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED, PURPLE = "#0072B2", "#D55E00", "#CC79A7"

LOOKS = {
    PAIRS: Look(BLACK, "-", "s"),
    RING: Look(ORANGE, "--", "D"),
    SCATTERED: Look(BLUE, "-", "o"),
    ANYWHERE: Look(SKY, ":", "^"),
    APART: Look(GREEN, "-.", "v"),
    THREE: Look(RED, "--", "x"),
}
TWENTY_LOOKS = (
    Look(BLACK, "-", "s"),
    Look(ORANGE, "-", "o"),
    Look(GREEN, "-", "v"),
    Look(BLUE, "-", "D"),
    Look(PURPLE, "-.", "x"),
    Look(ORANGE, ":", ""),
    Look(GREEN, ":", ""),
    Look(BLUE, ":", ""),
)


def plots(points: list[Point], sizes: list[Size], losses: list[Loss]) -> list[Plot]:
    """All of them."""
    return [
        Plot("availability-twenty", lambda figure: _twenty(figure, points), (7.5, 5.0)),
        Plot("availability-sizes", lambda figure: _sizes(figure, sizes), (7.5, 7.5)),
        Plot("availability-loss", lambda figure: _loss(figure, losses), (7.5, 5.0)),
    ]


def _twenty(figure: Figure, points: list[Point]) -> None:
    axes = figure.subplots()
    for (hosts, scheme), look in zip(CASES, TWENTY_LOOKS, strict=True):
        line = [x for x in points if x.setting.hosts == hosts and x.scheme == scheme]
        name = str(scheme) if scheme == PAIRS else f"{scheme}, over {hosts} hosts"
        free = [point.setting.free_slots for point in line]
        _line(axes, free, [point.restarted for point in line], look, name)
    axes.set_xlabel("free slots on each host before the crash")
    axes.set_ylabel(f"VMs that restart at once, of {VMS}")
    axes.set_xticks(range(0, VMS + 1, 2))
    axes.set_yticks(range(0, VMS + 1, 4))
    used = axes.secondary_xaxis("top")
    ticks = (0, 2, 5, 10, 20)
    used.set_xticks(ticks, [f"{100 * VMS / (VMS + free):.0f} %" for free in ticks])
    used.set_xlabel("slots in use before the crash")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right", title="replicas", title_fontsize=8)
    _title(figure, "Host A with 20 VMs crashes: scattered replicas find room, a partner may not")


def _sizes(figure: Figure, sizes: list[Size]) -> None:
    above, below = figure.subplots(2, 1, sharex=True)
    for scheme, look in LOOKS.items():
        line = [size for size in sizes if size.scheme == scheme]
        hosts = [size.setting.hosts for size in line]
        shares = [_scaled(size.restarted, 100) for size in line]
        times = [_scaled(average(size, Failure.HOST, "all_run_s"), 1 / 60) for size in line]
        _line(above, hosts, shares, look, str(scheme))
        _line(below, hosts, times, look, str(scheme))
    above.set_ylabel("VMs of a crashed host\nthat restart at once (%)")
    above.set_ylim(0, 105)
    below.set_ylabel("until all of them run again\n(minutes)")
    below.set_ylim(0, 270)
    _hosts_axis(below, sizes[-1].setting.hosts)
    for axes in (above, below):
        axes.grid(alpha=0.3)
    above.legend(fontsize=8, loc="center right", title="replicas", title_fontsize=8)
    used = 100 * VMS_PER_HOST / SLOTS_PER_HOST
    _title(
        figure,
        f"One host crashes, {used:.0f} % of slots in use: if hosts are many, scattering finds room",
    )


def _loss(figure: Figure, losses: list[Loss]) -> None:
    axes = figure.subplots()
    for scheme in SCHEMES:
        line = [x for x in losses if x.scheme == scheme and x.setting.replicas == 2]
        if not line:
            continue
        look = LOOKS[scheme]
        known = [x for x in line if x.expected is not None]
        axes.plot(
            [x.setting.hosts for x in known],
            [100 * (x.expected or 0) for x in known],
            look.line,
            color=look.color,
        )
        axes.errorbar(
            [x.setting.hosts for x in line],
            [100 * x.any_vm.mean for x in line],
            [100 * x.any_vm.half for x in line],
            **_marks(look),
            capsize=3,
            label=str(scheme),
        )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("some VM has lost both replicas (%)")
    _hosts_axis(axes, losses[-1].setting.hosts)
    axes.grid(alpha=0.3)
    axes.legend(
        fontsize=8,
        loc="lower left",
        title="lines: closed form; marks: simulated\n(3 replicas: none is lost)",
        title_fontsize=8,
    )
    _title(
        figure,
        "Any two hosts fail together: with scattered replicas it is more often fatal to some VM",
    )


def _scaled(known: Interval, by: float) -> Interval:
    return Interval(known.mean * by, known.half * by)


def _line(axes: Axes, x: list[int], known: list[Interval], look: Look, name: str) -> None:
    """The mean, and its interval as a band."""
    axes.plot(x, [one.mean for one in known], look.line, **_marks(look, ""), label=name)
    low = [max(one.low, 0.0) for one in known]
    axes.fill_between(x, low, [one.high for one in known], color=look.color, alpha=0.2, linewidth=0)


def _marks(look: Look, line: str | None = "none") -> dict[str, Any]:
    marks: dict[str, Any] = {"color": look.color, "marker": look.mark, "markersize": 5}
    if line:
        marks["linestyle"] = line
    if look.mark != "x":
        marks["markerfacecolor"] = "none"
    return marks


def _hosts_axis(axes: Axes, most: int) -> None:
    axes.set_xscale("log")
    ticks = [hosts for hosts in (2, 4, 8, 16, 32, 100, 320, 1000, 10_000) if hosts <= most]
    axes.set_xticks(ticks, [f"{hosts:,}" for hosts in ticks])
    axes.minorticks_off()
    axes.set_xlabel(f"hosts ({VMS_PER_HOST} VMs on each)")


def _title(figure: Figure, text: str) -> None:
    figure.suptitle(text, fontsize=10)
    figure.set_layout_engine("constrained")

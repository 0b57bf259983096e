# SPDX-License-Identifier: GPL-2.0-or-later
"""All of the availability claim, in one go."""

from __future__ import annotations

from math import floor, log10

from qsim.claims.availability import loss, sizes, twenty
from qsim.claims.availability.failure import Failure
from qsim.claims.availability.interval import Interval
from qsim.claims.availability.loss import Loss
from qsim.claims.availability.plots import plots
from qsim.claims.availability.schemes import (
    PAIRS,
    QUICK_SIZES,
    SCATTERED,
    SCHEMES,
    SIZES,
    Scheme,
    placements,
    played,
    setting,
)
from qsim.claims.availability.setting import Setting
from qsim.claims.availability.sizes import Size, average
from qsim.claims.availability.twenty import VMS, Point
from qsim.claims.finding import BEYOND, Finding, Holds, Verdict
from qsim.progress import Tell

#: Free slots on each host, in the verdict: some, and next to none.
SOME, FEW = 5, 1


def steps(quick: bool) -> int:
    """How many steps :func:`availability` tells of."""
    return 1 + len(_cases(quick))


def availability(seed: int, tell: Tell, *, quick: bool = False) -> Finding:
    """Simulate the cover letter's twenty VMs, data centres of all sizes, and what scattering costs.

    The same seed finds the same numbers on any machine.

    :param tell: told after each of :func:`steps`.
    :param quick: small data centres and few placements: for a look, or a test.
    """
    tell(0, f"{VMS} VMs on a host")
    points = list(twenty.twenty(seed, quick=quick))
    measured: list[Size] = []
    losses: list[Loss] = []
    for done, (one, scheme) in enumerate(_cases(quick), 1):
        tell(done, f"{one.hosts} hosts, {scheme}")
        many = placements(one.hosts, quick=quick)
        measured.append(sizes.measure(one, scheme, seed, many, played(one.hosts, quick=quick)))
        if scheme in loss.COMPARED:
            losses.append(loss.measure(one, scheme, seed, many))
    tell(steps(quick), "")
    return Finding(
        verdicts=[_restart(points), _safety(losses), _replicated(measured)],
        tables=[
            twenty.table(points),
            sizes.alone_table(measured),
            sizes.failures_table(measured),
            loss.table(losses),
        ],
        plots=plots(points, measured, losses),
        differences=_differences(points, measured, losses),
    )


def _cases(quick: bool) -> list[tuple[Setting, Scheme]]:
    found = []
    for hosts in QUICK_SIZES if quick else SIZES:
        for scheme in SCHEMES:
            one = setting(hosts, scheme)
            if one:
                found.append((one, scheme))
    return found


def _restart(points: list[Point]) -> Verdict:
    def of(hosts: int, scheme: Scheme, free: int) -> Interval:
        (point,) = (
            point
            for point in points
            if (point.setting.hosts, point.scheme, point.setting.free_slots)
            == (hosts, scheme, free)
        )
        return point.restarted

    def beside_pair(free: int) -> str:
        scattered, pair = of(20, SCATTERED, free), of(2, PAIRS, free)
        return f"{_told(scattered)} of {VMS} start at once, in a pair {_told(pair)}"

    more = all(of(20, SCATTERED, free).low > of(2, PAIRS, free).high for free in (SOME, FEW))
    return Verdict(
        f"{VMS} VMs of a crashed host restart where a DRBD pair has no room",
        Holds.IF if more else Holds.NO,
        f"scattered over 20 hosts with {SOME} free slots each {beside_pair(SOME)}; with {FEW} "
        f"free slot each {beside_pair(FEW)}",
        condition="the other hosts have free slots between them" if more else "",
    )


def _safety(losses: list[Loss]) -> Verdict:
    def of(hosts: int, scheme: Scheme) -> Loss:
        (found,) = (x for x in losses if (x.setting.hosts, x.scheme) == (hosts, scheme))
        return found

    told = [
        f"{100 * of(hosts, SCATTERED).any_vm.mean:.2g} % with {hosts} hosts (in pairs "
        f"{100 * of(hosts, PAIRS).any_vm.mean:.2g} %)"
        for hosts in _few(losses)
    ]
    worse = any(of(x, SCATTERED).any_vm.low > of(x, PAIRS).any_vm.high for x in _few(losses))
    return Verdict(
        f"{BEYOND}scattered replicas are as safe as pairs when two hosts fail together",
        Holds.NO if worse else Holds.YES,
        f"some VM has lost both replicas with a probability of {', '.join(told)}",
    )


def _few(losses: list[Loss]) -> list[int]:
    """A small, a larger and the largest data centre."""
    hosts = sorted({loss.setting.hosts for loss in losses})
    return [x for x in (8, 100) if x in hosts] + hosts[-1:]


def _replicated(measured: list[Size]) -> Verdict:
    """A host that is back has its disks: what counts is that nobody has to wait for it."""
    scattered = [size for size in measured if size.scheme == SCATTERED]
    largest = scattered[-1].setting
    late = max((x.setting.hosts for x in scattered if not _before_it_is_back(x)), default=0)
    enough = [x.setting.hosts for x in scattered if x.setting.hosts > late]

    def of(scheme: Scheme) -> tuple[str, str]:
        (size,) = (x for x in measured if (x.setting.hosts, x.scheme) == (largest.hosts, scheme))
        copied = average(size, Failure.HOST, "copied_gb").mean
        busiest = average(size, Failure.HOST, "busiest_host_gb").mean
        minutes = average(size, Failure.HOST, "all_replicated_s").mean / 60
        return f"{copied:.0f} GB ({busiest:.0f} GB at one host)", f"{minutes:.0f}"

    (tool, tool_minutes), (drbd, drbd_minutes) = of(SCATTERED), of(PAIRS)
    return Verdict(
        f"{BEYOND}the replicas a crash took are made again before the host is back",
        Holds.IF if enough else Holds.NO,
        f"{largest.hosts} hosts: {tool} in {tool_minutes} minutes, the host is back after "
        f"{largest.repair_s / 60:.0f}; DRBD, {drbd} in {drbd_minutes}",
        condition=f"a tool outside QEMU does it, with {enough[0]} hosts or more" if enough else "",
    )


def _before_it_is_back(size: Size) -> bool:
    """Whether that was so after each crash of a host that was played."""
    after = size.after[Failure.HOST]
    return all(one.all_replicated_s < size.setting.repair_s for one in after)


def _told(known: Interval) -> str:
    """To the first digit of what is not known; a mean without spread is exact."""
    if not known.half:
        return f"{known.mean:g}"
    digits = max(0, -floor(log10(known.half)))
    return f"{known.mean:.{digits}f} ± {known.half:.{digits}f}"


def _differences(points: list[Point], measured: list[Size], losses: list[Loss]) -> list[str]:
    """Simulated and closed form, where chance alone does not set them so far apart."""
    checks = [
        *(
            (f"{x.name}, {x.setting.free_slots} free: VMs", x.restarted, x.expected, x.grain)
            for x in points
        ),
        *((f"{x.name}: share restarted", x.restarted, x.expected, x.grain) for x in measured),
        *((f"{x.name}: probability of loss", x.any_vm, x.expected, x.grain) for x in losses),
    ]
    return [
        f"{what}: {known.mean:.6g} simulated, {expected:.6g} by the closed form"
        for what, known, expected, grain in checks
        if expected is not None and known.is_far(expected, grain)
    ]

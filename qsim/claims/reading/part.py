# SPDX-License-Identifier: GPL-2.0-or-later
"""What is found about the cost of a read: tables, plots, and a line a claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

from qsim.claims.finding import BEYOND, Finding, Holds, Plot, Table, Verdict
from qsim.claims.reading.cost import QUANTILES, Cost
from qsim.claims.reading.measure import measuring
from qsim.claims.reading.plots import by_number, distributions, quantiles
from qsim.claims.reading.predict import predict
from qsim.claims.reading.settings import BASE, BY_NUMBER, MOST, READ_BYTES, SETTINGS, Setting
from qsim.progress import Tell
from qsim.quorum.revisions import DEFAULT, nearest, revision

#: How many steps of progress there are.
STEPS = 1 + len(SETTINGS) + len(BY_NUMBER)

Costs = Mapping[str, Cost]


def reading(qemu: str | None, reads: int, seed: int, tell: Tell) -> Finding:
    """Predict the cost of a read in every setting, and measure it where there is a binary.

    :param qemu: its path, or None.
    :param reads: guest reads in each setting.
    :raise TargetError: when the binary cannot be used.
    """
    predicted: dict[str, Cost] = {}
    measured: dict[str, Cost] = {}
    with measuring(qemu) if qemu else nullcontext() as bench:
        model = nearest(bench.version) if bench else revision(DEFAULT)
        for number, setting in enumerate((BASE, *SETTINGS, *BY_NUMBER)):
            tell(number, setting.name)
            predicted[setting.name] = predict(setting, reads, seed, model)
            if bench:
                measured[setting.name] = bench.measure(setting, reads, seed)
    return found(predicted, measured)


def found(predicted: Costs, measured: Costs) -> Finding:
    """What the costs say; ``measured`` is empty where nothing was."""
    differences = [
        f"{name}: predicted and measured {difference}"
        for name, cost in measured.items()
        if (difference := predicted[name].difference(cost))
    ]
    return Finding(
        verdicts=[
            _one_instead_of_all(predicted, measured),
            _local_first(predicted, measured),
            _any_number(predicted, measured),
            _as_predicted(predicted, measured),
        ],
        tables=[
            table("reading", (BASE, *SETTINGS), predicted, measured),
            table("reading-by-number", BY_NUMBER, predicted, measured),
        ],
        plots=[
            Plot("reading-latency", lambda figure: quantiles(figure, predicted, measured), (8, 6)),
            Plot(
                "reading-distributions",
                lambda figure: distributions(figure, predicted, measured),
                (9, 5.5),
            ),
            Plot("reading-by-number", lambda figure: by_number(figure, predicted, measured)),
        ],
        differences=differences,
        differing=f"{len(differences)} of {len(measured)} settings",
    )


def table(name: str, settings: Sequence[Setting], predicted: Costs, measured: Costs) -> Table:
    """What each setting costs, predicted and measured side by side."""
    columns = ["setting", "pattern", "children", "reads"]
    values: list[tuple[str, Callable[[Cost], float]]] = [
        ("requests_per_read", lambda cost: round(cost.requests_per_read, 4)),
        ("bytes_per_read", lambda cost: round(cost.bytes_per_read, 1)),
        ("mean_ms", lambda cost: round(cost.mean_ms, 3)),
    ]
    for share in QUANTILES:
        values.append((f"p{share * 100:g}_ms", _quantile(share)))
    witnesses = {"predicted": predicted, "measured": measured}
    for what, _ in values:
        columns += [f"{what}_{who}" for who, costs in witnesses.items() if costs]
    rows = []
    for setting in settings:
        cost = predicted[setting.name]
        row: list[str | int | float] = [
            setting.name,
            setting.pattern,
            "+".join(child.name for child in setting.children),
            len(cost.latencies_ms),
        ]
        for _, value in values:
            row += [value(costs[setting.name]) for costs in witnesses.values() if costs]
        rows.append(tuple(row))
    return Table(name, tuple(columns), tuple(rows))


def _quantile(share: float) -> Callable[[Cost], float]:
    return lambda cost: round(cost.quantile_ms(share), 3)


def _p50(costs: Costs, name: str) -> float:
    return costs[name].quantile_ms(0.5)


def _one_instead_of_all(predicted: Costs, measured: Costs) -> Verdict:
    """Every setting with both patterns: fewer requests and bytes; and where no child is slow or
    fails, a smaller median."""
    costs = measured or predicted
    names = [one.name.removesuffix(", fifo") for one in SETTINGS if one.pattern == "fifo"]
    both = [name for name in names if f"{name}, quorum" in costs]
    less = all(
        _less(costs[f"{name}, fifo"], costs[f"{name}, quorum"], value)
        for name in both
        for value in (lambda cost: cost.requests_per_read, lambda cost: cost.bytes_per_read)
    )
    vote, one = (costs[f"local, rack, far, {pattern}"] for pattern in ("quorum", "fifo"))
    less = less and _less(one, vote, lambda cost: cost.quantile_ms(0.5))
    return Verdict(
        "reading one child instead of all costs less",
        Holds.IF if less else Holds.NO,
        f"{one.requests_per_read:.2f} requests and {one.bytes_per_read:.0f} bytes for a read of "
        f"{READ_BYTES} instead of {vote.requests_per_read:.2f} and {vote.bytes_per_read:.0f}, "
        f"median {one.quantile_ms(0.5):.2f} instead of {vote.quantile_ms(0.5):.2f} ms "
        "(local, rack, far)",
        condition="the first child answers in time" if less else "",
    )


def _less(one: Cost, other: Cost, value: Callable[[Cost], float]) -> bool:
    return value(one) < value(other)


def _local_first(predicted: Costs, measured: Costs) -> Verdict:
    costs = measured or predicted
    first, last = _p50(costs, "local first of two, fifo"), _p50(costs, "local last of two, fifo")
    vote = _p50(costs, "local first of two, quorum")
    faster = first < min(last, vote)
    return Verdict(
        "a local child makes it faster still",
        Holds.IF if faster else Holds.NO,
        f"median {first:.2f} ms, with the far one first {last:.2f}, where both are read {vote:.2f}",
        condition="it stands first in the options" if faster else "",
    )


def _any_number(predicted: Costs, measured: Costs) -> Verdict:
    costs = measured or predicted
    fifo = [costs[f"{count} in racks, fifo"] for count in range(1, MOST + 1)]
    votes = [costs[f"{count} in racks, quorum"].requests_per_read for count in range(1, MOST + 1)]
    left = costs["one of five is left, fifo"]
    holds = all(one.requests_per_read == 1 for one in fifo) and set(left.results) == {"0"}
    return Verdict(
        "two nodes generalise to N",
        Holds.YES if holds else Holds.NO,
        f"{max(one.requests_per_read for one in fifo):g} request a read with 1 to {MOST} children "
        f"(a vote: {min(votes):g} to {max(votes):g}); with four of five gone "
        f"{left.results.count('0')} of {len(left.results)} reads succeed, with "
        f"{left.requests_per_read:g} requests",
    )


def _as_predicted(predicted: Costs, measured: Costs) -> Verdict:
    claim = f"{BEYOND}the model predicts what a QEMU does"
    if not measured:
        return Verdict(claim, Holds.OPEN, "give --qemu to measure")
    equal = sum(not predicted[name].difference(cost) for name, cost in measured.items())
    reads = sum(len(cost.latencies_ms) for cost in measured.values())
    over = ", ".join(f"{_furthest(predicted, measured, share):.2f}" for share in QUANTILES)
    return Verdict(
        claim,
        Holds.YES if equal == len(measured) else Holds.NO,
        f"requests, bytes and results are equal in {equal} of {len(measured)} settings, "
        f"{reads} reads; latency is up to {over} ms over it at p50, p90, p99, where a read of "
        f"children that take no time takes {_p50(measured, BASE.name):.2f} ms",
    )


def _furthest(predicted: Costs, measured: Costs, share: float) -> float:
    """How far a quantile is over the prediction where it is furthest off; below 0 if under it."""
    over = (
        its.quantile_ms(share) - predicted[name].quantile_ms(share)
        for name, its in measured.items()
    )
    return max(over, key=abs)

# SPDX-License-Identifier: GPL-2.0-or-later
"""What is found about the cost of a read: tables, plots, and a line a claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

from qsim.claims.finding import Finding, Holds, Plot, Table, Verdict
from qsim.claims.reading.cost import QUANTILES, Cost
from qsim.claims.reading.measure import measuring
from qsim.claims.reading.plots import by_number, distributions, quantiles
from qsim.claims.reading.predict import predict
from qsim.claims.reading.settings import BASE, BY_NUMBER, MOST, SETTINGS, Setting
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
    return Finding(
        verdicts=[
            _one_instead_of_all(predicted, measured),
            _local_first(predicted, measured),
            _any_number(predicted, measured),
            _as_predicted(predicted, measured),
        ],
        tables=[
            _table("reading", (BASE, *SETTINGS), predicted, measured),
            _table("reading-by-number", BY_NUMBER, predicted, measured),
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
        differences=[
            f"{name}: predicted and measured {difference}"
            for name, cost in measured.items()
            if (difference := predicted[name].difference(cost))
        ],
    )


def _table(name: str, settings: Sequence[Setting], predicted: Costs, measured: Costs) -> Table:
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
    """Every setting with both patterns: fewer requests, and when it is also sooner."""
    costs = measured or predicted
    pairs = [
        (costs[f"{name}, quorum"], costs[f"{name}, fifo"])
        for name in (one.name.removesuffix(", fifo") for one in SETTINGS)
        if f"{name}, quorum" in costs and f"{name}, fifo" in costs
    ]
    fewer = sum(fifo.requests_per_read < quorum.requests_per_read for quorum, fifo in pairs)
    sooner = sum(fifo.mean_ms < quorum.mean_ms for quorum, fifo in pairs)
    vote, one = (costs[f"local, rack, far, {pattern}"] for pattern in ("quorum", "fifo"))
    slow, waited = (costs[f"flapping first, {pattern}"] for pattern in ("quorum", "fifo"))
    return Verdict(
        "a single read instead of one of every node helps performance",
        Holds.IF if fewer == len(pairs) else Holds.NO,
        f"If the first child answers in time: {one.requests_per_read:.2f} child requests instead "
        f"of {vote.requests_per_read:.2f} and {one.bytes_per_read:.0f} bytes instead of "
        f"{vote.bytes_per_read:.0f} for a read of 4096, half of them within "
        f"{one.quantile_ms(0.5):.2f} instead of {vote.quantile_ms(0.5):.2f} ms (local, rack, far); "
        f"fewer requests in {fewer} of {len(pairs)} settings, a smaller mean in {sooner}.  If it "
        f"fails by a time-out, the next is asked only then: 1 in 100 takes over "
        f"{waited.quantile_ms(0.99):.1f} instead of {slow.quantile_ms(0.99):.1f} ms",
    )


def _local_first(predicted: Costs, measured: Costs) -> Verdict:
    costs = measured or predicted
    first, last = _p50(costs, "local first of two, fifo"), _p50(costs, "local last of two, fifo")
    vote = _p50(costs, "local first of two, quorum")
    return Verdict(
        "a local child that is read makes it faster still",
        Holds.IF if first < last else Holds.NO,
        f"If it is the first: half of the reads within {first:.2f} ms; with the far one first "
        f"{last:.2f}, and {vote:.2f} where all are read (local {BASE_MS['local']:g} ms, far "
        f"{BASE_MS['far']:g} ms)",
    )


#: The medians of the children that the lines name.
BASE_MS = {child.name: child.median_ms for setting in SETTINGS for child in setting.children}


def _any_number(predicted: Costs, measured: Costs) -> Verdict:
    costs = measured or predicted
    fifo = [costs[f"{count} in racks, fifo"] for count in range(1, MOST + 1)]
    vote = [costs[f"{count} in racks, quorum"] for count in range(1, MOST + 1)]
    left = costs["one of five is left, fifo"]
    holds = (
        all(one.requests_per_read == 1 for one in fifo)
        and set(left.results) == {"0"}
        and left.requests_per_read == 5
    )
    return Verdict(
        "two nodes generalise to N",
        Holds.YES if holds else Holds.NO,
        f"With 1 to {MOST} children a read makes {_range([one.requests_per_read for one in fifo])} "
        f"request under fifo, half of them within {_range([one.quantile_ms(0.5) for one in fifo])} "
        f"ms, and 1 to {MOST} under quorum, within "
        f"{_range([one.quantile_ms(0.5) for one in vote])} ms; with four of five children gone "
        f"every read succeeds, with {left.requests_per_read:g} requests",
    )


def _range(values: Sequence[float]) -> str:
    low, high = (f"{value:.2f}".removesuffix(".00") for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _as_predicted(predicted: Costs, measured: Costs) -> Verdict:
    claim = "what the model predicts is what a QEMU does"
    if not measured:
        return Verdict(claim, Holds.OPEN, "Give --qemu to measure")
    equal = sum(not predicted[name].difference(cost) for name, cost in measured.items())
    reads = sum(len(cost.latencies_ms) for cost in measured.values())
    base = _p50(measured, BASE.name)
    largest = [
        max(
            (cost.quantile_ms(share) - predicted[name].quantile_ms(share), name)
            for name, cost in measured.items()
        )
        for share in QUANTILES
    ]
    told = ", ".join(
        f"{above:.2f} ms at p{share * 100:g} ({name})"
        for share, (above, name) in zip(QUANTILES, largest, strict=True)
    )
    return Verdict(
        claim,
        Holds.YES if equal == len(measured) else Holds.NO,
        f"Requests, bytes and results of {reads} reads are equal in {equal} of {len(measured)} "
        f"settings; latency is at most {told} above the prediction, which knows nothing of the "
        f"{base:.2f} ms that QEMU and the harness take for a read of children that take no time",
    )

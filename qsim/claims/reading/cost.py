# SPDX-License-Identifier: GPL-2.0-or-later
"""What the reads of one setting have cost, seen by either witness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from qsim.block.child import Request

#: The quantiles of a latency that are told.
QUANTILES = (0.5, 0.9, 0.99)


@dataclass
class Cost:
    """Reads of children and their bytes, by child, and each guest read's result and latency."""

    requests: dict[str, int]
    bytes: dict[str, int]
    latencies_ms: list[float] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    #: What children are asked for besides, by child and operation: there is no reason for any.
    others: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, children: Sequence[str]) -> Cost:
        """Nothing yet."""
        return cls(dict.fromkeys(children, 0), dict.fromkeys(children, 0))

    def asked(self, request: Request) -> None:
        """A child was asked for something."""
        if request.op == "read":
            self.requests[request.child] += 1
            self.bytes[request.child] += request.bytes
        else:
            self.others[f"{request.child} {request.op}"] += 1

    @property
    def requests_per_read(self) -> float:
        """How many child requests a guest read makes."""
        return sum(self.requests.values()) / len(self.latencies_ms)

    @property
    def bytes_per_read(self) -> float:
        """How many bytes children read for a guest read."""
        return sum(self.bytes.values()) / len(self.latencies_ms)

    @property
    def mean_ms(self) -> float:
        """The mean latency."""
        return sum(self.latencies_ms) / len(self.latencies_ms)

    def quantile_ms(self, share: float) -> float:
        """The latency that ``share`` of the reads do not exceed, one that was seen."""
        return sorted(self.latencies_ms)[ceil(share * len(self.latencies_ms)) - 1]

    def difference(self, other: Cost) -> str:
        """Where two witnesses part in what is no matter of time; "" if nowhere."""
        for what, mine, its in (
            ("requests", self.requests, other.requests),
            ("requests other than reads", dict(self.others), dict(other.others)),
            ("bytes", self.bytes, other.bytes),
        ):
            if mine != its:
                return f"{what}: {mine} and {its}"
        pairs = list(zip(self.results, other.results, strict=True))
        parting = [i for i, (one, another) in enumerate(pairs) if one != another]
        if not parting:
            return ""
        one, another = pairs[parting[0]]
        return (
            f"results: {len(parting)} of {len(pairs)} differ, the first that of read "
            f"{parting[0]}: {one} and {another}"
        )

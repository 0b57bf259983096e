# SPDX-License-Identifier: GPL-2.0-or-later
"""The availability claim's large data centres (``python -m bench.availability``): seconds a VM."""

from __future__ import annotations

import time

import click

from qsim.claims.availability.failure import Failure
from qsim.claims.availability.schemes import SCHEMES, Scheme, setting
from qsim.claims.availability.sizes import measure

#: The ratio tells whether what a VM costs grows with the data centre.
SMALL, LARGE = 1000, 10_000


def _seconds(hosts: int, scheme: Scheme, seed: int) -> tuple[float, int]:
    """For one placement: every host crashes alone; a host, a rack, three in sequence are played.

    It is made twice, because an interval takes two.
    """
    one = setting(hosts, scheme)
    assert one is not None, f"{hosts} hosts are too few"
    began = time.perf_counter()
    measure(one, scheme, seed, 2, dict.fromkeys(Failure, 2))
    return (time.perf_counter() - began) / 2, one.vms


@click.command()
@click.option("--seed", default=2014, help="Which placements.")
def main(seed: int) -> None:
    """Measure all policies in 1,000 and in 10,000 hosts."""
    total = 0.0
    for scheme in SCHEMES:
        small, few = _seconds(SMALL, scheme, seed)
        large, many = _seconds(LARGE, scheme, seed)
        total += large
        click.echo(
            f"{scheme!s:30} {SMALL} hosts {small:6.3f} s   {LARGE} hosts {large:6.3f} s   "
            f"per VM x {large / many / (small / few):.2f}"
        )
    click.echo(f"{LARGE} hosts, {many} VMs, all policies: {total:.1f} s")


if __name__ == "__main__":
    main()

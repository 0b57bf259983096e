# SPDX-License-Identifier: GPL-2.0-or-later
"""Who restarts where: what a manager would do, for many VMs, or many crashes, in one go.

It goes by rounds.  Each VM that waits asks one of the hosts it may start on: that with most room
for each VM that might ask it.  Each host takes one of those that ask, the one with the fewest hosts
left to ask.  That is not always the best there is; :mod:`.optimum` tells how much it loses.
"""

from __future__ import annotations

import numpy as np

from qsim.claims.availability.setting import NOWHERE, Ints


def assign(choices: Ints, free: Ints) -> Ints:
    """For each VM the host it starts on, or :data:`NOWHERE`.

    :param choices: a row for each VM: hosts it may start on, or :data:`NOWHERE`.
    :param free: for each host, how many it has room for.
    """
    free = free.copy()
    got = np.full(len(choices), NOWHERE, dtype=np.int64)
    waiting = np.arange(len(choices))
    while waiting.size:
        asked = choices[waiting]
        room = np.where(asked == NOWHERE, 0, free[asked])
        left = np.count_nonzero(room > 0, axis=1)
        waiting, asked, room, left = (x[left > 0] for x in (waiting, asked, room, left))
        wanted = np.bincount(asked[room > 0], minlength=len(free))
        # In millionths, to stay with integers.
        each = room * 10**6 // np.maximum(wanted, 1)[asked]
        best = asked[np.arange(len(asked)), each.argmax(axis=1)]
        order = np.lexsort((waiting, left, best))
        ordered = best[order]
        taken = order[np.flatnonzero(np.diff(ordered, prepend=NOWHERE))]
        got[waiting[taken]] = best[taken]
        free[best[taken]] -= 1
        waiting = np.delete(waiting, taken)
    return got


def spread(count: int, free: Ints) -> Ints:
    """Hosts for ``count`` VMs that may start on any: each time the one with most room."""
    hosts = np.repeat(np.arange(len(free)), free)
    nth = np.arange(len(hosts)) - np.repeat(np.cumsum(free) - free, free)
    return hosts[np.lexsort((hosts, nth - free[hosts]))][:count]


def assign_trials(trial: Ints, choices: Ints, hosts: int, free: Ints) -> Ints:
    """As :func:`assign`, for crashes that have nothing to do with each other.

    :param trial: for each VM, the crash that hit it.
    :param free: for each crash, how many VMs each host has room for.
    :return: for each crash, how many of its VMs start.
    """
    places, index = np.unique(trial[:, None] * hosts + choices, return_inverse=True)
    got = assign(index.reshape(choices.shape), free[places // hosts])
    return np.bincount(trial[got != NOWHERE], minlength=len(free))

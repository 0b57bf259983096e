# SPDX-License-Identifier: GPL-2.0-or-later
"""The most VMs that can restart at all: a maximum matching of VMs and slots, by SciPy.

It shares nothing with :mod:`.assign`, which it is there to judge.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from qsim.claims.availability.setting import NOWHERE, Ints


def most(choices: Ints, free: Ints) -> int:
    """How many VMs start if it is done as well as can be; parameters as :func:`.assign.assign`."""
    vm, nth = np.nonzero(choices != NOWHERE)
    host = choices[vm, nth]
    slots = free[host]
    first = (np.cumsum(free) - free)[host]
    # An edge for each slot of each host a VM may start on.
    row = np.repeat(vm, slots)
    column = np.repeat(first - (np.cumsum(slots) - slots), slots) + np.arange(len(row))
    shape = (len(choices), int(free.sum()))
    if not len(row):
        return 0
    # The matching of SciPy 1.14 takes no longer indices.
    edges = (row.astype(np.int32), column.astype(np.int32))
    graph = csr_array((np.ones(len(row), dtype=np.int8), edges), shape=shape)
    return int(np.count_nonzero(maximum_bipartite_matching(graph, perm_type="column") >= 0))

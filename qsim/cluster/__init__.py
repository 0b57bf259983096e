# SPDX-License-Identifier: GPL-2.0-or-later
"""Work that outgrows one process, on Dask: parts handed out, results merged.

The engine does what is hard about it: it hands the part of a worker that was lost to another.  A
part is small data that says what to do, so it can be done again anywhere.  Dask is an extra:
``pip install 'qsim[cluster]'``.
"""

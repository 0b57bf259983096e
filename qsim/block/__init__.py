# SPDX-License-Identifier: GPL-2.0-or-later
"""What a block driver stands on, as small as the quorum driver lets it be.

Errnos, memory and I/O vectors, coroutines on one deterministic scheduler, nodes with their
permissions, the generic read/write/flush/status paths of ``block/io.c``, scripted children, and
the monitor commands that build and change the graph.  ``aio.py`` and the files of 2014 are the
block layer the series was written for.  Nothing here knows quorum.
"""

# SPDX-License-Identifier: GPL-2.0-or-later
"""qsim: a simulator of QEMU's quorum block driver and of the patch series that gave it FIFO reads.

One scenario, three witnesses: a fixture says what must come out, the model says what its
re-telling of ``block/quorum.c`` does, and a real QEMU says what the binary does.
"""

__version__ = "0.1.0"

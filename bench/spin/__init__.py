# SPDX-License-Identifier: GPL-2.0-or-later
"""A second opinion: the read path in Promela, explored exhaustively by SPIN (``read.pml``)."""

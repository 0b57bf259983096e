# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest read costs: child requests, bytes and latency, predicted and measured.

A setting (:mod:`.settings`) says where the children are and how they fail; :mod:`.medium` draws
how long each of their requests takes, once.  The model plays that with a virtual clock
(:mod:`.predict`), a real QEMU with children that answer after those times (:mod:`.measure`).
"""

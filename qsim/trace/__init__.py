# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened in a run, told in order: who asked whom, and why the driver did as it did.

``watch`` looks over the model's shoulder while it plays, ``why`` says in words what a C function
has just decided, ``diagram`` puts both between what every witness shows: requests, completions,
events and results.  Nothing here changes what a run does, and the driver knows nothing of it.
"""

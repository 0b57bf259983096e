# SPDX-License-Identifier: GPL-2.0-or-later
"""What can run a scenario and observe it: the model in this process, or a real QEMU.

``model.py`` plays a case on the re-told driver, in the process of ``machine.py``; ``qemu.py`` on a
binary, whose children and guest are ours (``nbd_server.py``, ``nbd_client.py``); ``old.py`` and its
like on a binary of the series' time.  All return an Outcome.
"""

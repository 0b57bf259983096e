# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast it is: the suite beside the floor, measured in the same run (``python -m bench``)."""

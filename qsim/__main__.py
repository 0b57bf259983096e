# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m qsim`` is ``qsim``."""

from qsim.cli import main

main(prog_name="qsim")

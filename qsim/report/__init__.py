# SPDX-License-Identifier: GPL-2.0-or-later
"""How outcomes and differences are shown to people."""

# SPDX-License-Identifier: GPL-2.0-or-later
"""What maintainers run beside the suite: other releases of QEMU, wheels for machines offline."""

# SPDX-License-Identifier: GPL-2.0-or-later
"""A scenario for who has no qsim: a shell script of QEMU's own tools, or a test of qemu-iotests.

``reach`` says what can be had with image files and blkdebug, and what cannot and why; ``plan`` is
the scenario in those terms; ``shell`` and ``iotest`` write it down.  What must be seen is what the
model shows, or what the scenario says: neither writes an expectation of its own.
"""

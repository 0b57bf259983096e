# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory that a binary's ``block/quorum.c`` does not give back: the same thing thousands of times.

:mod:`qsim.leak.table` says what is repeated, in the words of :mod:`qsim.leak.thing`;
:mod:`qsim.leak.measure` measures and judges, :mod:`qsim.leak.lane` makes tests of it.
"""

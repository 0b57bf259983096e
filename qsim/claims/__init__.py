# SPDX-License-Identifier: GPL-2.0-or-later
"""The cover letter's claims, put to the test.

Reading one child instead of all costs less; a local first child costs less still; nothing brings
a child that has missed writes up to date again; block jobs can; and twenty virtual machines whose
replicas are scattered restart where a pair of nodes has no room.  A part of this room for each:
it predicts, measures where there is something to measure, and says what it found
(:mod:`qsim.claims.finding`).  Only ``qsim claims`` and its page know all of them.
"""

# SPDX-License-Identifier: GPL-2.0-or-later
"""The patch series: its versions and their patches, the state after each, what changes between.

``versions.py`` is what the cover letter and the upstream history say, as data; ``state.py`` asks
the model what a revision takes; ``diff.py`` plays scenarios on two revisions and says why they
part, ``leap.py`` why they part between mid-2015 and 5.2, where no history is at hand.
"""

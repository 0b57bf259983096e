# SPDX-License-Identifier: GPL-2.0-or-later
"""``block/quorum.c`` re-told, function for function under the C names.

``vote.py`` holds the votes and ``report.py`` the events both engines share, ``coroutine.py`` the
requests of the driver since 2.9, ``options.py`` quorum_open(), ``children.py`` adding and removing
children, ``node.py`` the driver's table of callbacks, ``revisions.py`` what differs between
releases, as data.
"""

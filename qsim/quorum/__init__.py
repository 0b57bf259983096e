# SPDX-License-Identifier: GPL-2.0-or-later
"""``block/quorum.c`` re-told, function for function under the C names.

``vote.py`` holds the votes and ``report.py`` the events both engines share.  ``coroutine.py`` has
the requests of the driver since 2.9, ``options.py`` quorum_open(), ``children.py`` adding and
removing children, ``node.py`` the driver's table of callbacks; ``aio.py``, ``options_2014.py`` and
``node_2014.py`` the same of the driver with callbacks, in which the series was posted.
``revisions.py`` and ``switches.py`` are what differs between revisions, as data.
"""

# SPDX-License-Identifier: GPL-2.0-or-later
"""A conformance run as one HTML page that needs nothing else: for a mail, an archive, a printer.

``facts`` is what the page knows, as plain data; ``page`` puts it into the template.  The page draws
a scenario's diagram when it is opened, so a thousand of them cost little.
"""

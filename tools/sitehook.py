# SPDX-License-Identifier: GPL-2.0-or-later
"""What mkdocs calls while it builds the site: no page may need the network to be read."""

from __future__ import annotations

import logging
import re
from typing import Any

log = logging.getLogger("mkdocs.hooks.site")

#: What a browser fetches without being asked; links that a reader follows are none of it.
FETCHED = re.compile(
    r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"' >]+)"
)


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Warn, which in strict mode is an error, of what a page would fetch from elsewhere."""
    for address in FETCHED.findall(output):
        log.warning("%s needs the network: %s", page.file.src_uri, address)
    return output

# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario looks at in a long reply: the same few members from model and QEMU."""

from __future__ import annotations

import json
from typing import Any


def view(command: str, result: Any) -> Any:
    """The reply as far as scenarios compare it; replies without a view come through whole.

    A process has nodes of one scenario at a time, and none of them is quorum but its own.
    """
    if command == "query-named-block-nodes":
        return {
            str(node["node-name"]): {
                "ro": node["ro"],
                **{key: node["image"][key] for key in ("virtual-size",) if key in node["image"]},
                "file": _without_server(_file(node["file"])),
            }
            for node in result
            if node["drv"] == "quorum"
        }
    return result


def _file(text: str) -> Any:
    """A node's file name; a ``json:`` one as the object it holds."""
    return json.loads(text.removeprefix("json:")) if text.startswith("json:") else text


def _without_server(options: Any) -> Any:
    """Options without the socket, which is the harness's own affair."""
    if isinstance(options, dict):
        return {
            key: _without_server(value)
            for key, value in options.items()
            if key not in ("server", "path") and not key.startswith("server.")
        }
    if isinstance(options, list):
        return [_without_server(item) for item in options]
    return options

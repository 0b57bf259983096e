# SPDX-License-Identifier: GPL-2.0-or-later
"""YAML as the fixtures have it: what is small stands on one line."""

from __future__ import annotations

import json
from typing import Any

import yaml

WIDTH = 100
#: What is longer than this as JSON gets lines of its own.
SHORT = 78


class Tall(dict[str, Any]):
    """A mapping that never stands on one line."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _mapping(dumper: _Dumper, data: dict[str, Any]) -> yaml.Node:
    flow = not isinstance(data, Tall) and len(json.dumps(data)) <= SHORT
    return dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=flow)


def _sequence(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    flow = not any(isinstance(one, Tall) for one in data) and len(json.dumps(data)) <= SHORT
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(Tall, _mapping)
_Dumper.add_representer(list, _sequence)


def dumped(document: dict[str, Any]) -> str:
    """A document as YAML, members in their order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)

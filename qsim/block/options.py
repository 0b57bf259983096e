# SPDX-License-Identifier: GPL-2.0-or-later
"""Option dictionaries: flattening, arrays, QemuOpts and the ``-drive`` syntax.

Sources: qobject/block-qdict.c and util/qemu-option.c, 7.2.
"""

from __future__ import annotations

import re
from typing import Any

from qsim.block.error import QmpError

UINT64_MAX = (1 << 64) - 1
EINVAL = 22


def qdict_flatten(options: dict[str, Any]) -> dict[str, Any]:
    """qdict_flatten(): nested members become dotted keys; empty lists and objects stay."""
    flat: dict[str, Any] = {}

    def put(key: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for member, inner in value.items():
                put(f"{key}.{member}" if key else member, inner)
        elif isinstance(value, list) and value:
            for i, inner in enumerate(value):
                put(f"{key}.{i}", inner)
        else:
            flat[key] = value

    if options:
        put("", options)
    return flat


def qdict_extract_subqdict(options: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Take all keys with ``prefix`` out of ``options``, without the prefix."""
    keys = [key for key in options if key.startswith(prefix)]
    return {key[len(prefix) :]: options.pop(key) for key in keys}


def _tdb_hash(name: str) -> int:
    """tdb_hash() of qobject/qdict.c: where in its table a key lies."""
    raw = name.encode()
    value = 0x238F13AF * len(raw)
    for i, byte in enumerate(raw):
        value += byte << (i * 5 % 24)
    return (1103515243 * value + 12345) & 0xFFFFFFFF


def qdict_first(options: dict[str, Any]) -> str:
    """The key of qdict_first(): of the first bucket in use the one put in last."""
    return min(reversed(options), key=lambda name: _tdb_hash(name) % 512)


def qdict_array_entries(options: dict[str, Any], prefix: str) -> int:
    """qdict_array_entries(): elements of the array under ``prefix``, or -EINVAL."""
    handled = 0
    i = 0
    while True:
        nested = sum(1 for key in options if key.startswith(f"{prefix}{i}."))
        single = f"{prefix}{i}" in options
        if single and nested:
            return -EINVAL
        if not single and not nested:
            break
        handled += nested or 1
        i += 1
    handled += sum(1 for key in options if not key.startswith(prefix))
    return i if handled == len(options) else -EINVAL


def qemu_opts_absorb(desc: dict[str, str], options: dict[str, Any]) -> dict[str, Any]:
    """qemu_opts_absorb_qdict(): take the described options out and give them their types.

    :raise QmpError: for a value that is not of the described type.
    """
    taken: dict[str, Any] = {}
    for name in [key for key in options if key in desc]:
        value = options.pop(name)
        match desc[name]:
            case "number":
                taken[name] = parse_option_number(name, value)
            case "bool":
                taken[name] = value if isinstance(value, bool) else qapi_bool_parse(name, value)
            case _:
                taken[name] = str(value)
    return taken


def parse_option_number(name: str, value: Any) -> int:
    """parse_option_number(): strtoull() with any base; a minus sign wraps around.

    :raise QmpError: for what is no number or does not fit into 64 bits.
    """
    text = str(value)
    match = re.fullmatch(r"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)", text)
    if not match:
        raise QmpError(f"Parameter '{name}' expects a number")
    sign, digits = match.groups()
    if digits[:2] in ("0x", "0X"):
        number = int(digits, 16)
    elif digits.startswith("0") and len(digits) > 1:
        if not re.fullmatch("[0-7]+", digits):
            raise QmpError(f"Parameter '{name}' expects a number")
        number = int(digits, 8)
    else:
        number = int(digits)
    if number > UINT64_MAX:
        raise QmpError(f"Value '{text}' is too large for parameter '{name}'")
    return -number & UINT64_MAX if sign == "-" else number


def qapi_bool_parse(name: str, value: Any) -> bool:
    """qapi_bool_parse().

    :raise QmpError: for any word that is not one of the eight.
    """
    if value in ("on", "yes", "true", "y"):
        return True
    if value in ("off", "no", "false", "n"):
        return False
    raise QmpError(f"Parameter '{name}' expects 'on' or 'off'")


def parse_drive(text: str) -> dict[str, str]:
    """The keys and values of a ``-drive`` string; ``,,`` is a comma, a lone word is ``=on``.

    Of a key given twice the last value counts.
    """
    options: dict[str, str] = {}
    # A comma is doubled inside a value, so an option ends at a comma behind an even run of them.
    for part in re.findall(r"(?:[^,]|,,)+", text):
        key, equals, value = part.partition("=")
        if not equals:
            key, value = (key[2:], "off") if key.startswith("no") else (key, "on")
        options[key] = value.replace(",,", ",")
    return options

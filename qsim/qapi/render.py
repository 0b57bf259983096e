# SPDX-License-Identifier: GPL-2.0-or-later
"""Differences as text for the terminal."""

from collections.abc import Iterable
from itertools import groupby

from .compare import Difference
from .explained import Explanation, Split


def render_differences(
    result: Split,
    *,
    binary: str = "the binary",
    verbose: bool = False,
    unused: Iterable[Explanation] = (),
) -> str:
    """Plain text, grouped by command and event; no newline at the end.

    :param binary: how to call the binary, as ``QEMU 7.2.19``.
    :param verbose: show the explained differences too, with the reasons.
    :param unused: explanations to complain about, see :func:`.explained.unused`.
    """
    count = len(result.unexplained)
    known = f"{len(result.explained)} explained"
    head = (
        f"{binary}: {count} unexplained {'difference' if count == 1 else 'differences'}, {known}"
        if count
        else f"{binary}: as the schema says ({known})"
    )
    lines = [head, *_grouped([(d, "") for d in result.unexplained], binary)]
    if verbose and result.explained:
        lines += ["explained:", *_grouped(result.explained, binary)]
    for explanation in unused:
        lines.append(
            f"explained.yaml:{explanation.line}: explains nothing, remove it: {explanation.path}"
        )
    return "\n".join(lines)


def _grouped(differences: Iterable[tuple[Difference, str]], binary: str) -> list[str]:
    lines: list[str] = []
    for root, group in groupby(differences, lambda pair: pair[0].path.split(": ")[0]):
        lines.append(f"  {root}")
        for difference, why in group:
            place = difference.path.removeprefix(root).removeprefix(": ")
            lines.append(f"    {_sentence(place, difference, binary)}")
            if why:
                lines.append(f"      {why}")
    return lines


def _sentence(place: str, difference: Difference, binary: str) -> str:
    name = f"{place} " if place else ""
    if difference.side == "both":
        return f"{name}({difference.what}): {difference.detail}"
    other = {"schema": "not in the schema", "binary": f"not in {binary}"}[difference.side]
    return f"{name}({difference.what}): {other}"

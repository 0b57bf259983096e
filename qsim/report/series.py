# SPDX-License-Identifier: GPL-2.0-or-later
"""The series for the terminal: versions, states after every patch, what changes between two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

from qsim.quorum.revisions import Revision, revision
from qsim.series.diff import Cause, Change
from qsim.series.state import State, state_of
from qsim.series.versions import FOLLOWED, VERSIONS, Patch, Version, version

WIDTH = 100


def render_series() -> str:
    """All versions with their change logs, the state after every patch, and what followed."""
    lines = ["the tree before", *_state_lines(revision("before"), "  ")]
    for one in VERSIONS:
        lines += ["", *_version_lines(one)]
    lines += ["", "merged, and what followed"]
    for name in FOLLOWED:
        lines += _revision_lines(revision(name))
    return "\n".join(lines)


def _version_lines(one: Version) -> Iterator[str]:
    yield one.name
    for change in one.changes:
        yield f"  - {change}"
    for number, patch in enumerate(one.patches, 1):
        yield from _patch_lines(patch, number, len(one.patches))
    for text in dict.fromkeys(
        text for patch in one.patches for text in revision(patch.after).unknown
    ):
        yield _wrapped(f"not determined: {text}", "  ? ", "    ")


def _patch_lines(patch: Patch, number: int, count: int) -> Iterator[str]:
    after = revision(patch.after)
    commit = f", merged as {after.commit}" if after.commit else ""
    yield f"  {number}/{count} {patch.subject} ({', '.join(patch.touches)}{commit})"
    yield f"      state after it: --revision {after.name}"
    yield from _state_lines(after, "      ")


def _state_lines(after: Revision, indent: str) -> Iterator[str]:
    state = state_of(after)
    yield f"{indent}schema takes read-pattern: {_yes(state.schema)}"
    yield f"{indent}driver takes read-pattern: {_yes(state.driver)}"
    for what, answer in _answers(state):
        yield _wrapped(f"{what}: {answer}", indent, indent + "    ")


def _answers(state: State) -> Iterator[tuple[str, str]]:
    yield f"blockdev-add with {state.pattern}", state.blockdev_add or "opens"
    yield f"-drive with {state.pattern}", state.drive or "opens"


def _revision_lines(one: Revision) -> Iterator[str]:
    commit = f" {one.commit}" if one.commit else ""
    releases = f"; QEMU {', '.join(one.releases)}" if one.releases else ""
    yield f"  {one.name}:{commit} {one.describes}{releases}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _wrapped(text: str, indent: str, further: str) -> str:
    return fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=further,
        break_on_hyphens=False,
        break_long_words=False,
    )


def render_diff(left: Revision, right: Revision, found: Sequence[Change], total: int) -> str:
    """What changes from one revision to another: each reason, and under it its scenarios."""
    lines = [f"{left.name} -> {right.name}: {len(found)} of {total} scenarios come out differently"]
    causes = dict.fromkeys(cause for change in found for cause in change.causes)
    for cause in causes:
        lines += ["", *_cause_lines(cause)]
        lines += _change_lines([change for change in found if cause in change.causes], cause)
    unexplained = [change for change in found if not change.causes]
    if unexplained:
        lines += ["", "no reason is known for:", *_change_lines(unexplained)]
    return "\n".join(lines)


def render_steps(left: Version, right: Version) -> str:
    """How the state after each patch compares: what an order of patches means for bisection."""
    lines = []
    for one in (left, right):
        for number, patch in enumerate(one.patches, 1):
            state = state_of(revision(patch.after))
            takes = {
                (True, True): "schema and driver take it",
                (True, False): "the schema takes it, the driver does not",
                (False, True): "the driver takes it, the schema does not",
                (False, False): "neither schema nor driver takes it",
            }[state.schema, state.driver]
            lines.append(f"after {one.name} {number}/{len(one.patches)}: {takes}")
            for what, answer in _answers(state):
                lines.append(_wrapped(f"{what}: {answer}", "    ", "        "))
    return "\n".join(lines)


def _cause_lines(cause: Cause) -> Iterator[str]:
    yield _wrapped(cause.reason, "", "  ")
    yield f"  ({cause.source})"


#: How many scenarios under a reason are told; the others are named.
TOLD = 2


def _change_lines(found: Sequence[Change], cause: Cause | None = None) -> Iterator[str]:
    """Those told in full are those with the fewest other reasons: they show this one alone."""
    told = sorted(found, key=lambda change: (len(change.causes), len(change.differences)))[:TOLD]
    for change in told:
        yield f"    {change.case.id}"
        made = change.causes[cause] if cause else change.differences[0]
        text = f"{made.label}: {made.what}: {made.left} -> {made.right}"
        yield _wrapped(text, "        ", "          ")
    others = [change.case.id for change in found if change not in told]
    if others:
        yield _wrapped(f"and {len(others)} more: {', '.join(others)}", "    ", "        ")


def differing_steps(left: str, right: str) -> str:
    """The states after each patch, where both are versions of the series; else nothing."""
    a, b = version(left), version(right)
    return render_steps(a, b) if a and b else ""

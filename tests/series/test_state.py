# SPDX-License-Identifier: GPL-2.0-or-later
"""What each state of the series says to ``read-pattern``, and the versions as data."""

from __future__ import annotations

import pytest

from qsim.block.switches import Switch
from qsim.quorum.revisions import REVISIONS, revision
from qsim.quorum.switches import SCHEMA_READ_PATTERN, SCHEMA_READ_PATTERN_ENUM
from qsim.series.state import State, state_of
from qsim.series.versions import DRIVER, FOLLOWED, SCHEMA, VERSIONS, Version, version

UNEXPECTED = "QMP input object member 'read-pattern' is unexpected"
UNSUPPORTED = (
    "could not open disk image {0}: Block format 'quorum' used by device '{0}' doesn't support "
    "the option 'read-pattern'"
)
TAKES = State("fifo", True, True, "", "")
#: Where a state does not take the option as ``fifo`` by either way.
STATES = {
    "before": State("fifo", False, False, UNEXPECTED, UNSUPPORTED.format("d0")),
    "v4-1": State("fifo", True, False, UNSUPPORTED.format("q"), UNSUPPORTED.format("d0")),
    "v1": State("single", True, True, "", ""),
    "v3-1": State("fifo", False, True, UNEXPECTED, ""),
}
NAMES = [one.name for one in REVISIONS]


@pytest.mark.parametrize("name", NAMES)
def test_state_says_who_takes_the_option_and_in_which_words_it_is_refused(name: str) -> None:
    assert state_of(revision(name)) == STATES.get(name, TAKES)


def test_versions_are_four_with_one_patch_each_and_then_two() -> None:
    assert [(one.name, len(one.patches)) for one in VERSIONS] == [
        ("v1", 1),
        ("v2", 1),
        ("v3", 2),
        ("v4", 2),
    ]
    assert all(one.changes for one in VERSIONS)


def test_version_is_found_by_its_name_and_other_states_are_none() -> None:
    assert [version(one.name) for one in VERSIONS] == list(VERSIONS)
    assert [version(name) for name in ("before", "v4-1", "v4-merged", "7.2", "")] == [None] * 5


@pytest.mark.parametrize("one", VERSIONS, ids=lambda one: one.name)
def test_last_patch_of_a_version_makes_the_revision_of_its_name(one: Version) -> None:
    assert one.patches[-1].after == one.name


@pytest.mark.parametrize("one", VERSIONS, ids=lambda one: one.name)
def test_patch_changes_what_it_touches_and_nothing_else(one: Version) -> None:
    of_schema = {SCHEMA_READ_PATTERN, SCHEMA_READ_PATTERN_ENUM}
    held: frozenset[Switch] = revision("before").switches
    for patch in one.patches:
        after = revision(patch.after).switches
        touches = set()
        if (held ^ after) & of_schema:
            touches.add(SCHEMA)
        if (held ^ after) - of_schema:
            touches.add(DRIVER)
        assert touches == set(patch.touches), patch.subject
        held = after


def test_every_state_of_the_series_is_told_of() -> None:
    patches = [patch.after for one in VERSIONS for patch in one.patches]
    told = ["before", *patches, *FOLLOWED]
    assert len(set(told)) == len(told)
    assert set(told) == {one.name for one in REVISIONS if one.engine == "callback"}
    assert list(FOLLOWED) == sorted(FOLLOWED, key=NAMES.index)


def test_both_orders_of_the_two_patches_come_to_the_same() -> None:
    assert revision("v3").switches == revision("v4").switches
    assert revision("v3-1").switches & revision("v4-1").switches == revision("before").switches
    assert revision("v3-1").switches | revision("v4-1").switches == revision("v4").switches

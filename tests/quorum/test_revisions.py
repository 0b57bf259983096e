# SPDX-License-Identifier: GPL-2.0-or-later
"""The revisions there are, by name, by commit, by release, and ranges of them."""

from __future__ import annotations

import re

import pytest

from qsim.quorum.revisions import DEFAULT, REVISIONS, covers, nearest, rank, revision
from qsim.quorum.switches import (
    CANCEL_ASYNC,
    CANCEL_SKIPS_NULL,
    ERROR_WITHOUT_NEWLINE,
    FINALIZE_FIFO,
    NAMED_FIFO,
    OPTS_FREED,
    READ_PATTERN,
)

#: The states of the series, in the order in which they can do more.
STATES = [
    "before", "v4-1", "v1", "v2", "v3-1", "v3", "v4", "v4-merged", "opts-freed", "cancel-null",
    "cancel-async", "open-image", "mid-2015",
]  # fmt: skip
NAMES = [one.name for one in REVISIONS]
COMMITS = {
    "38890b246d": "before",
    "62c6031f96": "v4-1",
    "a9db86b223": "v4-merged",
    "8df3abfcee": "opts-freed",
    "997dd8df3e": "cancel-null",
    "7940e5056b": "cancel-async",
    "ea6828d81b": "open-image",
    "d2966f804d": "mid-2015",
}


def test_revisions_are_the_states_of_the_series_and_then_the_releases_in_their_order() -> None:
    assert NAMES[: len(STATES)] == STATES
    # A tree that is no release has the name it was given, and stands anywhere among them.
    releases = [one.name for one in REVISIONS[len(STATES) :] if one.releases]
    assert releases[:3] == ["5.2", "7.2", "10.0"]
    assert releases == sorted(releases, key=lambda name: [int(part) for part in name.split(".")])
    assert [rank(name) for name in NAMES] == list(range(len(NAMES)))


def test_states_of_the_series_have_callbacks_and_releases_coroutines() -> None:
    assert {one.name for one in REVISIONS if one.engine == "callback"} == set(STATES)
    assert {one.engine for one in REVISIONS} == {"callback", "coroutine"}
    assert revision(DEFAULT).engine == "coroutine"


@pytest.mark.parametrize("name", NAMES)
def test_revision_is_found_by_its_name(name: str) -> None:
    assert revision(name).name == name


@pytest.mark.parametrize(("commit", "name"), COMMITS.items())
def test_revision_is_found_by_its_commit_short_or_long(commit: str, name: str) -> None:
    assert revision(commit).name == revision(commit[:7]).name == name
    assert revision(commit + "0" * 30).name == name


def test_revisions_that_were_never_committed_have_no_commit() -> None:
    assert {one.commit: one.name for one in REVISIONS if one.commit} == COMMITS


@pytest.mark.parametrize("name", ["", "v5", "a9db86", "a9db86b224", "5.3", "7.20", "V4"])
def test_what_is_no_revision_is_answered_with_those_there_are(name: str) -> None:
    message = f"no revision {name!r}; there are: {', '.join(NAMES)}"
    with pytest.raises(KeyError, match=re.escape(message)):
        revision(name)


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("2.1.0", "before"),
        ("2.1.50", "v4-merged"),
        ("2.2.0", "cancel-async"),
        ("2.2.50", "cancel-async"),
        ("2.4.0", "mid-2015"),
        ("2.9.0", "5.2"),
        ("5.1.0", "5.2"),
        ("5.2.0", "5.2"),
        ("5.2.0 (Debian 1:5.2+dfsg-11+deb11u5)", "5.2"),
        ("7.1.0", "5.2"),
        ("7.2.0", "7.2"),
        ("7.2.22", "7.2"),
        ("8.1.5", "7.2"),
        ("9.2.0", "7.2"),
        ("10.0.0", "10.0"),
        ("10.0.2 (Debian 1:10.0.2+ds-2)", "10.0"),
        ("99.9.0", [one.name for one in REVISIONS if one.releases][-1]),
    ],
)
def test_binary_is_modelled_by_the_newest_revision_not_after_it(release: str, name: str) -> None:
    assert nearest(release).name == name


def test_every_release_named_is_modelled_by_the_revision_that_names_it() -> None:
    for one in REVISIONS:
        for release in one.releases:
            assert nearest(release) == one


@pytest.mark.parametrize(
    ("since", "until", "covered"),
    [
        (None, None, NAMES),
        ("10.0", "10.0", ["10.0"]),
        ("10.0", None, NAMES[NAMES.index("10.0") :]),
        (None, "v4-1", ["before", "v4-1"]),
        ("v3", "v4", ["v3", "v4"]),
        ("v4", "v4", ["v4"]),
        ("7.2", "v4", []),
        ("a9db86b223", "8df3abf", ["v4-merged", "opts-freed"]),
    ],
)
def test_range_has_both_its_ends(since: str | None, until: str | None, covered: list[str]) -> None:
    assert [one.name for one in REVISIONS if covers(since, until, one)] == covered


def test_range_leaves_out_what_it_is_without() -> None:
    covered = [one.name for one in REVISIONS if covers("v2", "v4", one, ["v3-1", "before"])]
    assert covered == ["v2", "v3", "v4"]
    # A commit names its revision here too.
    assert not covers("v4", None, revision("v4-merged"), ["a9db86b223"])


@pytest.mark.parametrize(
    ("since", "until", "without"), [("5.3", None, []), (None, "5.3", []), (None, None, ["5.3"])]
)
def test_range_with_what_is_no_revision_is_an_error(
    since: str | None, until: str | None, without: list[str]
) -> None:
    with pytest.raises(KeyError):
        covers(since, until, revision("10.0"), without)


def test_state_of_the_schema_goes_with_the_revision() -> None:
    states = {one.name: one.schema_2014 for one in REVISIONS}
    assert [name for name in NAMES if states[name] == "before"] == ["before", "v3-1"]
    assert [name for name in NAMES if states[name] == "string"] == ["v1", "v2"]
    assert [name for name in NAMES if states[name] == ""] == NAMES[len(STATES) :]
    assert states["v4-1"] == states["v3"] == states["v4"] == states["mid-2015"] == "read-pattern"


def test_what_a_commit_brought_is_there_from_it_on() -> None:
    since = {
        OPTS_FREED: "opts-freed",
        CANCEL_SKIPS_NULL: "cancel-null",
        CANCEL_ASYNC: "cancel-async",
        ERROR_WITHOUT_NEWLINE: "v4-merged",
        NAMED_FIFO: "v2",
        FINALIZE_FIFO: "v2",
    }
    for switch, name in since.items():
        have = [one.name for one in REVISIONS if switch in one.switches]
        assert have == STATES[rank(name) :]
    drivers = [one.name for one in REVISIONS if READ_PATTERN in one.switches]
    assert drivers == STATES[2:]


def test_what_nothing_determines_ends_with_v4() -> None:
    unsure = [one.name for one in REVISIONS if one.unknown]
    assert unsure == ["v1", "v2", "v3-1", "v3"]


@pytest.mark.parametrize("release", ["2.9.0", "5.2.0", "7.1.0"])
def test_release_with_coroutines_is_not_taken_for_one_with_callbacks(release: str) -> None:
    assert nearest(release).engine == "coroutine"

# SPDX-License-Identifier: GPL-2.0-or-later
"""The page as text: valid HTML that loads nothing, in which whatever was said stays text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import html5lib
import pytest

from qsim.page.page import duration, headline, page, parted, said

HOSTILE = "</script><script>alert(1)</script><!-- \u2028 \"'&amp;"
NAMES = {"model": "of QEMU 7.2", "qemu": "QEMU 7.2.22", "baseline": "QEMU 5.2.0"}
DIAGRAM = {
    "witness": HOSTILE,
    "lanes": ["QMP", "guest", "quorum", HOSTILE],
    "rows": [["QMP", "quorum", HOSTILE, "request", HOSTILE]],
    "ends": [[HOSTILE, HOSTILE]],
    "trouble": [HOSTILE],
}


def result(name: str = "passed", **more: Any) -> dict[str, Any]:
    """What a witness says of a case."""
    silent = {"by": "", "against": "", "kind": "", "reason": "", "seconds": 0.0, "text": ""}
    return {"result": name, **silent, "found": [], "change": [], **more}


def case(name: str = "one", worst: str = "passed", **more: Any) -> dict[str, Any]:
    """A case as qsim.page.facts tells it."""
    texts = {"source": "block/quorum.c", "place": "x.yaml:1", "again": "qsim compare x"}
    silent = {"intended": "", "intention": "", "bug": "", "kind": "", "changed": False}
    facts = {"id": f"family/{name}", "family": "family", "worst": worst, **texts, **silent}
    return {**facts, "results": {"model": result(worst)}, "diagrams": {}, **more}


def hostile() -> dict[str, Any]:
    """A case where every text is hostile."""
    pair = [[HOSTILE, HOSTILE, HOSTILE]]
    texts = dict.fromkeys(("by", "against", "reason", "text"), HOSTILE)
    said_so = result("failed", **texts, found=pair, change=pair, kind="BROKEN", seconds=2.0)
    texts = dict.fromkeys(("source", "place", "again", "intended", "intention", "bug"), HOSTILE)
    results = {"model": result(), "qemu": said_so, "baseline": result("")}
    more = {"kind": "BROKEN", "changed": True, "family": HOSTILE, "results": results, **texts}
    return case("hostile", "failed", diagrams={"model": DIAGRAM, "qemu": DIAGRAM}, **more)


def whole() -> str:
    names = {**NAMES, "qemu": HOSTILE}
    return page([case(), hostile()], names, [HOSTILE], HOSTILE, [(HOSTILE, HOSTILE)])


def test_it_is_valid_html_with_a_structure() -> None:
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree = parser.parse(whole())
    identities = [one.get("id") for one in tree.iter() if one.get("id")]
    assert len(identities) == len(set(identities))
    assert [one.tag for one in tree.iter() if one.tag == "h1"] == ["h1"]
    labelled = [one.get("aria-labelledby") for one in tree.iter() if one.get("aria-labelledby")]
    assert set(labelled) <= set(identities)


def test_hostile_text_makes_no_element_and_can_be_read() -> None:
    tree = html5lib.parse(whole(), namespaceHTMLElements=False)
    scripts = list(tree.iter("script"))
    # The facts and the page's own; nothing of the text has become one.
    assert [one.get("type") for one in scripts] == ["application/json", None]
    text = "".join(tree.itertext())
    assert text.count(HOSTILE) > 10
    facts = json.loads(scripts[0].text or "")
    assert facts["family/hostile"]["qemu"]["rows"][0][2] == HOSTILE


def test_it_loads_nothing_and_runs_nothing_but_its_own() -> None:
    text = whole()
    tree = html5lib.parse(text, namespaceHTMLElements=False)
    loads = [one.get(name) for one in tree.iter() for name in ("src", "href", "action", "data")]
    assert all(one.startswith(("#", "data:")) for one in loads if one)
    style = next(tree.iter("style")).text or ""
    assert not re.search(r"url\(|@import", style)
    handlers = [name for one in tree.iter() for name in one.attrib if name.startswith("on")]
    assert handlers == []
    policy = next(one for one in tree.iter("meta") if one.get("http-equiv")).get("content") or ""
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[\w+/]{43}='", policy)


@pytest.mark.parametrize(
    ("worsts", "others", "finished", "said_so"),
    [
        (["passed"] * 3, 0, True, "All 3 scenarios agree"),
        (["passed", "failed"], 0, True, "1 of 2 scenarios differs"),
        (["passed", "skipped"], 0, True, "1 scenario agrees, 1 cannot be played"),
        (["skipped"], 0, True, "1 cannot be played"),
        ([], 0, True, "No scenario was played"),
        (["passed"], 2, True, "1 scenario agrees, 2 other checks failed"),
        (["passed"], 0, False, "Interrupted, 1 scenario agrees"),
        ([], 0, False, "Interrupted, no scenario was played"),
    ],
)
def test_the_headline_leaves_out_nothing(
    worsts: list[str], others: int, finished: bool, said_so: str
) -> None:
    assert headline([case(worst=one) for one in worsts], False, others, finished) == said_so


def test_the_headline_of_a_gate() -> None:
    cases = [case(worst=one) for one in ("passed", "failed")]
    assert headline(cases, True) == "1 of 2 scenarios fails the gate"
    assert headline(cases[:1] * 3, True) == "All 3 scenarios pass the gate"
    assert headline(cases[:1], True) == "1 scenario passes the gate"


def test_without_a_binary_that_is_said() -> None:
    assert "No binary was compared" in page([case()], {"model": "of 7.2"}, [], "pytest")
    assert "No binary was compared" not in whole()


def test_a_run_that_was_cut_short_is_not_green() -> None:
    assert '<h1 class="bad">' in page([case()], NAMES, [], "pytest", whole=False)
    assert '<h1 class="bad">' in page([], NAMES, [], "pytest")
    assert '<h1 class="good">' in page([case()], NAMES, [], "pytest")


def test_what_failed_beside_the_scenarios_makes_the_page_red() -> None:
    text = page([case()], NAMES, [], "pytest", [("test_leaks[open]", "it grows by 40 bytes")])
    assert '<h1 class="bad">' in text
    assert "it grows by 40 bytes" in text


def test_verdicts_have_the_words_of_the_gate() -> None:
    assert said("passed", "") == "agrees"
    assert said("failed", "DIFFERS") == "differs"
    assert said("passed", "AS_BEFORE") == "not as the fixture says, and the same as the baseline"
    assert said("", "") == "the suite has no such case"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("c0 read; c1 read", "c0 read; c2 read", ("c0 read; ", "c1 ", "read")),
        ("EIO", "0", ("", "EIO", "")),
        ("a b", "a b c", ("a ", "b", "")),
        ("a b c", "a b", ("a ", "b c", "")),
        ("a a", "a a a", ("a ", "", "a")),
        ("same", "same", ("same", "", "")),
    ],
)
def test_where_two_texts_part(one: str, other: str, expected: tuple[str, str, str]) -> None:
    assert "".join(parted(one, other)) == one
    assert parted(one, other) == expected


def test_durations() -> None:
    assert [duration(one) for one in (0.0002, 0.0123, 2.04)] == ["under 1 ms", "12 ms", "2.0 s"]


def test_every_file_is_in_the_package() -> None:
    folder = Path(__file__).parent.parent.parent / "qsim" / "page"
    text = whole()
    for name in ("page.css", "picture.js", "page.js"):
        assert folder.joinpath(name).read_text("utf-8") in text

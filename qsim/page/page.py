# SPDX-License-Identifier: GPL-2.0-or-later
"""The page itself: the template with the facts, the style and the script in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from itertools import takewhile
from typing import Any

import jinja2
from markupsafe import Markup

from qsim.page.facts import matrix
from qsim.report.mail import ours
from qsim.verdict import Kind

#: The files of the script, which are one on the page.
SCRIPTS = ("picture.js", "page.js")
#: What the results are called: of one case, of several, and of those where a gate decides.
ONE = {"passed": "agrees", "failed": "differs", "skipped": "not supported"}
SEVERAL = {"passed": "agree", "failed": "differ", "skipped": "not supported"}
GATE = {"passed": "pass", "failed": "fail", "skipped": "not supported"}
#: Verdicts that a result's own word tells as well.
_PLAIN = (Kind.AGREES.name, Kind.DIFFERS.name, Kind.UNSUPPORTED.name)


def page(
    cases: Sequence[dict[str, Any]],
    witnesses: dict[str, str],
    closing: Sequence[str],
    command: str,
    others: Sequence[tuple[str, str]] = (),
    whole: bool = True,
) -> str:
    """The whole page.

    :param cases: see :func:`qsim.page.facts.case_facts`.
    :param witnesses: what each witness is, for people, by its name.
    :param closing: the lines of the closing table.
    :param command: what was run.
    :param others: what failed beside the scenarios: its name, and what was said.
    :param whole: whether all that was selected was run.
    """
    files = resources.files("qsim.page")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["duration"] = duration
    template = environment.from_string(files.joinpath("page.html.j2").read_text("utf-8"))
    counts = Counter(case["worst"] for case in cases)
    beside = "baseline" in witnesses
    script = "".join(files.joinpath(name).read_text("utf-8") for name in SCRIPTS)
    return template.render(
        cases=cases,
        bad=bool(counts["failed"] or others or not whole or not cases),
        differ=counts["failed"],
        headline=headline(cases, beside, len(others), whole),
        verdicts=_verdicts(cases, beside),
        witnesses=witnesses,
        matrix=matrix(cases, list(witnesses)),
        several={name: GATE if beside and name == "qemu" else SEVERAL for name in witnesses},
        said=said,
        parted=parted,
        closing=closing,
        command=command,
        others=others,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        ours=ours(),
        style=Markup(files.joinpath("page.css").read_text("utf-8")),
        script=Markup(script),
        hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=Markup(_embedded({case["id"]: case["diagrams"] for case in cases})),
    )


def headline(
    cases: Sequence[dict[str, Any]], beside: bool, others: int = 0, whole: bool = True
) -> str:
    """The run in a sentence: what is wrong first, and what was not seen never left out."""
    counts = Counter(case["worst"] for case in cases)
    verbs = ("pass the gate", "fail the gate") if beside else ("agree", "differ")
    parts = [] if whole else ["interrupted"]
    if counts["failed"]:
        verb = _verb(counts["failed"], verbs[1])
        parts.append(f"{counts['failed']} of {len(cases)} scenarios {verb}")
    elif counts["passed"] == 1:
        parts.append(f"1 scenario {_verb(1, verbs[0])}")
    elif counts["passed"]:
        every = "all " if whole else ""
        parts.append(f"{every}{counts['passed']} scenarios {verbs[0]}")
    elif not cases:
        parts.append("no scenario was played")
    if counts["skipped"]:
        parts.append(f"{counts['skipped']} cannot be played")
    if others:
        parts.append(f"{others} other check{'s' if others > 1 else ''} failed")
    text = ", ".join(parts)
    return text[0].upper() + text[1:]


def _verb(count: int, plural: str) -> str:
    """A verb of so many things."""
    first, _, rest = plural.partition(" ")
    one = f"{first}es" if first.endswith("s") else f"{first}s"
    return f"{one} {rest}".strip() if count == 1 else plural


def said(result: str, kind: str) -> str:
    """A verdict in words: those of the gate, where it has words of its own."""
    if kind and kind not in _PLAIN:
        return Kind[kind].text
    return ONE.get(result, "the suite has no such case")


def _verdicts(cases: Sequence[dict[str, Any]], beside: bool) -> dict[str, tuple[str, int]]:
    """What a verdict can be chosen by: a word for the script, words for people, how many."""
    results = Counter(case["worst"] for case in cases)
    found = {key: (word, results[key]) for key, word in (GATE if beside else SEVERAL).items()}
    found["changed"] = ("changed from the baseline", sum(case["changed"] for case in cases))
    found["bug"] = ("known bugs", sum(bool(case["bug"]) for case in cases))
    kinds = Counter(case["kind"] for case in cases)
    found |= {one.name: (one.text, kinds[one.name]) for one in Kind if one.name not in _PLAIN}
    return {key: one for key, one in found.items() if one[1]}


def parted(one: str, other: str) -> tuple[str, str, str]:
    """A text as what it has in common with another, where they part, and what is common again."""
    # Words are marked whole.
    words, others = (re.split("(?<= )", text) for text in (one, other))
    before = _alike(words, others)
    after = len(words) - _alike(words[before:][::-1], others[before:][::-1])
    return "".join(words[:before]), "".join(words[before:after]), "".join(words[after:])


def _alike(some: Sequence[str], others: Sequence[str]) -> int:
    """With how many words both begin."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False))))


def duration(seconds: float) -> str:
    """A time as a person would say it."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "under 1 ms"


def _embedded(data: object) -> str:
    """JSON that cannot end the script it stands in, of texts that may be no Unicode."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")

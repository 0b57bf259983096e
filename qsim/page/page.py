# SPDX-License-Identifier: GPL-2.0-or-later
"""The page itself: the template with the facts, the style and the script in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from qsim.page.facts import matrix
from qsim.report.mail import ours

#: What the results are called on the page, in the order of its columns.
RESULTS = {"passed": "agree", "failed": "differ", "skipped": "not supported"}


def page(
    cases: Sequence[dict[str, Any]], witnesses: dict[str, str], closing: Sequence[str], command: str
) -> str:
    """The whole page.

    :param witnesses: what each witness is, for people, by its name.
    :param closing: the lines of the closing table.
    :param command: what was run.
    """
    files = resources.files("qsim.page")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(files.joinpath("page.html.j2").read_text("utf-8"))
    differ = sum(
        any(result["result"] == "failed" for result in case["results"].values()) for case in cases
    )
    return template.render(
        cases=cases,
        differ=differ,
        witnesses=witnesses,
        matrix=matrix(cases, list(witnesses)),
        results=RESULTS,
        closing=closing,
        command=command,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        ours=ours(),
        style=Markup(files.joinpath("page.css").read_text("utf-8")),
        script=Markup(files.joinpath("page.js").read_text("utf-8")),
        data=Markup(_embedded({case["id"]: case for case in cases})),
    )


def _embedded(data: object) -> str:
    """JSON that cannot end the script it stands in."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")

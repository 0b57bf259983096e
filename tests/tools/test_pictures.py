# SPDX-License-Identifier: GPL-2.0-or-later
"""The documentation's pictures show what qsim prints today, and load nothing."""

from __future__ import annotations

from itertools import groupby
from xml.etree import ElementTree

import pytest

from tools.pictures import PICTURES, PLACE, on_a_terminal, picture

SVG = "{http://www.w3.org/2000/svg}"


def words(svg: str) -> list[str]:
    """The text of a picture, line by line."""
    texts = [
        (text.get("y"), text.text or "") for text in ElementTree.fromstring(svg).iter(f"{SVG}text")
    ]
    return ["".join(word for _, word in line) for _, line in groupby(texts, lambda text: text[0])]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_todays_run(name: str) -> None:
    shown = (PLACE / f"{name}.svg").read_text("utf-8")
    assert words(shown) == words(picture(name)), "make them anew: python -m tools.pictures"
    assert "http" not in shown.replace("http://www.w3.org/2000/svg", "").replace(
        "https://www.textualize.io", ""
    )


def test_there_are_no_others() -> None:
    assert {file.stem for file in PLACE.iterdir()} == {*PICTURES}


def test_a_terminal_without_colours_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    words = PICTURES["fifo-retry"]
    assert "\x1b" in on_a_terminal(words)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = on_a_terminal(words)
    assert "\x1b" not in plain and "◀" in plain

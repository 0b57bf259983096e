# SPDX-License-Identifier: GPL-2.0-or-later
"""The page as a person has it before them: in Chromium, by mouse and by keyboard, and on paper."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

#: How long a condition may take to come true; none should need a hundredth of it.
PATIENCE_S = 30
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
AGREES = "example/a-tie"
WRONG = "example/not-so"
INTENDED = "example/a-read,-all-agree"
HOSTILE = "example/no-such-node"
#: The element, its colour against what is behind it: every text one can see.
CONTRAST = """
const channels = (text) => text.match(/[\\d.]+/g).map(Number);
const luminance = (text) => {
  const [r, g, b] = channels(text).slice(0, 3).map((one) => {
    const part = one / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (one) => {
  for (let at = one; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (channels(colour)[3] !== 0) return colour;
  }
  return 'rgb(255, 255, 255)';
};
const has = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
return [...document.querySelectorAll('body *')]
  .filter((one) => has(one) && one.checkVisibility({ visibilityProperty: true }))
  .map((one) => {
    const style = getComputedStyle(one);
    const svg = one.namespaceURI.endsWith('svg');
    const [a, b] = [svg ? style.fill : style.color, behind(one)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return [one.textContent.slice(0, 40), ratio];
  });
"""


def program(*names: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.fail(
            f"no {names[0]} on PATH, so the page was seen by nobody; "
            "as root: apt-get install chromium chromium-driver"
        )
    return found


@pytest.fixture(scope="module")
def browser(short_tmp_of_module: Path) -> Iterator[webdriver.Chrome]:
    """A Chromium that reaches no network and leaves nothing behind."""
    # It makes a socket in there.
    home = short_tmp_of_module
    options = webdriver.ChromeOptions()
    options.binary_location = program(*CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    for argument in (
        "--headless=new",
        # Its sandbox refuses root, which CI is; the only page is our own.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={home}/profile",
    ):
        options.add_argument(argument)
    private = {**os.environ, "HOME": str(home), "TMPDIR": str(home)}
    driver = webdriver.Chrome(options, Service(program("chromedriver"), env=private))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """The page in the browser."""

    def __init__(self, browser: webdriver.Chrome, address: str) -> None:
        self.browser = browser
        self.address = address

    def load(self, fragment: str = "") -> None:
        """Load it anew, also where only the fragment is another."""
        self.browser.get("about:blank")
        self.browser.get(self.address + fragment)

    def screen(self, width: int, height: int = 900) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def media(self, kind: str = "", scheme: str = "light") -> None:
        scheme_is = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": kind, "features": scheme_is}
        )

    def script(self, text: str, *arguments: Any) -> Any:
        return self.browser.execute_script(text, *arguments)

    def wait(self, condition: Callable[[], Any]) -> Any:
        return WebDriverWait(self.browser, PATIENCE_S, 0.02).until(lambda _: condition())

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def case(self, name: str) -> WebElement:
        return self.browser.find_element(By.ID, name)

    def summary(self, name: str) -> WebElement:
        return self.case(name).find_element(By.TAG_NAME, "summary")

    def drawn(self, name: str) -> bool:
        """Whether a scenario is open, with its diagrams."""
        case = self.case(name)
        found = case.find_elements(By.TAG_NAME, "svg")
        return case.get_property("open") is True and any(one.is_displayed() for one in found)

    def shown(self) -> list[str]:
        """The scenarios that pass the filters."""
        return [
            str(one.get_attribute("id"))
            for one in self.all(".case")
            if not one.get_property("hidden")
        ]

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        chain = ActionChains(self.browser)
        for key in keys:
            chain.send_keys(key)
        chain.perform()

    @property
    def focus(self) -> WebElement:
        return self.browser.switch_to.active_element

    def widths(self, name: str) -> list[float]:
        """How wide a scenario's diagrams were made."""
        found = self.case(name).find_elements(By.TAG_NAME, "svg")
        return [float(one.get_attribute("width") or 0) for one in found]

    def printed(self) -> None:
        """Print it, and wait until the page has heard that it is over."""
        self.script("window.addEventListener('afterprint', () => { window.over = true; })")
        assert self.browser.print_page()
        self.wait(lambda: self.script("return window.over"))

    def choose(self, name: str, value: str) -> None:
        Select(self.one(f"#{name}")).select_by_value(value)


@pytest.fixture
def page(browser: webdriver.Chrome, report: Path) -> Iterator[Page]:
    """The page, freshly loaded on a desktop's screen; when a test is over it had no error."""
    browser.get_log("browser")
    found = Page(browser, report.as_uri())
    found.media()
    found.screen(1280)
    found.load()
    yield found
    # A violation of the page's own Content-Security-Policy would be here too.
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def test_nothing_is_fetched_and_hostile_text_stays_text(page: Page) -> None:
    page.browser.get_log("performance")
    page.load()
    for summary in page.all(".case > summary"):
        if summary.is_displayed():
            summary.click()
    page.wait(lambda: page.drawn(HOSTILE))
    entries = [json.loads(one["message"]) for one in page.browser.get_log("performance")]
    asked = {
        one["message"]["params"]["request"]["url"]
        for one in entries
        if one["message"]["method"] == "Network.requestWillBeSent"
    }
    assert asked - {"about:blank", "data:,"} == {page.address}
    assert page.script("return window.hit") is None
    assert page.all("#cases script, #cases img, #cases b") == []
    text = page.case(HOSTILE).text
    assert "<script>hit=1</script> & <img src=x onerror=hit=2>" in text
    assert "<b>other words</b>" in text
    assert "</script><script>hit=3</script>" in text


def test_it_begins_with_what_fails_and_says_why(page: Page) -> None:
    assert "3 of 4 scenarios fail the gate" in page.one("h1").text
    assert page.shown() == [INTENDED, WRONG, HOSTILE]
    page.summary(INTENDED).click()
    page.wait(lambda: page.drawn(INTENDED))
    text = page.case(INTENDED).text
    for words in (
        "not as intended",
        "the patch on the list",
        "intended.yaml:5",
        "again\nqsim compare",
    ):
        assert words in text
    assert "read 0 512: ret\nthe intention\nEIO\nQEMU" in text
    captions = [one.text.split(".")[0] for one in page.all("figcaption")]
    assert captions[0] == "model 7"
    assert captions[1].startswith("qemu: QEMU ")
    assert len(captions) == 2


def test_the_baseline_has_a_column_as_in_the_closing_table(page: Page) -> None:
    assert [one.text for one in page.all("thead th")] == ["behaviour", "model", "qemu", "baseline"]
    cells = [one.text for one in page.all("tbody td")]
    assert cells == ["2 agree, 2 differ", "3 pass, 1 fail", "2 agree, 2 differ"]
    page.one(".closing summary").click()
    told = page.one(".closing pre").text
    assert re.search(r"^baseline QEMU \S+ \(.*\) +4 +2 +2$", told, re.MULTILINE)
    page.one("button[data-target=baseline][data-verdict=failed]").click()
    assert page.shown() == [WRONG, HOSTILE]


def test_filters_by_mouse(page: Page) -> None:
    page.choose("verdict", "passed")
    assert page.shown() == [AGREES]
    page.choose("verdict", "AS_BEFORE")
    assert page.shown() == [WRONG, HOSTILE]
    page.choose("target", "baseline")
    page.choose("verdict", "passed")
    assert page.shown() == [INTENDED, AGREES]
    page.choose("verdict", "")
    page.choose("behaviour", "example")
    assert len(page.shown()) == 4
    assert page.one("#count").text == "4 of 4"
    page.one("#search").send_keys("vote_winner TIE")
    assert page.shown() == [AGREES]
    page.one("#search").clear()
    page.one("button[data-target=model][data-verdict=failed]").click()
    assert page.shown() == [WRONG, HOSTILE]
    assert page.one("#target").get_property("value") == "model"


def test_all_of_it_by_keyboard(page: Page) -> None:
    page.press("/")
    assert page.focus == page.one("#search")
    page.press("quorum_vote")
    assert page.shown() == [WRONG]
    page.press(Keys.ENTER)
    assert page.focus == page.summary(WRONG)
    page.press(Keys.ENTER)
    page.wait(lambda: page.drawn(WRONG))
    page.press(Keys.ESCAPE)
    assert len(page.shown()) == 4
    page.press("j")
    assert page.focus == page.summary(INTENDED)
    page.press("j")
    assert page.focus == page.summary(AGREES)
    page.press("k")
    assert page.focus == page.summary(INTENDED)
    page.press("/", Keys.TAB)
    assert page.focus == page.one("#verdict")
    before = len(page.shown())
    page.press(Keys.ARROW_DOWN)
    page.wait(lambda: len(page.shown()) != before)
    # In a list of choices letters are for the list.
    page.press("j")
    assert page.focus == page.one("#verdict")
    page.script("arguments[0].focus()", page.one("button.failed"))
    page.press(Keys.ENTER)
    assert page.one("#verdict").get_property("value") == "failed"
    assert page.focus == page.one("#verdict")


def test_one_sees_where_the_focus_is(page: Page) -> None:
    seen = set()
    # Through the head, the table, the filters and an opened scenario.
    while page.focus.tag_name != "a":
        if page.focus == page.summary(INTENDED):
            page.press(Keys.ENTER)
            page.wait(lambda: page.drawn(INTENDED))
        page.press(Keys.TAB)
        assert page.focus.tag_name != "body"
        outline = page.script(
            "const style = getComputedStyle(document.activeElement);"
            "return [style.outlineStyle, parseFloat(style.outlineWidth)]"
        )
        assert outline == ["solid", 2], page.focus.get_attribute("outerHTML")
        seen.add(page.focus.tag_name)
    assert {"summary", "button", "input", "select", "a"} <= seen


def test_a_scenario_has_an_address(page: Page) -> None:
    page.summary(WRONG).click()
    page.wait(lambda: page.browser.current_url.endswith("#example/not-so"))
    page.case(WRONG).find_element(By.CLASS_NAME, "link").click()
    assert page.browser.current_url == f"{page.address}#example/not-so"
    # One that the filters do not show is shown all the same.
    page.load("#example/a-tie")
    page.wait(lambda: page.drawn(AGREES))
    assert page.focus == page.summary(AGREES)
    page.script("window.location.hash = arguments[0]", "example/a-read%2C-all-agree")
    page.wait(lambda: page.drawn(INTENDED))
    for fragment in ("#example/a-read,-all-agree", "#example/a-read%2C-all-agree"):
        page.load(fragment)
        page.wait(lambda: page.drawn(INTENDED))
    page.load("#example/nosuch%")
    assert page.shown() == [INTENDED, WRONG, HOSTILE]


def test_a_phone_scrolls_in_one_direction(page: Page) -> None:
    page.screen(360, 740)
    page.load()
    page.choose("verdict", "")
    for summary in page.all("main > section > details:not([open]) > summary, .case > summary"):
        summary.click()
    page.wait(lambda: all(page.drawn(name) for name in page.shown()))
    assert page.script("return document.documentElement.scrollWidth") <= 360
    frames = page.script(
        "return [...document.querySelectorAll('.picture')]"
        ".map((one) => [one.scrollWidth, one.clientWidth])"
    )
    assert len(frames) == 7
    assert [pair for pair in frames if pair[0] > pair[1]] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read(page: Page, scheme: str) -> None:
    page.media(scheme=scheme)
    page.load()
    page.choose("verdict", "")
    for summary in page.all(".case > summary"):
        summary.click()
    page.wait(lambda: all(page.drawn(name) for name in page.shown()))
    found = page.script(CONTRAST)
    assert len(found) > 100
    assert [one for one in found if one[1] < 4.5] == []


def test_on_paper_what_fails_is_open(page: Page) -> None:
    page.screen(700)
    page.media("print", "dark")
    page.wait(lambda: all(page.drawn(name) for name in (INTENDED, WRONG, HOSTILE)))
    assert not page.one(".bar").is_displayed()
    assert "not as intended" in page.case(INTENDED).text
    assert (
        page.script("return getComputedStyle(document.body).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert [one for one in page.script(CONTRAST) if one[1] < 4.5] == []
    widths = page.script(
        "return [...document.querySelectorAll('svg')].map((one) => one.clientWidth)"
    )
    # Two beside each other, within the margins of A4 and of letter.
    assert 0 < max(widths) <= 350
    page.media()
    page.wait(lambda: page.all(".case[open]") == [])

    page.script(
        "window.addEventListener('beforeprint',"
        " () => { window.printed = document.querySelectorAll('.case[open] svg').length; })"
    )
    page.printed()
    assert page.script("return window.printed") == 6
    assert page.all(".case[open]") == []


def test_after_paper_a_scenario_is_drawn_for_the_screen_again(page: Page) -> None:
    # Here one below the other, on paper two beside each other.
    page.screen(700)
    page.summary(WRONG).click()
    page.wait(lambda: page.drawn(WRONG))
    before = page.widths(WRONG)
    page.summary(WRONG).click()
    page.wait(lambda: not page.drawn(WRONG))
    page.printed()
    page.summary(WRONG).click()
    page.wait(lambda: page.drawn(WRONG))
    page.wait(lambda: page.widths(WRONG) == before)


def test_what_is_open_and_filtered_away_is_drawn_when_it_is_seen_again(page: Page) -> None:
    page.summary(WRONG).click()
    page.wait(lambda: page.drawn(WRONG))
    page.choose("verdict", "passed")
    assert page.shown() == [AGREES]
    page.printed()
    page.screen(360, 740)
    page.wait(lambda: page.script("return window.innerWidth") == 360)
    # Without a frame to wait for, the page could not have heard of it yet.
    page.script("return new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    page.choose("verdict", "failed")
    page.wait(lambda: page.drawn(WRONG) and max(page.widths(WRONG)) <= 360)


def test_where_there_is_no_room_at_all_a_picture_comes_to_an_end(page: Page) -> None:
    height = page.script(
        "const rows = [['QMP', 'quorum', 'words without end', 'request']];"
        "const one = { lanes: ['QMP', 'quorum'], rows };"
        "return Number(picture(one, -1, 0).getAttribute('height'))"
    )
    assert height > 0


def test_headings_and_names_for_those_who_hear_it(page: Page) -> None:
    for summary in page.all(".case > summary"):
        if summary.is_displayed():
            summary.click()
    page.wait(lambda: all(page.drawn(name) for name in page.shown()))
    levels = page.script(
        "return [...document.querySelectorAll('h1, h2, h3')].map((h) => h.tagName)"
    )
    assert levels[0] == "H1"
    assert levels.count("H1") == 1
    assert levels.count("H2") == 3
    for field in page.all(".bar input, .bar select, main > section, .pick, svg"):
        assert field.accessible_name, field.get_attribute("outerHTML")
    label = page.one("svg").get_attribute("aria-label")
    assert label is not None
    assert label.startswith("Sequence diagram. QMP to quorum: blockdev-add")

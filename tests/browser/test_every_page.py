"""What holds for every page: it can be used by everybody, anywhere, and asks nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext
from playwright.sync_api import Page as Tab

from tests.browser.axe import violations
from tests.browser.chromium import DESKTOP, PHONE, resize, settle, watching
from tests.browser.focus import faults_of_focus
from tests.browser.night import Night
from tests.browser.pages import PAGES, Page

TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
    .map(each => `too wide: ${each.outerHTML.slice(0, 120)}`).slice(0, 8)"""

# What is renewed amid a walk is other elements. A page that nobody looks at asks for nothing, and
# no preview of a template takes the place of the one that the keys are in.
STAND_STILL = """() => {
  Object.defineProperty(document, "hidden", { get: () => true });
  HTMLFormElement.prototype.requestSubmit = () => {};
}"""

# What is asked of a row is asked of its elements and their classes, whatever they say.
ONE_ROW_OF_A_KIND = """() => {
  const kindOf = row => [row, ...row.querySelectorAll("*")]
    .map(each => each.tagName + each.getAttribute("class") + each.getAttribute("role")).join();
  const seen = new Set();
  for (const row of document.querySelectorAll("[data-row]")) {
    const kind = kindOf(row);
    if (seen.has(kind)) row.remove();
    seen.add(kind);
  }
}"""


@pytest.fixture(scope="module")
def visitor(chromium: Browser) -> Iterator[BrowserContext]:
    """One for all pages, since looking changes nothing: it loads what they share once."""
    context = chromium.new_context()
    yield context
    context.close()


@pytest.fixture(scope="module")
def scriptless(chromium: Browser) -> Iterator[BrowserContext]:
    """The same without scripts."""
    context = chromium.new_context(java_script_enabled=False)
    yield context
    context.close()


@pytest.mark.parametrize("each", [pytest.param(page, id=page.name) for page in PAGES])
def test_a_page_is_there_for_everybody(
    each: Page, visitor: BrowserContext, scriptless: BrowserContext, night: Night
) -> None:
    with visitor.new_page() as page:
        heading = _is_for_everybody(each, page, each.url(night))
    with scriptless.new_page() as page:
        _says_the_same_without_scripts(each, page, each.url(night), heading)


def _is_for_everybody(each: Page, page: Tab, url: str) -> str:
    """Returns what its heading says."""
    witness = watching(page, url, each.status)
    answer = page.goto(url)
    assert answer is not None
    assert answer.status == each.status
    page.evaluate(STAND_STILL)
    settle(page)
    assert page.locator("main h1").count() == 1
    faults = []
    for width, height in (PHONE, DESKTOP):
        resize(page, width, height)
        faults += page.evaluate(TOO_WIDE)
        page.evaluate(ONE_ROW_OF_A_KIND)
        faults += faults_of_focus(page)
    faults += violations(page) + witness.complaints
    assert not faults, "\n".join(faults)
    return page.locator("h1").inner_text()


def _says_the_same_without_scripts(each: Page, plain: Tab, url: str, heading: str) -> None:
    answer = plain.goto(url)
    assert answer is not None
    assert answer.status == each.status
    assert plain.locator("h1").inner_text() == heading
    assert not plain.locator("form:not([method]):not([action]) button").count()

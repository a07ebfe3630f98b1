"""What holds for every page: it can be used by everybody, anywhere, and asks nobody else."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, BrowserContext
from playwright.sync_api import Page as Tab

from tests.browser.axe import violations
from tests.browser.chromium import PHONE, settle, watching
from tests.browser.night import Night
from tests.browser.pages import PAGES, Page

TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
    .map(each => `too wide: ${each.outerHTML.slice(0, 120)}`).slice(0, 8)"""


@pytest.mark.parametrize("each", [pytest.param(page, id=page.name) for page in PAGES])
def test_a_page_is_there_for_everybody(
    each: Page, chromium: Browser, page: Tab, night: Night
) -> None:
    url = each.url(night)
    witness = watching(page, url, each.status)
    answer = page.goto(url)
    assert answer is not None
    assert answer.status == each.status
    settle(page)
    assert page.locator("main h1").count() == 1
    width, height = PHONE
    page.set_viewport_size({"width": width, "height": height})
    faults = page.evaluate(TOO_WIDE) + witness.complaints
    faults += violations(page)
    assert not faults, "\n".join(faults)
    _says_the_same_without_scripts(each, url, page.locator("h1").inner_text(), chromium)


def _says_the_same_without_scripts(each: Page, url: str, heading: str, chromium: Browser) -> None:
    context: BrowserContext = chromium.new_context(java_script_enabled=False)
    try:
        plain = context.new_page()
        answer = plain.goto(url)
        assert answer is not None
        assert answer.status == each.status
        assert plain.locator("h1").inner_text() == heading
        assert not plain.locator("form:not([method]):not([action]) button").count()
    finally:
        context.close()

"""What holds for every page: it can be used by everybody, anywhere, and asks nobody else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from tests.browser.chromium import DESKTOP, PHONE, settle, watching
from tests.browser.night import Night
from tests.browser.pages import PAGES, Page

AXE = Path(__file__).parents[2] / "deploy/console/node_modules/axe-core/axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHECK = "options => axe.run(document, options)"
ALL_RULES = {"runOnly": {"type": "tag", "values": STANDARDS}}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""All that a theme differs in."""
WIDEST = "document.documentElement.scrollWidth"


every_page = pytest.mark.parametrize("each", [pytest.param(page, id=page.name) for page in PAGES])


@every_page
def test_nobody_is_kept_out(each: Page, chromium: Browser, night: Night) -> None:
    # The policy of a page lets no script of others run, so axe needs a context that ignores it.
    context = chromium.new_context(bypass_csp=True, reduced_motion="reduce")
    try:
        tab = context.new_page()
        answer = tab.goto(night.console.base + each.path(night))
        assert answer is not None
        assert answer.status == 200
        settle(tab)
        tab.add_script_tag(path=AXE)
        faults = [
            fault for width, height in (DESKTOP, PHONE) for fault in _faults_at(tab, width, height)
        ]
        assert not faults, "\n".join(faults)
    finally:
        context.close()


def _faults_at(tab: Tab, width: int, height: int) -> list[str]:
    tab.set_viewport_size({"width": width, "height": height})
    tab.emulate_media(color_scheme="light")
    found = _violations(tab, ALL_RULES)
    tab.emulate_media(color_scheme="dark")
    found += _violations(tab, COLOURS)
    return [f"{width} px: {fault}" for fault in found]


def _violations(tab: Tab, options: dict[str, Any]) -> list[str]:
    result = tab.evaluate(CHECK, options)
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]} {node['failureSummary']}"
        for each in result["violations"]
        for node in each["nodes"]
    ]


@every_page
def test_a_page_is_whole_and_asks_nobody_else(
    each: Page, page: Tab, open_page: Callable[..., Tab], night: Night
) -> None:
    witness = watching(page, night.console.base)
    tab = open_page(night.console, each.path(night))
    assert tab.locator("main h1").count() == 1
    width, height = PHONE
    tab.set_viewport_size({"width": width, "height": height})
    assert tab.evaluate(WIDEST) <= width, _too_wide(tab)
    assert not witness.complaints, "\n".join(witness.complaints)


def _too_wide(tab: Tab) -> str:
    """Names what does not fit."""
    found = tab.evaluate(
        """() => [...document.querySelectorAll("main *")]
          .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
          .map(each => each.outerHTML.slice(0, 120)).slice(0, 8)"""
    )
    return "too wide: " + "\n".join(found)


@every_page
def test_a_page_says_the_same_without_scripts(
    each: Page, chromium: Browser, page: Tab, open_page: Callable[..., Tab], night: Night
) -> None:
    open_page(night.console, each.path(night))
    heading = page.locator("h1").inner_text()
    context = chromium.new_context(java_script_enabled=False)
    try:
        plain = context.new_page()
        answer = plain.goto(night.console.base + each.path(night))
        assert answer is not None
        assert answer.status == 200
        assert plain.locator("h1").inner_text() == heading
        assert not plain.locator("form:not([method]):not([action]) button").count()
    finally:
        context.close()

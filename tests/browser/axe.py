"""axe-core: whether everybody can use a page, with whatever hands, eyes and ears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.browser.chromium import DESKTOP, PHONE, resize

SOURCE = Path(__file__).parents[2] / "deploy/console/node_modules/axe-core/axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_CHECK = "options => axe.run(document, { ...options, resultTypes: ['violations'] })"
_ALL_RULES = {"runOnly": {"type": "tag", "values": STANDARDS}}
_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""All that a theme differs in."""


def violations(page: Page) -> list[str]:
    """What keeps somebody out of ``page``: wide and on a phone, light and dark."""
    # Past the policy of the page, which lets no script of others run.
    page.evaluate(SOURCE.read_text(encoding="utf-8"))
    return [
        f"{width} px: {fault}"
        for width, height in (DESKTOP, PHONE)
        for fault in _at(page, width, height)
    ]


def _at(page: Page, width: int, height: int) -> list[str]:
    resize(page, width, height)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = _found(page, _ALL_RULES)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    return found + _found(page, _COLOURS)


def _found(page: Page, options: dict[str, Any]) -> list[str]:
    result = page.evaluate(_CHECK, options)
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]} {node['failureSummary']}"
        for each in result["violations"]
        for node in each["nodes"]
    ]

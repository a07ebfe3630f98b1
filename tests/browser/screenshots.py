"""Pictures of every page: light, dark and on a phone. ``make screenshots``."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from html import escape
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.chromium import DESKTOP, PHONE, Theme, running_chromium, settle
from tests.browser.night import Night, running_night
from tests.browser.pages import PAGES, Page

KINDS: tuple[tuple[str, tuple[int, int], Theme], ...] = (
    ("light", DESKTOP, "light"),
    ("dark", DESKTOP, "dark"),
    ("phone", PHONE, "light"),
)
TALLEST = 1600
"""Of a long list the beginning says enough."""
SHEET = """<!doctype html><meta charset="utf-8"><title>The console</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; background: #ddd; }}
section {{ display: grid; grid-template-columns: 3fr 3fr 1fr; gap: 1rem; align-items: start; }}
img {{ width: 100%; box-shadow: 0 1px 6px rgb(0 0 0 / 30%); }}
</style>
{sections}
"""


def take(browser: Browser, night: Night, pages: tuple[Page, ...], directory: Path) -> list[str]:
    """Takes the pictures into ``directory``; returns what could not be taken."""
    failed = []
    for kind, (width, height), theme in KINDS:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce",
        )
        for page in pages:
            tab = context.new_page()
            answer = tab.goto(page.url(night))
            if answer is None or answer.status != page.status:
                failed.append(f"{page.name}: {answer.status if answer else 'no answer'}")
            settle(tab)
            wanted = tab.evaluate("() => document.documentElement.scrollHeight")
            tab.set_viewport_size({"width": width, "height": max(height, min(wanted, TALLEST))})
            tab.screenshot(path=directory / f"{page.name}-{kind}.png")
            tab.close()
        context.close()
    return failed


def write_sheet(pages: tuple[Page, ...], directory: Path) -> Path:
    """All pictures on one page."""
    sections = [
        f"<h2>{escape(page.name)}</h2><section>"
        + "".join(
            f'<a href="{page.name}-{kind}.png"><img src="{page.name}-{kind}.png" alt="{kind}"></a>'
            for kind, _, _ in KINDS
        )
        + "</section>"
        for page in pages
    ]
    sheet = directory / "index.html"
    sheet.write_text(SHEET.format(sections="\n".join(sections)))
    return sheet


def main() -> int:
    """0 all taken, 1 some page failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("build/screenshots"))
    parser.add_argument("--only", nargs="*", default=[], help="names of pages")
    given = parser.parse_args()
    # The services say that targets fail: they are meant to.
    logging.disable(logging.WARNING)
    pages = tuple(page for page in PAGES if not given.only or page.name in given.only)
    chromium = shutil.which("chromium")
    if chromium is None:
        print("needs chromium of the Debian package chromium (make peers)", file=sys.stderr)
        return 1
    given.directory.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        running_night(Path(home) / "home") as night,
        running_chromium(chromium) as browser,
    ):
        failed = take(browser, night, pages, given.directory)
    for each in failed:
        print(f"failed: {each}", file=sys.stderr)
    print(write_sheet(pages, given.directory))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

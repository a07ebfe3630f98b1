"""Pictures of every page: light, dark and on a phone. ``make screenshots``.

With ``ARGS=--readme`` those few that the README shows, into ``docs/images``.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from collections.abc import Mapping
from html import escape
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.chromium import DESKTOP, PHONE, Theme, resize, running_chromium, settle
from tests.browser.night import Night, running_night
from tests.browser.pages import PAGES, Page

KINDS: tuple[tuple[str, Theme], ...] = (("light", "light"), ("dark", "dark"), ("phone", "light"))
README = Path("docs/images")
README_PICTURES = {"light": "overview", "dark": "event", "phone": "targets"}
"""The page of each kind; of it, only what a screen of this size shows."""
README_SCREENS = {"light": (1160, 720), "dark": (1160, 640), "phone": (375, 660)}
SCREENS = {"light": DESKTOP, "dark": DESKTOP, "phone": PHONE}
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


def take(
    browser: Browser,
    night: Night,
    wanted: Mapping[str, tuple[Page, ...]],
    directory: Path,
    screens: Mapping[str, tuple[int, int]],
    tallest: int,
) -> list[str]:
    """Takes the pictures into ``directory``; returns what could not be taken.

    ``wanted`` has the pages of each kind, ``screens`` its width and height in pixels; a longer
    page is shown whole up to ``tallest``.
    """
    failed = []
    for kind, theme in KINDS:
        width, height = screens[kind]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce",
        )
        for page in wanted[kind]:
            tab = context.new_page()
            answer = tab.goto(page.url(night))
            if answer is None or answer.status != page.status:
                failed.append(f"{page.name}: {answer.status if answer else 'no answer'}")
            settle(tab)
            full = tab.evaluate("() => document.documentElement.scrollHeight")
            shown = max(height, min(full, tallest))
            resize(tab, width, shown)
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
            for kind, _ in KINDS
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
    parser.add_argument("--readme", action="store_true", help="those of the README")
    given = parser.parse_args()
    # The services say that targets fail: they are meant to.
    logging.disable(logging.WARNING)
    pages = tuple(page for page in PAGES if not given.only or page.name in given.only)
    wanted = {kind: pages for kind, _ in KINDS}
    if given.readme:
        by_name = {page.name: page for page in PAGES}
        wanted = {kind: (by_name[name],) for kind, name in README_PICTURES.items()}
    chromium = shutil.which("chromium")
    if chromium is None:
        print("needs chromium of the Debian package chromium (make peers)", file=sys.stderr)
        return 1
    directory = README if given.readme else given.directory
    directory.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        running_night(Path(home) / "home") as night,
        running_chromium(chromium) as browser,
    ):
        if given.readme:
            failed = take(browser, night, wanted, directory, README_SCREENS, 0)
        else:
            failed = take(browser, night, wanted, directory, SCREENS, TALLEST)
    for each in failed:
        print(f"failed: {each}", file=sys.stderr)
    print(directory if given.readme else write_sheet(pages, directory))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

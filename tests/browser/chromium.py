"""Chromium as the tests start it, and what a page says while it is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

REBOUND = "rebound.example"
"""A name that leads to this machine, as an attacker's may."""
_NAMES = f"MAP {REBOUND} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
ARGUMENTS = (
    "--no-sandbox",  # Chromium has none as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules={_NAMES}",
)
DESKTOP, PHONE = (1280, 860), (375, 812)
Theme = Literal["light", "dark"]


@contextmanager
def running_chromium(path: str) -> Iterator[Browser]:
    """The browser, until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Witness:
    """What happened on a page from ``watching`` on, that should not have.

    That the page itself answers with ``status`` is as it should be. Without slots: Playwright
    keeps notes of its own on whom it calls.
    """

    url: str
    status: int
    complaints: list[str] = field(default_factory=list)

    def hear(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        is_foreseen = message.location["url"] == self.url and (
            f"status of {self.status} " in message.text
        )
        if message.type in ("error", "warning") and not is_foreseen:
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        there, here = urlsplit(request.url), urlsplit(self.url)
        if there.scheme != "data" and there[:2] != here[:2]:
            self.complaints.append(f"asked elsewhere: {request.url}")


def watching(page: Page, url: str, status: int = 200) -> Witness:
    """Collects errors of the page at ``url``, and what it asks of any origin but its own."""
    witness = Witness(url, status)
    witness.hear(page)
    return witness


_DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def resize(page: Page, width: int, height: int) -> None:
    """Give ``page`` the size, and wait until what follows it by script was drawn so."""
    page.set_viewport_size({"width": width, "height": height})
    # Who observes sizes is told while a frame is made: the second finds the first one done.
    page.evaluate(_DRAWN)


def settle(page: Page) -> None:
    """Wait until all parts of a page have arrived, those too that it asks for afterwards."""
    page.wait_for_load_state("load")
    expect(page.locator(".htmx-request")).to_have_count(0)
    expect(page.locator("iframe.coming")).to_have_count(0)

"""One installation and one Chromium for many tests; each test has a browser context of its own.

Playwright's loop counts as running as long as it lives, and no other test of the process could
have one: it ends with this package, while the installation stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from tests.browser.chromium import DESKTOP, running_chromium
from tests.browser.console_process import Console, running_console
from tests.browser.hands import Hands, Keys, Mouse
from tests.browser.night import Night, running_night
from tests.browser.peers import Peers, running_peers
from tests.browser.secured import Secured, running_secured
from tests.conftest import path_of_peer
from tests.system.installation import running_installation


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this needs Debian's Chromium."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.peer)


PATIENCE = 20_000
"""Milliseconds: other tests keep the machine busy, and what never comes fails all the same."""
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="package")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """A busy week, to be looked at: tests that change things have an installation of their own."""
    path_of_peer("chromium", "chromium")
    with running_night(tmp_path_factory.mktemp("night") / "home") as running:
        yield running


@pytest.fixture(scope="package")
def peers() -> Iterator[Peers]:
    """What the targets of ``console`` reach."""
    with running_peers() as running:
        yield running


@pytest.fixture(scope="package")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Empty at first; each test names its things differently."""
    path_of_peer("chromium", "chromium")
    home = tmp_path_factory.mktemp("product") / "home"
    with running_installation(home) as installation, running_console(installation) as running:
        yield running


@pytest.fixture(scope="package")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """As in production: who comes is asked for a token."""
    path_of_peer("chromium", "chromium")
    with running_secured(tmp_path_factory.mktemp("secured") / "home") as running:
        yield running


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with running_chromium(path_of_peer("chromium", "chromium")) as browser:
        yield browser


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """As a visitor has it: nothing remembered, 1280 px wide, light."""
    width, height = DESKTOP
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme="light"
    )
    context.set_default_timeout(PATIENCE)
    yield context
    # Leaving a form that is not saved asks first, and nobody is there to answer.
    context.on("dialog", lambda asked: asked.accept())
    with suppress(Error):
        for each in context.pages:
            each.goto("about:blank", timeout=2000)
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(params=[Mouse, Keys], ids=lambda hands: hands.name)
def hands(request: pytest.FixtureRequest, page: Page) -> Hands:
    """A scenario that asks for this runs twice, and names its things differently each time."""
    hands: Hands = request.param(page)
    return hands

"""A secured console is started again: who was logged in logs in again, and loses nothing typed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console_process import OwnConsole
from tests.browser.secured import Secured


@pytest.fixture
def own(secured: Secured) -> Iterator[OwnConsole]:
    own = OwnConsole(secured.console.installation)
    yield own
    own.end()


def log_in(page: Page, secured: Secured) -> None:
    page.get_by_label("API token").fill(secured.secret)
    page.keyboard.press("Enter")


def logged_in_at(page: Page, own: OwnConsole, secured: Secured, there: str) -> None:
    page.goto(f"{own.base}{there}")
    log_in(page, secured)
    page.wait_for_url(f"{own.base}{there}")


def start_again(own: OwnConsole) -> None:
    own.end()
    own.start()


def test_who_was_logged_in_is_led_to_the_login_and_back(
    page: Page, secured: Secured, own: OwnConsole
) -> None:
    logged_in_at(page, own, secured, "/settings")
    start_again(own)
    page.goto(f"{own.base}/tasks?state=dead")
    assert page.url.startswith(f"{own.base}/login?next=")
    log_in(page, secured)
    page.wait_for_url(f"{own.base}/tasks?state=dead")


def test_what_was_typed_before_stays_until_it_can_be_sent(
    page: Page, secured: Secured, own: OwnConsole
) -> None:
    logged_in_at(page, own, secured, "/new-silence")
    rule, why = page.get_by_label("Which events"), page.get_by_label("Why")
    rule.fill("resource under /datastore/ibs-again")
    why.fill("The console is replaced")
    start_again(own)
    page.get_by_role("button", name="Save", exact=True).click()
    banner = page.locator("#silence")
    expect(banner).to_contain_text("You are not logged in any more. What you typed stays here")
    with page.expect_popup() as opened:
        banner.get_by_role("link").click()
    log_in(opened.value, secured)
    opened.value.wait_for_url(lambda url: "/login" not in url)
    opened.value.close()
    expect(rule).to_have_value("resource under /datastore/ibs-again")
    expect(why).to_have_value("The console is replaced")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is in force.")).to_be_visible()

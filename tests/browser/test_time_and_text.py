"""What a visitor's clock says, and what letters of events do, changes nothing that we say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page

from tests.browser.by_hand import emit
from tests.browser.console_process import Console

TURNED = "\u202egpj.exe"
WHEN = "td[data-label=When]"


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_wrong_clock_makes_no_time_wrong(page: Page, console: Console, hours: int) -> None:
    page.clock.install(time=datetime.now(UTC) + timedelta(hours=hours))
    subject = f"A clock is off by {hours} h"
    emit(console.installation, subject)
    page.goto(f"{console.base}/inbox")
    page.clock.run_for(20_000)
    row = page.locator("[data-row]").filter(has_text=subject)
    assert row.locator(WHEN).inner_text().endswith(("now", " s ago"))


def test_letters_that_turn_the_direction_turn_nothing_beside_them(
    page: Page, console: Console
) -> None:
    emit(console.installation, TURNED)
    page.goto(f"{console.base}/inbox")
    link = page.get_by_role("link", name=TURNED)
    link.wait_for()
    assert link.evaluate("each => getComputedStyle(each).unicodeBidi") == "isolate"

"""What a visitor's clock says, and what letters of events do, changes nothing that we say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page

from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.event_pb2 import Event
from tests.browser.console_process import Console
from tests.system.installation import CALL_SECONDS

TURNED = "\u202egpj.exe"
WHEN = "td[data-label=When]"


def emit(console: Console, subject: str) -> None:
    event = Event(type="backup.failed", subject=subject)
    console.installation.router.Emit(pb.EmitRequest(event=event), timeout=CALL_SECONDS)


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_wrong_clock_makes_no_time_wrong(page: Page, fresh: Console, hours: int) -> None:
    page.clock.install(time=datetime.now(UTC) + timedelta(hours=hours))
    emit(fresh, "A backup failed")
    page.goto(f"{fresh.base}/inbox")
    page.clock.run_for(20_000)
    assert page.locator(WHEN).inner_text().endswith(("now", " s ago"))


def test_letters_that_turn_the_direction_turn_nothing_beside_them(
    page: Page, fresh: Console
) -> None:
    emit(fresh, TURNED)
    page.goto(f"{fresh.base}/inbox")
    link = page.get_by_role("link", name=TURNED)
    page.get_by_role("link", name="backup.failed").wait_for()
    assert link.evaluate("each => getComputedStyle(each).unicodeBidi") == "isolate"

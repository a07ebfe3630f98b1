"""What a visitor's clock says, and what letters of events do, changes nothing that we say."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page

from ibs_notify.console.wording.words import relative
from ironcore.notification.v1.config_service_pb2 import CreateGroupRequest, CreateTargetRequest
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.target_pb2 import Target, WebhookTarget
from tests.browser.by_hand import emit
from tests.browser.chromium import settle
from tests.browser.console_process import Console
from tests.system.installation import CALL_SECONDS

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


def test_what_became_of_an_event_is_never_cut(page: Page, console: Console) -> None:
    """Names are wider than the column, and the last may be the one that matters; of very many
    some are counted.
    """
    here = console.installation
    names = [f"metric-server-of-the-{place}" for place in ("headquarters", "branch", "cloud")]
    for name in names:
        target = Target(name=name, webhook=WebhookTarget(url="http://127.0.0.1:9/"), disabled=True)
        here.config.CreateTarget(CreateTargetRequest(target=target), timeout=CALL_SECONDS)
    told = [Subscription(target=name, rule="subject = wide") for name in names]
    group = Group(name="wide", subscriptions=told)
    made = here.config.CreateGroup(CreateGroupRequest(group=group), timeout=CALL_SECONDS)
    here.await_config(made.group.revision)
    emit(here, "wide")
    page.goto(f"{console.base}/inbox?text=wide")
    cell = page.locator("[data-row]").filter(has_text="wide").locator(".told").first
    settle(page)
    said = cell.inner_text()
    assert all(name in said for name in names) or re.search(r"\+\d", said), said
    cut = "each => [...each.querySelectorAll('div')].filter(it => it.scrollWidth > it.clientWidth)"
    assert cell.evaluate(f"{cut}.length") == 0


def test_the_script_tells_moments_as_the_server_does(page: Page, console: Console) -> None:
    page.goto(f"{console.base}/settings")
    for seconds in (0, 1, -1, 2, -59, 60, 293, 3600, 14392, -14392, 183600, -183600, 864000):
        by_script = page.evaluate("(seconds) => relative(seconds)", seconds)
        assert by_script == relative(timedelta(seconds=seconds))

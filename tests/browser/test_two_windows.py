"""Two windows with the form of one group: nothing is undone that only one of them changed."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.group_pb2 import Group
from tests.browser.chromium import settle
from tests.browser.console_process import Console
from tests.system.installation import CALL_SECONDS


def opened(context: BrowserContext, console: Console) -> Page:
    page = context.new_page()
    page.goto(f"{console.base}/groups/two-windows/edit")
    page.locator("summary", has_text="What keeps it quiet").click()
    return page


def stored(console: Console) -> Group:
    request = pb.GetGroupRequest(name="two-windows")
    return console.installation.config.GetGroup(request, timeout=CALL_SECONDS).group


def test_what_both_changed_is_chosen_and_enter_saves_what_the_form_has(
    context: BrowserContext, console: Console
) -> None:
    made = pb.CreateGroupRequest(group=Group(name="two-windows"))
    console.installation.config.CreateGroup(made, timeout=CALL_SECONDS)
    first, second = opened(context, console), opened(context, console)
    first.get_by_label("Description").fill("Theirs")
    first.get_by_label("Events a minute").fill("30")
    first.get_by_role("button", name="Save", exact=True).last.click()
    settle(first)
    second.get_by_label("Description").fill("Mine")
    second.get_by_label("Identical events are told once in").fill("1h")
    second.get_by_role("button", name="Save", exact=True).last.click()
    settle(second)
    expect(second.get_by_text("nothing is saved yet")).to_be_visible()
    expect(second.get_by_label("Events a minute")).to_have_value("30")
    expect(second.get_by_label("Description")).to_have_value("Mine")

    second.locator("button[name=take]").click()
    settle(second)
    expect(second.get_by_label("Description")).to_have_value("Theirs")
    expect(second.locator("[data-unsaved-note]")).to_have_text("not saved yet")
    assert stored(console).dedup_window.seconds != 3600

    second.get_by_label("Description").fill("Mine after all")
    second.get_by_label("Description").press("Enter")
    settle(second)
    group = stored(console)
    assert (group.description, group.rate_limit_per_minute) == ("Mine after all", 30)
    assert group.dedup_window.seconds == 3600

"""The main tasks where a browser runs no script: plain forms, links and pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import router_service_pb2 as router_pb
from tests.browser.by_hand import emit, group_of, target_of
from tests.browser.console_process import Console
from tests.browser.peers import Peers
from tests.system.installation import CALL_SECONDS, until


@pytest.fixture
def plain(chromium: Browser) -> Iterator[Page]:
    """A page of a browser that runs no script."""
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).first.click()


def test_a_target_is_added_and_tested(plain: Page, console: Console, peers: Peers) -> None:
    plain.goto(f"{console.base}/targets")
    plain.get_by_role("link", name="Add Webhook").first.click()
    plain.get_by_label("Name").first.fill("plain-hook")
    plain.get_by_label("URL").fill(peers.url("wrong"))
    # Beside the form, so that what was written stays.
    with plain.context.expect_page() as opened:
        press(plain, "Test")
    expect(opened.value.locator("main")).to_contain_text("400")
    opened.value.close()
    plain.get_by_label("URL").fill(peers.url("ok"))
    press(plain, "Save")
    expect(plain.get_by_role("heading", level=1)).to_contain_text("plain-hook")
    assert target_of(console.installation, "plain-hook").webhook.url == peers.url("ok")


def test_a_fault_is_said_and_what_was_written_is_kept(plain: Page, console: Console) -> None:
    plain.goto(f"{console.base}/new-group")
    plain.get_by_label("Name").first.fill("plain-fault")
    plain.get_by_label("Receives events that match").first.fill("severity >= error")
    press(plain, "Save")
    expect(plain.get_by_role("alert")).to_be_visible()
    target = plain.get_by_label("Target", exact=True).first
    expect(target).to_have_attribute("aria-invalid", "true")
    expect(plain.get_by_label("Name").first).to_have_value("plain-fault")
    expect(plain.get_by_label("Receives events that match").first).to_have_value(
        "severity >= error"
    )


def test_a_group_is_added(plain: Page, console: Console, peers: Peers) -> None:
    made = console.installation.create_webhook("plain-chat", peers.url("ok"))
    console.installation.await_config(made.revision)
    plain.goto(f"{console.base}/groups")
    plain.get_by_role("link", name="Add Group").first.click()
    plain.get_by_label("Name").first.fill("plain-team")
    plain.get_by_label("Target", exact=True).first.select_option("plain-chat")
    plain.get_by_label("Receives events that match").first.fill("subject contains plain-team")
    press(plain, "Save")
    expect(plain.get_by_role("heading", level=1)).to_contain_text("plain-team")
    (only,) = group_of(console.installation, "plain-team").subscriptions
    assert (only.target, only.rule) == ("plain-chat", "subject contains plain-team")


def test_events_are_marked_one_by_one_and_together(plain: Page, console: Console) -> None:
    installation = console.installation
    for number in range(3):
        emit(installation, f"plain-mark {number}")
    address = f"{console.base}/inbox?text=plain-mark"
    plain.goto(address)
    row = plain.get_by_role("row").filter(has_text="plain-mark 1")
    row.get_by_role("button", name="Archive").click()
    plain.goto(f"{address}&state=archived")
    expect(plain.get_by_role("link", name="plain-mark 1")).to_be_visible()
    plain.goto(address)
    boxes = plain.get_by_label("Select plain-mark")
    expect(boxes).to_have_count(2)
    for box in boxes.all():
        box.check()
    press(plain, "Read")
    plain.goto(address)
    expect(plain.locator("tr.read")).to_have_count(2)
    plain.goto(f"{address}&state=unread")
    expect(plain.locator("[data-row]")).to_have_count(0)


def test_a_delivery_that_failed_is_sent_again(plain: Page, console: Console, peers: Peers) -> None:
    installation = console.installation
    peers.replies["plain-mended"] = (400, "not today")
    installation.create_webhook("plain-mended", peers.url("plain-mended"))
    installation.create_group("plain-retry", {"plain-mended": "subject contains plain-mended"})
    emit(installation, "For plain-mended")

    def is_in(state: delivery_pb2.DeliveryState.ValueType) -> bool:
        return any(each.target == "plain-mended" for each in installation.deliveries([state]))

    until(lambda: is_in(delivery_pb2.DELIVERY_STATE_DEAD), "the peer refused it")
    peers.replies["plain-mended"] = (204, "")
    plain.goto(f"{console.base}/tasks?target=plain-mended")
    row = plain.locator("[data-row]").filter(has_text="plain-mended")
    row.locator("a[href^='/tasks/']").first.click()
    expect(plain.locator("main")).to_contain_text("not today")
    plain.locator("form[action='/tasks/retry'] button").click()
    until(lambda: is_in(delivery_pb2.DELIVERY_STATE_DELIVERED), "it is delivered")


def test_a_silence_is_made_and_ended(plain: Page, console: Console) -> None:
    router = console.installation.router

    def comments() -> list[str]:
        answer = router.ListSilences(router_pb.ListSilencesRequest(), timeout=CALL_SECONDS)
        return [each.comment for each in answer.silences]

    plain.goto(f"{console.base}/silences")
    plain.get_by_role("link", name="Add Silence").first.click()
    plain.get_by_label("Which events").fill("actor = nobody-at-all")
    plain.get_by_label("For one hour").check()
    plain.get_by_label("Why").fill("plain-silence")
    press(plain, "Save")
    assert "plain-silence" in comments()
    row = plain.get_by_role("row").filter(has_text="plain-silence")
    row.get_by_text("End now …").click()
    row.get_by_role("button", name="End it").click()
    until(lambda: "plain-silence" not in comments(), "the silence is over")

"""What only a keyboard does: the letters, Escape, and that the focus is never lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as delivery_service
from tests.browser.by_hand import DEAD, DELIVERED, await_states, emit, told_webhook
from tests.browser.chromium import settle
from tests.browser.console_process import Console
from tests.browser.focus import faults_of_focus
from tests.browser.hands import Keys
from tests.browser.peers import Peers
from tests.system.installation import CALL_SECONDS


@pytest.fixture
def keys(page: Page) -> Keys:
    return Keys(page)


# ---- letters


def test_letters_lead_through_the_inbox(keys: Keys, console: Console) -> None:
    page = keys.page
    for number in range(3):
        emit(console.installation, f"by letters {number}")
    keys.open(f"{console.base}/inbox")
    keys.keys("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    keys.type("by letters")
    keys.keys("Enter")
    page.wait_for_url("**/inbox?*text=*")
    settle(page)
    rows = page.locator("#events [data-row]")
    expect(rows).to_have_count(3)
    keys.keys("j", "j")
    expect(rows.nth(1)).to_be_focused()
    keys.keys("k")
    expect(rows.nth(0)).to_be_focused()
    keys.keys("u")
    expect(rows.nth(0)).to_have_class("read")
    expect(rows.nth(0)).to_be_focused()
    keys.keys("x")
    expect(rows.nth(0).get_by_role("checkbox")).to_be_checked()
    keys.keys("e")
    expect(rows).to_have_count(2)
    # What took its place has the focus: the next e goes on.
    expect(rows.nth(0)).to_be_focused()
    keys.keys("z")
    expect(page.get_by_text("1 event marked as before")).to_be_visible()
    settle(page)
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_be_focused()
    keys.keys("j", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("by letters 1")
    settle(page)
    # And on to the next without the list.
    keys.keys("j")
    expect(page.get_by_role("heading", level=1)).to_have_text("by letters 0")


def test_the_chart_is_a_filter_of_time_by_arrows(keys: Keys, console: Console) -> None:
    page = keys.page
    emit(console.installation, "in the chart")
    keys.open(f"{console.base}/inbox?text=in+the+chart")
    plot = page.locator("#chart [role=group]")
    keys.go_to(plot)
    keys.keys("End")
    expect(page.locator("#chart .chart-readout")).to_contain_text("error")
    keys.keys("Enter")
    page.wait_for_url("**/inbox?*after=*")
    settle(page)
    expect(page.locator("#events [data-row]")).to_have_count(1)


def test_enter_unfolds_an_entry_of_the_audit_log(keys: Keys, console: Console) -> None:
    page = keys.page
    console.installation.create_mail("unfolded", 9, "ops@example.com")
    keys.open(f"{console.base}/audit?subject=target/unfolded")
    entry = page.locator("[data-row]").first
    details = entry.locator("details").first
    expect(details).not_to_have_attribute("open", "")
    keys.keys("j", "Enter")
    expect(entry).to_be_focused()
    expect(details).to_have_attribute("open", "")


# ---- dialogs and what unfolds


@pytest.mark.parametrize("way", ["letter", "button"])
def test_escape_closes_the_help_and_gives_the_focus_back(
    way: str, keys: Keys, console: Console
) -> None:
    page = keys.page
    keys.open(f"{console.base}/inbox")
    opener = page.get_by_role("button", name="Keyboard")
    keys.go_to(opener)
    keys.keys("?" if way == "letter" else "Enter")
    help_ = page.get_by_role("dialog", name="Keyboard")
    expect(help_).to_be_visible()
    keys.keys("Tab", "Tab", "Tab")
    expect(page.locator("main :focus, header :focus")).to_have_count(0)
    keys.keys("Escape")
    expect(help_).to_be_hidden()
    expect(opener).to_be_focused()


@pytest.mark.parametrize(
    ("path", "details", "inside"),
    [
        ("/inbox", "details.filters", "Severity"),
        ("/tasks", "details.filters", "Target"),
        ("/targets/new/smtp", "#target-form > details:not(.command)", "Description"),
    ],
)
def test_escape_folds_what_was_unfolded_and_gives_the_focus_back(
    path: str, details: str, inside: str, keys: Keys, console: Console
) -> None:
    page = keys.page
    keys.open(console.base + path)
    unfolded = page.locator(details)
    summary = unfolded.locator("> summary")
    keys.press(summary)
    keys.go_to(unfolded.get_by_label(inside, exact=False).first)
    expect(unfolded).to_have_attribute("open", "")
    keys.keys("Shift+Tab", "Escape")
    expect(unfolded).not_to_have_attribute("open", "")
    expect(summary).to_be_focused()


def test_escape_closes_the_menu_of_a_phone(keys: Keys, console: Console) -> None:
    page = keys.page
    page.set_viewport_size({"width": 375, "height": 812})
    page.goto(f"{console.base}/inbox")
    toggle = page.locator("#menu-toggle")
    keys.tick(toggle)
    keys.go_to(page.get_by_role("link", name="Groups", exact=True))
    keys.keys("Escape")
    expect(toggle).not_to_be_checked()
    expect(toggle).to_be_focused()


def test_tab_leaves_a_template(keys: Keys, console: Console, peers: Peers) -> None:
    page = keys.page
    console.installation.create_mail("left-by-tab", peers.mail_port, "ops@example.com")
    keys.open(f"{console.base}/templates/edit?target=left-by-tab")
    field = page.get_by_label("Subject").first
    keys.go_to(field)
    keys.keys("Tab")
    expect(field).not_to_be_focused()
    expect(field).to_have_value("")


# ---- what is replaced while it has the focus


def test_another_period_keeps_the_focus(keys: Keys, console: Console) -> None:
    page = keys.page
    keys.open(f"{console.base}/")
    times = page.get_by_role("navigation", name="Time")
    month = times.get_by_role("link", name="30d")
    keys.press(month)
    expect(month).to_have_attribute("aria-current", "true")
    expect(month).to_be_focused()


def test_more_targets_are_written_at_once(keys: Keys, console: Console, peers: Peers) -> None:
    page = keys.page
    console.installation.create_webhook("one-of-more", peers.url("ok"))
    keys.open(f"{console.base}/new-group")
    targets = page.get_by_label("Target", exact=True)
    before = targets.count()
    keys.choose(targets.first, "one-of-more")
    keys.press(page.get_by_role("button", name="Add another target"))
    expect(targets).not_to_have_count(before)
    expect(targets.first).to_have_value("one-of-more")
    expect(targets.nth(1)).to_be_focused()


def test_a_test_keeps_the_focus(keys: Keys, console: Console, peers: Peers) -> None:
    page = keys.page
    console.installation.create_webhook("tested", peers.url("ok"))
    keys.open(f"{console.base}/targets/tested")
    test = page.get_by_role("button", name="Test", exact=True)
    keys.press(test)
    expect(page.locator("#test-result .banner.done")).to_be_visible()
    expect(test).to_be_focused()


@pytest.mark.parametrize("way", ["letter", "pill"])
def test_new_events_are_brought_in_and_have_the_focus(
    way: str, keys: Keys, console: Console
) -> None:
    page = keys.page
    emit(console.installation, f"there before the {way}")
    keys.open(f"{console.base}/inbox?text=the+{way}")
    keys.keys("j")
    first = page.locator("#events [data-row]").first
    emit(console.installation, f"after the {way}")
    pill = page.locator("#news a")
    expect(pill).to_be_visible()
    # What arrives moves nothing.
    expect(first).to_be_focused()
    if way == "letter":
        keys.keys(".")
    else:
        keys.press(pill)
    expect(pill).to_be_hidden()
    expect(first).to_contain_text(f"after the {way}")
    expect(first).to_be_focused()


def test_a_panel_that_renews_itself_keeps_the_focus(
    keys: Keys, console: Console, peers: Peers
) -> None:
    page = keys.page
    told_webhook(console, peers, "renewed", 400)
    emit(console.installation, "For renewed")
    await_states(console.installation, "renewed", DEAD)
    page.clock.install()
    keys.open(f"{console.base}/targets/renewed")
    given_up = page.locator("#health a.figure")
    keys.go_to(given_up)
    emit(console.installation, "For renewed, too")
    await_states(console.installation, "renewed", DEAD, DEAD)
    with page.expect_response(lambda answer: "/health" in answer.url and answer.status == 200):
        page.clock.run_for(6000)
    expect(given_up).to_have_text("2")
    page.clock.run_for(100)
    expect(given_up).to_be_focused()


def test_a_row_that_leaves_the_list_gives_the_focus_to_the_next(
    keys: Keys, console: Console, peers: Peers
) -> None:
    page = keys.page
    told_webhook(console, peers, "leaving", 400)
    for number in range(3):
        emit(console.installation, f"For leaving: {number}")
    await_states(console.installation, "leaving", DEAD, DEAD, DEAD)
    page.clock.install()
    keys.open(f"{console.base}/tasks?target=leaving")
    keys.keys("j", "j")
    rows = page.locator("#tasks [data-row]")
    expect(rows.nth(1)).to_be_focused()
    left = rows.nth(1).get_attribute("id")
    peers.replies["leaving"] = (204, "")
    chosen = delivery_pb2.DeliveryFilter(delivery_ids=[(left or "").removeprefix("t-")])
    request = delivery_service.RetryDeliveriesRequest(filter=chosen)
    console.installation.delivery.RetryDeliveries(request, timeout=CALL_SECONDS)
    await_states(console.installation, "leaving", DEAD, DEAD, DELIVERED)
    with page.expect_response(lambda answer: "/tasks?" in answer.url and answer.status == 200):
        page.clock.run_for(11_000)
    expect(rows).to_have_count(2)
    page.clock.run_for(100)
    expect(rows.nth(1)).to_be_focused()


# ---- the walk of ``focus.py`` can fail

MARK = ":focus-visible { outline: 2px solid blue }"
BAD_PAGES = {
    "not marked": """<style>a:focus-visible { outline: none }</style>
        <a href='/1'>One</a> <a href='/2'>Two</a>""",
    "goes back": """<div style='display: flex; flex-direction: column-reverse'>
        <a href='/1'>One</a><a href='/2'>Two</a><a href='/3'>Three</a></div>""",
    "never reached": """<a href='/1'>One</a> <textarea id='trap'></textarea> <a href='/2'>Two</a>
        <script>trap.addEventListener("keydown", event => event.preventDefault())</script>""",
    "out of sight": """<a href='/1'>One</a><p style='height: 80vh'></p><a href='/2'>Two</a>
        <div style='position: fixed; inset: 50% 0 0; background: white'></div>""",
}


@pytest.mark.parametrize("fault", BAD_PAGES)
def test_the_walk_finds_what_is_wrong(fault: str, page: Page) -> None:
    page.set_content(f"<style>{MARK}</style>{BAD_PAGES[fault]}")
    found = faults_of_focus(page)
    assert found
    assert all(each.startswith(fault) for each in found), found

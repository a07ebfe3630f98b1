"""No page looks alive when it is not: the console ends, is started again, and the page is true."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from ironcore.notification.v1 import router_service_pb2 as router
from ironcore.notification.v1.config_service_pb2 import CreateTargetRequest
from ironcore.notification.v1.event_pb2 import Event
from ironcore.notification.v1.target_pb2 import Target, WebhookTarget
from tests.browser.console_process import Console, OwnConsole
from tests.system.installation import CALL_SECONDS

PATIENCE = 40_000
SILENT = "The console does not answer since"


@pytest.fixture
def own(console: Console) -> Iterator[OwnConsole]:
    own = OwnConsole(console.installation)
    yield own
    own.end()


def emit(console: Console, subject: str) -> None:
    event = Event(type="backup.failed", subject=subject)
    console.installation.router.Emit(router.EmitRequest(event=event), timeout=CALL_SECONDS)


def add_target(console: Console, name: str) -> None:
    target = Target(name=name, webhook=WebhookTarget(url="http://127.0.0.1:9/hook"))
    request = CreateTargetRequest(target=target)
    console.installation.config.CreateTarget(request, timeout=CALL_SECONDS)


def test_a_page_says_that_nobody_answers_and_is_true_again_once_somebody_does(
    page: Page, console: Console, own: OwnConsole
) -> None:
    add_target(console, "silent-one")
    page.goto(f"{own.base}/")
    tile = page.locator(".tile").first
    expect(tile).to_contain_text("events")
    shown = tile.inner_text()
    banner = page.locator("#silence")
    expect(banner).to_be_hidden()

    own.end()
    expect(banner).to_contain_text(SILENT, timeout=PATIENCE)
    assert re.search(r"since \d\d:\d\d:\d\d: what is shown is of then", banner.inner_text())
    # What is shown is of then: it grows no older by itself.
    frozen = page.evaluate("Number(document.body.dataset.frozen)")
    assert frozen <= page.evaluate("Date.now()")

    emit(console, "While the console was away")
    own.start()
    expect(banner).to_be_hidden(timeout=PATIENCE)
    expect(tile).not_to_have_text(shown, timeout=PATIENCE)
    assert page.evaluate("document.body.dataset.frozen") is None


def test_a_form_that_is_saved_meanwhile_stays_as_it_was_written(
    page: Page, console: Console, own: OwnConsole
) -> None:
    add_target(console, "written-to")
    page.goto(f"{own.base}/targets/written-to/edit")
    page.get_by_label("URL", exact=True).fill("http://127.0.0.1:9/written")

    own.end()
    page.get_by_role("button", name="Save").click()
    banner = page.locator("#silence")
    expect(banner).to_contain_text("Nothing was sent; what you typed stays here.")
    assert page.url.endswith("/targets/written-to/edit")
    expect(page.get_by_label("URL", exact=True)).to_have_value("http://127.0.0.1:9/written")

    own.start()
    expect(banner).to_contain_text("was not carried out: press it again", timeout=PATIENCE)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("written-to is saved")
    expect(banner).to_be_hidden()
    expect(page.locator("main")).to_contain_text("http://127.0.0.1:9/written")


def test_an_open_inbox_says_that_the_router_does_not_answer_and_counts_what_it_missed(
    page: Page, console: Console
) -> None:
    emit(console, "Before the Router ended")
    page.goto(f"{console.base}/inbox?type=backup.failed")
    banner, news = page.locator("#outage"), page.locator("#news")
    expect(page.locator("#events")).to_contain_text("Before the Router ended")
    expect(banner).to_be_hidden()
    console.installation.kill("router")
    try:
        expect(banner).to_contain_text("The Router service cannot be reached.", timeout=PATIENCE)
        assert re.search(r"Since \d\d:\d\d:\d\d nothing is heard", banner.inner_text())

        row = page.locator("#events [data-row]").first
        row.get_by_role("button", name="Archive").click()
        expect(page.locator("#toast")).to_contain_text("Not marked: the Router service cannot be")
        expect(page.locator("#events")).to_contain_text("Before the Router ended")

        # A form that is sent meanwhile is shown again as it was written.
        sending = page.context.new_page()
        sending.goto(f"{console.base}/new-silence?rule=type+%3D+sync.failed")
        sending.locator("[name=comment]").fill("Disks are changed")
        sending.get_by_role("button", name="Save", exact=True).click()
        expect(sending.locator("main")).to_contain_text("What you wrote is still here")
        expect(sending.locator("[name=comment]")).to_have_value("Disks are changed")
    finally:
        console.installation.start_and_wait("router")
    expect(banner).to_be_hidden(timeout=PATIENCE)
    sending.get_by_role("button", name="Save", exact=True).click()
    expect(sending.locator("main")).to_contain_text("is in force")
    emit(console, "Once it was back")
    expect(news).to_contain_text("1 new event", timeout=PATIENCE)


def test_a_machine_that_is_cut_off_is_said_so_at_once(page: Page, own: OwnConsole) -> None:
    page.goto(f"{own.base}/tasks")
    page.context.set_offline(True)
    banner = page.locator("#silence")
    expect(banner).to_contain_text("This machine is not connected")
    page.context.set_offline(False)
    expect(banner).to_be_hidden(timeout=PATIENCE)


def test_a_part_that_changes_keeps_what_is_open_and_where_the_keyboard_is(
    page: Page, console: Console, own: OwnConsole
) -> None:
    add_target(console, "kept-open")
    emit(console, "Something to count")
    page.goto(f"{own.base}/")
    events = page.locator("[data-live]").filter(has=page.get_by_role("heading", name="Events"))
    numbers = events.get_by_text("The numbers")
    numbers.click()
    week = events.get_by_role("link", name="30d")
    week.focus()
    before = events.inner_text()

    emit(console, "Something new")
    page.evaluate("htmx.trigger(document.body, 'renew')")
    expect(events).not_to_have_text(before, timeout=PATIENCE)

    expect(events.get_by_role("link", name="30d")).to_be_focused()
    assert events.locator("details").first.get_attribute("open") is not None


def test_a_page_that_nobody_looks_at_asks_for_nothing(page: Page, own: OwnConsole) -> None:
    page.clock.install()
    page.goto(f"{own.base}/tasks")
    page.wait_for_load_state("networkidle")
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => window.away ?? false});"
        "window.away = true"
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(30_000)
    assert not asked

    page.evaluate("window.away = false")
    with page.expect_response(lambda answer: "/alarms" in answer.url):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert asked

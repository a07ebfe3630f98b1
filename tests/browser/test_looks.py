"""What is looked at first is on the first screen, and what is asked is asked in the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chromium import settle, watching
from tests.browser.night import Night

SCREENS = [(1280, 800), (375, 740)]
AXIS = """() => [...document.querySelectorAll("[data-chart]")].map(figure => {
  const { edges } = JSON.parse(figure.dataset.chart);
  const clock = new Intl.DateTimeFormat("en-GB",
    { timeZone: figure.dataset.zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return [figure.dataset.zone, [...new Set(edges.map(each => clock.format(each * 1000)))]];
})"""

OVERTAKEN = """() => {
  const button = document.getElementById("preview-button");
  button.click();
  const overtaken = document.querySelector("iframe.coming");
  button.click();
  overtaken.dispatchEvent(new Event("load"));
  button.click();
}"""


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_the_first_event_is_on_the_first_screen(
    page: Page, night: Night, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{night.console.base}/inbox")
    page.locator(".chart canvas").wait_for()
    first = page.locator("#events [data-row]").first.bounding_box()
    assert first is not None
    assert first["y"] + min(first["height"], 80) <= height


def test_the_bars_of_a_month_are_days_of_the_installations_zone(page: Page, night: Night) -> None:
    page.goto(f"{night.console.base}/datastores/ibs-primary")
    page.locator(".chart canvas").wait_for()
    assert page.evaluate(AXIS) == [["Europe/Vienna", ["00:00"]]]


def test_a_question_is_asked_in_the_page_and_taken_back_by_cancel(page: Page, night: Night) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"the browser asks: {dialog.message}"))
    page.goto(f"{night.console.base}/silences")
    row = page.locator("#sil-1")
    row.get_by_text("End now …").click()
    expect(row.get_by_role("button", name="End it")).to_be_visible()
    row.get_by_role("link", name="Cancel").click()
    expect(row.get_by_role("button", name="End it")).to_be_hidden()
    assert page.evaluate("() => document.activeElement.tagName") == "SUMMARY"
    assert page.url.endswith("/silences")


def test_without_scripts_a_question_can_be_taken_back_as_well(night: Night, page: Page) -> None:
    assert page.context.browser is not None
    context: BrowserContext = page.context.browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(f"{night.console.base}/silences")
    row = plain.locator("#sil-1")
    row.get_by_text("End now …").click()
    row.get_by_role("link", name="Cancel").click()
    expect(row.get_by_role("button", name="End it")).to_be_hidden()
    context.close()


def test_a_subject_begins_with_a_short_one_and_a_fault_marks_its_line(
    page: Page, night: Night
) -> None:
    page.goto(f"{night.console.base}/templates/edit?target=ops-smtp")
    settle(page)
    subject = page.locator("#f-subject")
    page.get_by_text("Start from … for subject").click()
    page.get_by_role("button", name="Severity, type, resource").click()
    expect(subject).to_have_value("[{{ event.severity }}] {{ event.type }} {{ event.resource }}")
    page.keyboard.press("Control+z")
    expect(subject).to_have_value("")

    text = page.locator("#f-text")
    text.fill("one\n{{ event.nothing }}\nthree")
    numbers = page.locator(".line-numbers:has(+ #f-text)")
    expect(numbers.locator(".at-fault")).to_have_text("2")
    assert numbers.locator("span").all_inner_texts() == ["1", "2", "3"]


def test_a_preview_that_arrives_after_a_later_one_was_asked_for_is_not_shown(
    page: Page, night: Night
) -> None:
    url = f"{night.console.base}/templates/edit?target=ops-smtp"
    witness = watching(page, url)
    page.goto(url)
    settle(page)
    page.evaluate(OVERTAKEN)
    settle(page)
    expect(page.locator("#preview-pane iframe")).to_have_count(1)
    assert not witness.complaints

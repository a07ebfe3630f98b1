"""Answers that come late, twice or in another order, and what is pressed or typed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Page, Route, expect

from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.target_pb2 import SmtpTarget, Target
from tests.browser.by_hand import emit
from tests.browser.chromium import settle
from tests.browser.console_process import Console
from tests.system.installation import CALL_SECONDS, until


@dataclass
class Held:
    """What a page asked for and gets no answer to until it is let go."""

    page: Page
    routes: list[Route] = field(default_factory=list)

    def hold(self, route: Route) -> None:
        self.routes.append(route)

    def await_asked(self, count: int = 1) -> None:
        until(lambda: self._asked() >= count, f"{count} are asked for")

    def let_go(self) -> None:
        for each in self.routes:
            each.continue_()
        self.routes.clear()

    def _asked(self) -> int:
        self.page.evaluate("0")  # Playwright hears of requests while it is at work
        return len(self.routes)


@contextmanager
def held(page: Page, pattern: str) -> Iterator[Held]:
    held = Held(page)
    page.route(pattern, held.hold)
    yield held
    held.let_go()
    page.unroute(pattern)


def add_mail(console: Console, name: str) -> None:
    target = Target(name=name, smtp=SmtpTarget(server="127.0.0.1", port=2525))
    request = pb.CreateTargetRequest(target=target)
    console.installation.config.CreateTarget(request, timeout=CALL_SECONDS)


def test_save_is_sent_while_a_preview_is_on_its_way(page: Page, console: Console) -> None:
    add_mail(console, "saved-meanwhile")
    page.goto(f"{console.base}/templates/edit?target=saved-meanwhile")
    settle(page)
    page.get_by_label("Subject").first.fill("{{event.subject}} meanwhile")
    settle(page)
    with held(page, "**/here") as answers:
        page.get_by_role("button", name="Preview").first.click()
        answers.await_asked()
        page.get_by_role("button", name="Save", exact=True).click(no_wait_after=True)
        answers.await_asked(2)
    expect(page.get_by_text("The templates of saved-meanwhile are saved.")).to_be_visible()


def test_parts_that_are_renewed_at_once_keep_each_what_was_open(
    page: Page, console: Console
) -> None:
    emit(console.installation, "Something to count")
    page.goto(f"{console.base}/")
    settle(page)
    events = page.locator("[data-live]").filter(has=page.get_by_role("heading", name="Events"))
    events.get_by_text("The numbers").click()
    expect(events.locator("details").first).to_have_attribute("open", "")
    # As the answers of two parts, the second before the first has settled.
    page.evaluate(
        """() => {
          const parts = [...document.querySelectorAll("[data-live]")];
          const events = parts.find(part => part.querySelector("#events-panel"));
          const other = parts.find(part => part !== events);
          const anew = part => part.outerHTML.replaceAll(' open=""', "");
          const before = (part, xhr) => part.dispatchEvent(new CustomEvent("htmx:beforeSwap",
            {bubbles: true, detail: {shouldSwap: true, xhr, target: part,
              requestConfig: {verb: "get"}}}));
          const after = (part, xhr) => part.dispatchEvent(new CustomEvent("htmx:afterSettle",
            {bubbles: true, detail: {xhr, target: part}}));
          const [first, second] = [{}, {}];
          before(events, first);
          const html = anew(events), holder = document.createElement("div");
          holder.innerHTML = html;
          const made = holder.firstElementChild;
          events.replaceWith(made);
          before(other, second);
          after(made, first);
          after(other, second);
        }"""
    )
    expect(events.locator("details").first).to_have_attribute("open", "")


def test_a_stream_that_was_refused_is_asked_for_again(page: Page, console: Console) -> None:
    emit(console.installation, "There is an inbox")
    page.clock.install()
    refused: list[Route] = []

    def refuse(route: Route) -> None:
        refused.append(route)
        route.fulfill(status=503)

    with page.expect_response("**/here"):
        page.route("**/live/inbox*", refuse, times=1)
        page.goto(f"{console.base}/inbox")
    assert refused
    with page.expect_request("**/live/inbox*"):
        page.clock.run_for(6000)
    emit(console.installation, "It is heard")
    expect(page.locator("#news")).to_contain_text("new event")


def test_a_test_of_what_was_changed_meanwhile_says_nothing(page: Page, console: Console) -> None:
    page.goto(f"{console.base}/targets/new/webhook")
    page.get_by_label("Name").first.fill("tested-late")
    page.get_by_label("URL").first.fill("http://127.0.0.1:9/before")
    button = page.locator("[data-test]").first
    panel = page.locator(f"#{button.get_attribute('data-test')}")
    pattern = f"**{button.get_attribute('formaction')}"
    with held(page, pattern) as answers:
        button.click()
        answers.await_asked()
        page.get_by_label("URL").first.fill("http://127.0.0.1:9/after")
        expect(button).not_to_have_attribute("aria-disabled", "true")
    expect(panel).to_be_empty()


def test_copying_twice_leaves_the_button_as_it_was(page: Page, console: Console) -> None:
    page.clock.install()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{console.base}/tasks")
    page.locator("details.command summary").first.click()
    copy = page.locator("[data-copy]").first
    copy.click()
    expect(copy).to_have_text("Copied")
    copy.click()
    page.clock.run_for(4000)
    expect(copy).to_have_text("Copy")


def test_what_is_wrong_with_a_rule_is_said_again_after_an_answer_that_never_came(
    page: Page, console: Console
) -> None:
    page.goto(f"{console.base}/new-silence")
    rule, verdict = page.get_by_label("Which events"), page.locator(".rule-verdict").first
    rule.fill("severity >=")
    expect(verdict).not_to_be_empty()
    page.route("**/rules/analyze", lambda route: route.abort(), times=1)
    rule.dispatch_event("input")
    expect(verdict).to_be_empty()
    rule.dispatch_event("input")
    expect(verdict).not_to_be_empty()


def test_a_form_whose_answer_is_slow_is_sent_once_however_often_it_is_pressed(
    page: Page, console: Console
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    page.goto(f"{console.base}/new-silence")
    settle(page)
    page.get_by_label("Which events").fill("type = sync.failed")
    page.get_by_label("Why", exact=True).fill("pressed twice")
    button = page.get_by_role("button", name="Save")
    button.focus()
    with held(page, f"{console.base}/new-silence") as answers:
        with page.expect_request(lambda each: each.method == "POST" and "preview" not in each.url):
            page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        assert len(answers.routes) == 1
    expect(page.get_by_role("heading", level=1)).to_have_text("Silences")
    assert sum(each.endswith("/here") for each in asked) == 1
    assert asked.count(f"POST {console.base}/new-silence") == 1


def test_a_button_is_pressed_though_its_part_is_renewed_meanwhile(
    page: Page, console: Console
) -> None:
    page.goto(f"{console.base}/settings")
    settle(page)
    with held(page, "**/here") as answers:
        page.get_by_role("button", name="Dark").click(no_wait_after=True)
        answers.await_asked()
        page.locator(".theme-choice").evaluate("form => form.replaceWith(form.cloneNode(true))")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

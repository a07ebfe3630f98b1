"""A long form says that it is not saved yet, and leaving it asks, once for what was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Dialog, Page, expect

from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.target_pb2 import SmtpTarget, Target
from tests.browser.chromium import settle
from tests.browser.console_process import Console
from tests.system.installation import CALL_SECONDS

NOT_SAVED = "not saved yet"


@contextmanager
def asked(page: Page, *, stays: bool = True) -> Iterator[list[str]]:
    """What kinds of questions came up; the visitor answers that she ``stays``, or goes on."""
    kinds: list[str] = []

    def answer(dialog: Dialog) -> None:
        kinds.append(dialog.type)
        (dialog.dismiss if stays and dialog.type == "beforeunload" else dialog.accept)()

    page.on("dialog", answer)
    yield kinds
    page.remove_listener("dialog", answer)


def add_target(console: Console, name: str, subject: str = "") -> None:
    smtp = SmtpTarget(server="127.0.0.1", port=2525, subject_template=subject)
    request = pb.CreateTargetRequest(target=Target(name=name, smtp=smtp))
    console.installation.config.CreateTarget(request, timeout=CALL_SECONDS)


def test_back_to_the_built_in_is_said_to_be_not_saved_yet(page: Page, console: Console) -> None:
    add_target(console, "back-smtp", "[{{event.severity}}] old")
    page.goto(f"{console.base}/templates/edit?target=back-smtp")
    page.get_by_label("Subject").first.fill("[{{event.severity}}] new")
    page.get_by_role("button", name="Save", exact=True).click()
    settle(page)
    saved = page.get_by_text("The templates of back-smtp are saved.")
    expect(saved).to_be_visible()
    expect(page.locator("[data-unsaved-note]")).to_have_text("")
    with asked(page) as kinds:
        page.get_by_role("button", name="Back to the built-in").first.click()
    assert kinds == ["confirm"]
    expect(saved).to_have_count(0)
    # At the field, and beside Save.
    expect(page.locator("[data-changed=subject]")).to_have_text(NOT_SAVED)
    expect(page.locator("[data-unsaved-note]")).to_have_text(NOT_SAVED)
    page.get_by_role("button", name="Save", exact=True).click()
    settle(page)
    expect(page.locator("[data-unsaved-note]")).to_have_text("")
    request = pb.GetTargetRequest(name="back-smtp")
    stored = console.installation.config.GetTarget(request, timeout=CALL_SECONDS).target
    assert not stored.smtp.subject_template


def test_leaving_a_changed_form_asks_once_for_what_was_written(
    page: Page, console: Console
) -> None:
    add_target(console, "left-smtp")
    for path, label in (
        ("/templates/edit?target=left-smtp", "Subject"),
        ("/targets/left-smtp/edit", "Server"),
        ("/new-group", "Description"),
    ):
        page.goto(console.base + path)
        home = page.get_by_role("link", name="Ironcore Notifications")
        page.get_by_label(label).first.fill("something.else")
        with asked(page) as kinds:
            home.click()
            expect(page.get_by_label(label).first).to_have_value("something.else")
        assert kinds == ["beforeunload"], path
        with asked(page) as kinds:
            home.click()
            page.wait_for_url(f"{console.base}/")
        assert not kinds, path


def test_leaving_a_form_as_it_was_and_saving_ask_nothing(page: Page, console: Console) -> None:
    add_target(console, "kept-smtp")
    with asked(page) as kinds:
        page.goto(f"{console.base}/targets/kept-smtp/edit")
        server = page.get_by_label("Server")
        server.fill("mail.example.com")
        server.fill("127.0.0.1")
        page.get_by_role("link", name="Ironcore Notifications").click()
        page.wait_for_url(f"{console.base}/")
        page.goto(f"{console.base}/targets/kept-smtp/edit")
        server.fill("mail.example.com")
        page.get_by_role("button", name="Save", exact=True).click()
        page.wait_for_url("**/targets/kept-smtp")
    assert not kinds


def test_a_form_that_was_refused_is_not_saved_yet(page: Page, console: Console) -> None:
    page.goto(f"{console.base}/targets/new/smtp")
    page.get_by_label("Name").first.fill("Not A Name")
    page.get_by_label("Server").fill("127.0.0.1")
    page.get_by_role("button", name="Save", exact=True).click()
    settle(page)
    expect(page.locator("[data-unsaved-note]")).to_have_text(NOT_SAVED)

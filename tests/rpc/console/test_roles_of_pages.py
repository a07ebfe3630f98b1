"""A page shows what its visitor may do; what somebody may not do is refused by the services."""

from __future__ import annotations

import pytest
from tests.support.console import SecuredConsole, address_of

from ibs_notify.console.navigation import NAVIGATION
from ibs_notify.console.pages import ROUTES
from ibs_notify.console.visit import MOST_NOTICES
from ibs_notify.settings import SERVICES
from ironcore.notification.v1.audit_service_pb2 import ListAuditEntriesRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")

READERS = ("viewer", "operator", "administrator")
THEIRS = ("/tokens", "/tokens/none", "/new-token", "/keys", "/audit")
"""Of administrators alone."""
HERE = {each.path for each in ROUTES if each.method == "GET"}
LINKED = [entry.path for section in NAVIGATION for entry in section.entries if entry.path in HERE]


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize("path", sorted(address_of(each) for each in HERE))
async def test_a_page_answers_each_role_or_says_that_it_may_not(
    secured: SecuredConsole, role: str, path: str
) -> None:
    browser = await secured.as_(role)
    status = await browser.status("GET", path)
    if path in THEIRS and role != "administrator":
        assert status == 403
    else:
        assert status < 500
        assert status != 401


@pytest.mark.parametrize("role", READERS)
async def test_a_visitor_is_led_to_no_page_that_is_refused(
    secured: SecuredConsole, role: str
) -> None:
    browser = await secured.as_(role)
    page = await browser.get("/settings")
    shown = [path for path in LINKED if f'href="{path}"' in page.text]
    assert {"/tokens", "/keys", "/audit"} & {*shown} == (
        {"/tokens", "/keys", "/audit"} & {*LINKED} if role == "administrator" else set()
    )
    for path in shown:
        assert await browser.status("GET", path) == 200, path


@pytest.mark.parametrize(
    "route", [each for each in ROUTES if each.method == "POST"], ids=lambda each: each.path
)
async def test_what_a_viewer_posts_by_force_changes_nothing(
    secured: SecuredConsole, route: object
) -> None:
    browser = await secured.as_("viewer")
    path = address_of(getattr(route, "path"))  # noqa: B009  # an id of pytest wants an object
    status = await browser.status("POST", path, headers={"Sec-Fetch-Site": "same-origin"})
    assert status < 500
    api = await secured.api("administrator")
    for service in SERVICES:
        answer = await api.call(
            api.audit(service).ListAuditEntries, ListAuditEntriesRequest(actor="a-viewer")
        )
        assert not answer.entries


async def test_what_is_never_shown_is_not_kept_without_end(secured: SecuredConsole) -> None:
    browser = await secured.as_("viewer")
    forged = {"headers": {"Sec-Fetch-Site": "same-origin"}}
    for _ in range(MOST_NOTICES + 5):
        assert await browser.status("POST", "/inbox/mark", **forged) == 303
    page = await browser.get("/settings")
    assert page.text.count("No event was selected.") == MOST_NOTICES


async def test_a_viewer_sees_no_button_that_changes_the_settings(secured: SecuredConsole) -> None:
    for role, shown in (("viewer", False), ("operator", False), ("administrator", True)):
        page = await (await secured.as_(role)).get("/settings")
        assert ('<button class="primary">Save</button>' in page.text) == shown
        assert page.says(role)


async def test_the_name_of_a_change_is_that_of_the_token(secured: SecuredConsole) -> None:
    browser = await secured.as_("administrator")
    page = await browser.post("/settings", {"sender": "ibs@example.com"})
    assert page.says("by a-administrator")

"""Who holds a mail in hand finds out what it is about, and why it came."""

from __future__ import annotations

import re

import pytest
from tests.rpc.console.test_inbox_page import rows
from tests.support.console import Console, Page
from tests.support.console_work import add_group, emit

from ironcore.notification.v1.config_service_pb2 import CreateTargetRequest, UpdateSettingsRequest
from ironcore.notification.v1.delivery_service_pb2 import ListDeliveriesRequest
from ironcore.notification.v1.settings_pb2 import Settings
from ironcore.notification.v1.target_pb2 import SmtpTarget, Target


async def mail(console: Console, *recipients: str) -> str:
    """A delivery by mail, which nobody takes; its id."""
    settings = UpdateSettingsRequest(settings=Settings(default_recipients=["night@example.com"]))
    settings.update_mask.paths.append("default_recipients")
    await console.api.call(console.api.config.UpdateSettings, settings)
    smtp = SmtpTarget(server="127.0.0.1", port=9, recipients=recipients)
    request = CreateTargetRequest(target=Target(name="ops-smtp", smtp=smtp))
    await console.api.call(console.api.config.CreateTarget, request)
    await add_group(console.api, "ops-team", {"ops-smtp": "*"})
    await emit(console.api, "Backup failed", event_id="evt-1")
    while True:
        asked = ListDeliveriesRequest()
        found = await console.api.call(console.api.delivery.ListDeliveries, asked)
        if found.deliveries and found.deliveries[0].recipients:
            return found.deliveries[0].delivery_id


async def test_the_message_id_of_a_mail_leads_to_its_event(console: Console) -> None:
    delivery_id = await mail(console)
    for text in (f"<{delivery_id}@example.com>", f"Message-ID: <{delivery_id}@example.com>"):
        page = await console.browser.ask("GET", "/inbox", params={"text": text})
        assert page.url.endswith("/events/evt-1"), text
    page = await console.browser.ask("GET", "/inbox", params={"text": "alice@example.com"})
    assert "/inbox" in page.url
    assert not rows(page)


@pytest.mark.parametrize(
    ("recipients", "said"),
    [
        ([], "By the setting Default recipients : neither the group nor the target names any."),
        (["ops@example.com"], "The target’s own: the group names none."),
    ],
)
async def test_a_task_says_who_names_its_recipients(
    console: Console, recipients: list[str], said: str
) -> None:
    delivery_id = await mail(console, *recipients)
    page = await console.browser.get(f"/tasks/{delivery_id}")
    assert page.says(said)


def badge(page: Page) -> list[str]:
    return re.findall(r'<span class="badge tone-(\w+)">nobody was told</span>', page.text)


async def test_the_worst_that_nobody_was_told_of_looks_like_it(console: Console) -> None:
    for word in ("INFO", "ERROR", "CRITICAL"):
        await emit(console.api, word, severity=f"SEVERITY_{word}")
    page = await console.browser.get("/inbox")
    assert badge(page) == ["bad", "warn"]
    assert page.says("inbox only")

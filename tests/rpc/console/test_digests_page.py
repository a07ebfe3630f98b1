"""Digests: what is gathered, what it would say, and sending it at once."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.console import Console
from tests.support.console_work import in_force

from ibs_notify.console.http.guard import MAIL_POLICY
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1.delivery_service_pb2 import DigestWindow, ListDigestsRequest
from ironcore.notification.v1.event_pb2 import Event
from ironcore.notification.v1.group_pb2 import Digest, Group, Subscription
from ironcore.notification.v1.router_service_pb2 import EmitRequest
from ironcore.notification.v1.target_pb2 import Target

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
WAIT_SECONDS = 10.0


async def configure(console: Console) -> None:
    api = console.api
    mail, chat = Target(name="mail"), Target(name="chat")
    mail.smtp.server = "127.0.0.1"
    mail.smtp.recipients.append("auditor@example.com")
    chat.webhook.url = "https://chat.example.com/hook"
    for target in (mail, chat):
        target.disabled = True
        await api.call(api.config.CreateTarget, pb.CreateTargetRequest(target=target))
    group = Group(name="compliance", digest=Digest(rule="severity = info", time="07:30"))
    group.subscriptions.extend(Subscription(target=each, rule="*") for each in ("mail", "chat"))
    made = await api.call(api.config.CreateGroup, pb.CreateGroupRequest(group=group))
    await in_force(api, made.group.revision)


async def gathered(console: Console) -> dict[str, DigestWindow]:
    """One event, once it is in the windows of both targets, by target."""
    api = console.api
    event = Event(event_id="evt-1", type="backup.completed", subject=HOSTILE)
    await api.call(api.router.Emit, EmitRequest(event=event))
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            answer = await api.call(api.delivery.ListDigests, ListDigestsRequest(open_only=True))
            found = {each.target: each for each in answer.digests}
            if [each.event_count for each in found.values()] == [1, 1]:
                return found


@pytest.fixture
async def windows(console: Console) -> dict[str, DigestWindow]:
    await configure(console)
    return await gathered(console)


async def test_where_nobody_gathers_it_is_said_how_to(console: Console) -> None:
    page = await console.browser.get("/digests")
    assert page.says("No group has a digest")


async def test_what_gathers_is_listed_with_its_count(
    console: Console, windows: dict[str, DigestWindow]
) -> None:
    page = await console.browser.get("/digests?group=compliance")
    for window in windows.values():
        assert f'href="/digests/{window.digest_id}"' in page.text
    assert page.says("daily digest")
    assert not (await console.browser.get("/digests?group=others")).says("daily digest")


async def test_a_digest_says_what_is_in_it_and_how_its_group_gathers(
    console: Console, windows: dict[str, DigestWindow]
) -> None:
    page = await console.browser.get(f"/digests/{windows['mail'].digest_id}")
    assert page.says(HOSTILE)
    assert HOSTILE not in page.text
    assert 'href="/events/evt-1"' in page.text
    assert page.says("severity = info")
    assert page.says("daily, at 07:30")
    assert (await console.browser.get("/digests/dig-999")).status == 404


async def test_tasks_say_what_waits_for_a_digest_and_what_went_out_in_one(
    console: Console, windows: dict[str, DigestWindow]
) -> None:
    partial = {"HX-Request": "true"}
    counts = await console.browser.get("/tasks/counts", **partial)
    assert counts.says("2 of those that wait are for a digest .")
    await console.browser.post(f"/digests/{windows['chat'].digest_id}/flush")
    async with asyncio.timeout(WAIT_SECONDS):
        while not counts.says("1 of the delivered went out in a digest ."):
            counts = await console.browser.get("/tasks/counts", **partial)
    assert counts.says("1 of those that wait is for a digest .")


async def test_what_it_would_say_is_shown_as_mail_and_as_a_body(
    console: Console, windows: dict[str, DigestWindow]
) -> None:
    mail, chat = (f"/digests/{windows[name].digest_id}" for name in ("mail", "chat"))
    page = await console.browser.get(f"{mail}/preview")
    assert page.says("Daily digest of compliance: 1 event, no problems")
    assert f'src="{mail}/mail" sandbox=""' in page.text
    body = await console.browser.get(f"{chat}/preview", **{"HX-Request": "true"})
    assert body.says('"type": "notification.digest"')
    assert "<html" not in body.text
    for part in (page, body):
        assert "<script>alert" not in part.text


async def test_the_mail_of_a_digest_runs_nothing_and_is_framed_only_by_us(
    console: Console, windows: dict[str, DigestWindow]
) -> None:
    mail = await console.browser.get(f"/digests/{windows['mail'].digest_id}/mail")
    assert mail.headers["Content-Security-Policy"] == MAIL_POLICY
    assert "sandbox" in MAIL_POLICY
    assert "<script>alert" not in mail.text


async def test_send_now_closes_the_window_and_leads_to_its_delivery(
    console: Console, windows: dict[str, DigestWindow]
) -> None:
    address = f"/digests/{windows['chat'].digest_id}"
    page = await console.browser.post(f"{address}/flush")
    assert page.says("is closed and being sent")
    assert page.says("It was sent")
    assert 'href="/tasks/' in page.text
    again = await console.browser.post(f"{address}/flush")
    assert again.says("is closed already")
    listed = await console.browser.get("/digests")
    assert 'href="/tasks/' in listed.text

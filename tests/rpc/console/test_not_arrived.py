"""What of a view of the inbox did not arrive: by any of its filters, and never more than that."""

from __future__ import annotations

import html

import pytest
from tests.rpc.console.test_event_page import route, until
from tests.rpc.console.test_inbox_page import emit
from tests.support.console import Console
from tests.support.console_work import add_group, add_webhook, deaths
from tests.support.http_server import HttpServer

from ibs_notify.console.pages import not_arrived
from ironcore.notification.v1.delivery_pb2 import DeliveryFilter
from ironcore.notification.v1.delivery_service_pb2 import CancelDeliveriesRequest

PATH = "/inbox/not-arrived"


async def test_the_events_of_the_view_that_were_refused_are_found(console: Console) -> None:
    async with HttpServer() as taking, HttpServer(400) as refusing:
        await route(console, taking.url(), "*", "ops")
        await route(console, refusing.url(), "severity >= error", "dev")
        lost = await emit(console, subject="Of vm 1", resource="tank:vm/1")
        await emit(console, subject="Of vm 2", resource="tank:vm/2")
        await emit(console, subject="Of vm 3", type="backup.completed", resource="tank:vm/1")
        await deaths(console.api, 2)
        inbox = await console.browser.get("/inbox?resource=tank:vm/1")
        address = f"{PATH}?resource=tank%3Avm%2F1"
        assert f'href="{address}"' in inbox.text
        page = await until(console, address, "1 of all 2 events have not arrived")
    assert page.says("given up chat-dev")
    assert "Of vm 1" in page.text
    assert "chat-ops" not in page.text
    assert "Of vm 2" not in page.text
    assert "Of vm 3" not in page.text
    # In Tasks it is the same: these events, and what of them failed.
    tasks = f"/tasks?view=failures&event={lost}"
    assert f'href="{html.escape(tasks)}"' in page.text
    page = await console.browser.get(tasks)
    assert page.text.count("<tr id=") == 1
    # What a rule says is a filter as any other.
    page = await console.browser.get(f"{PATH}?rule=subject+ends-with+2")
    assert page.says("1 of 1 event has not arrived")
    assert (await console.browser.get(f"{PATH}?severity=critical")).says("No event is like that")
    assert (await console.browser.get(f"{PATH}?type=backup.completed")).says(
        "Nothing failed Of all 1 event"
    )


async def test_what_waits_or_was_cancelled_did_not_arrive_either(console: Console) -> None:
    api = console.api
    await add_webhook(api, "pager", "http://127.0.0.1:9/", disabled=True)
    await add_group(api, "ops", {"pager": "*"})
    event_id = await emit(console)
    page = await until(console, PATH, "1 of 1 event has not arrived")
    assert page.says("waiting pager")
    request = CancelDeliveriesRequest(filter=DeliveryFilter(event_ids=[event_id]))
    await api.call(api.delivery.CancelDeliveries, request)
    page = await console.browser.get(f"{PATH}?type=backup.failed")
    assert page.says("cancelled pager")
    # There is nothing in it that Tasks could retry.
    assert "view=failures" not in page.text


async def test_older_events_are_looked_through_page_by_page(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(not_arrived, "AT_ONCE", 1)
    monkeypatch.setattr(not_arrived, "MOST_BATCHES", 2)
    async with HttpServer(400) as refusing:
        await route(console, refusing.url(), 'subject = "Lost"')
        await emit(console, subject="Lost", resource="tank:vm/0")
        await deaths(console.api, 1)
    for number in range(1, 3):
        await emit(console, subject="Kept", resource=f"tank:vm/{number}")
    page = await console.browser.get(f"{PATH}?type=backup.failed&after=24+h+ago")
    assert page.says("Of the newest 2 events none failed.")
    assert not page.says("Nothing failed")
    more = page.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    page = await console.browser.get(html.unescape(more))
    assert page.says("1 of the next 1 event has not arrived, or not everywhere.")
    assert page.says("First page")


async def test_what_takes_long_to_look_through_is_gone_on_with(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(not_arrived, "AT_ONCE", 1)
    monkeypatch.setattr(not_arrived, "MOST_SECONDS", 0)
    for number in range(3):
        await emit(console, resource=f"tank:vm/{number}")
    page = await console.browser.get(PATH)
    assert page.says("Of the newest 1 event none failed. Go on looking")


async def test_a_filter_that_cannot_be_read_is_mended_in_the_inbox(console: Console) -> None:
    page = await console.browser.get(f"{PATH}?rule=severity+%3E")
    assert page.url.endswith("/inbox?rule=severity+%3E")
    assert page.status == 422


async def test_nothing_of_an_event_is_markup(console: Console) -> None:
    attack = "<script>alert(1)</script>"
    async with HttpServer(400) as refusing:
        await route(console, refusing.url(), "*")
        await emit(console, subject=attack, resource=attack)
        await deaths(console.api, 1)
    page = await console.browser.get(f"{PATH}?text=%3Cscript%3E")
    assert page.says("1 of 1 event has not arrived")
    assert attack not in page.text

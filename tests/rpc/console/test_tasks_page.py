"""Tasks: what could not be delivered, why, and what is done about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import quote, urlencode

import pytest
from tests.support.console import Console
from tests.support.console_work import add_webhook, deaths, deliver
from tests.support.http_server import HttpServer
from tests.support.writes import PATIENCE_SECONDS

from ironcore.notification.v1 import delivery_pb2
from ironcore.notification.v1 import delivery_service_pb2 as pb
from ironcore.notification.v1.target_pb2 import Target

ATTACK = "<script>alert(1)</script>"


@pytest.fixture
async def peer() -> AsyncIterator[HttpServer]:
    async with HttpServer(400, text=f"no such channel {ATTACK}") as server:
        yield server


@pytest.fixture
async def target(console: Console, peer: HttpServer) -> Target:
    return await add_webhook(console.api, "chat-ops", peer.url())


async def held(console: Console) -> None:
    await console.api.call(console.api.delivery.HoldDeliveries, pb.HoldDeliveriesRequest())


async def states(console: Console) -> dict[str, str]:
    """By the subjects of the events."""
    answer = await console.api.call(console.api.delivery.ListDeliveries, pb.ListDeliveriesRequest())
    name = delivery_pb2.DeliveryState.Name
    return {
        each.subject: name(each.state).removeprefix("DELIVERY_STATE_") for each in answer.deliveries
    }


async def test_an_empty_installation_needs_no_attention(console: Console) -> None:
    page = await console.browser.get("/tasks")
    assert page.status == 200
    assert page.says("Nothing needs attention")


async def test_what_is_cancelled_is_among_all_and_said_beside_the_tabs(
    console: Console, target: Target
) -> None:
    await held(console)
    ids = await deliver(console.api, target, "Backup failed for vm/1", "Backup failed for vm/2")
    cancel = pb.CancelDeliveriesRequest(filter=delivery_pb2.DeliveryFilter(delivery_ids=ids[:1]))
    await console.api.call(console.api.delivery.CancelDeliveries, cancel)
    page = await console.browser.get("/tasks/counts", **{"HX-Request": "true"})
    assert page.says("All has 1 cancelled , too.")
    assert (await console.browser.get("/tasks?state=cancelled")).says("Backup failed for vm/1")


async def test_what_waits_for_a_disabled_target_is_not_said_to_have_failed(
    console: Console,
) -> None:
    off = await add_webhook(console.api, "off", "http://127.0.0.1:9/hook", disabled=True)
    await deliver(console.api, off, "Backup failed for vm/1")
    page = await console.browser.get("/tasks")
    assert page.says("its target is disabled")
    counts = await console.browser.get("/tasks/counts", **{"HX-Request": "true"})
    for each in (page, counts):
        assert not each.says("failures")
        assert each.says("Failed or kept back")
    assert counts.says("Failed or kept back 1")
    assert counts.says("Of what failed or is kept back, 1 is tried again or waits, and counted")


async def test_a_dispatch_failure_is_listed_with_its_reason_and_what_the_peer_said(
    console: Console, target: Target
) -> None:
    ids = await deliver(console.api, target, "Backup failed for vm/1", "Backup failed for vm/2")
    await deaths(console.api, 2)

    page = await console.browser.get("/tasks")
    assert page.says("2 chat-ops given up the endpoint refused it HTTP_4XX")
    assert page.says("Backup failed for vm/1")
    assert page.says("HTTP_4XX 400 no such channel")
    assert 'href="/events/evt%2F0"' in page.text

    page = await console.browser.get(f"/tasks/{ids[0]}")
    assert page.says("1. refused")
    assert page.says("Given up")
    assert page.says(f"no such channel {ATTACK}")
    assert ATTACK not in page.text


async def test_all_dead_of_a_target_and_reason_are_retried_with_one_click(
    console: Console, target: Target, peer: HttpServer
) -> None:
    await deliver(console.api, target, "one", "two")
    await deaths(console.api, 2)
    peer.status = 200

    fields = {"target": "chat-ops", "state": "dead", "reason": "HTTP_4XX"}
    asked = await console.browser.get(f"/tasks/retry?{urlencode(fields)}")
    assert asked.says(
        "2 deliveries would be queued again: each is sent as soon as its target takes it."
    )
    assert '<button class="primary" autofocus>Retry</button>' in asked.text
    page = await console.browser.post("/tasks/retry", fields)

    assert page.says("2 deliveries queued again, and tried as soon as chat-ops takes them.")
    await peer.until(lambda: len(peer.requests) == 4)


async def test_a_change_by_filter_says_first_how_many_of_what(
    console: Console, target: Target
) -> None:
    other = await add_webhook(console.api, "pager", "http://127.0.0.1:9/hook")
    await held(console)
    await deliver(console.api, target, "one", "two")

    page = await console.browser.get("/tasks/cancel?target=chat-ops")
    assert page.says("2 deliveries would be cancelled: none is sent, unless it is retried later.")
    assert page.says("2 chat-ops waiting all deliveries are held until somebody releases them HELD")
    assert page.says("ironcore-backup notification delivery cancel --target chat-ops")
    assert await states(console) == {"one": "QUEUED", "two": "QUEUED"}

    page = await console.browser.post("/tasks/cancel", {"target": other.name})
    assert page.says("There is none like that now")
    page = await console.browser.post("/tasks/cancel", {"target": "chat-ops"})
    assert page.says("2 deliveries cancelled.")
    assert await states(console) == {"one": "CANCELLED", "two": "CANCELLED"}


async def test_only_what_is_selected_is_changed(console: Console, target: Target) -> None:
    await held(console)
    ids = await deliver(console.api, target, "one", "two", "three")

    page = await console.browser.get(f"/tasks/cancel?id={ids[0]}&id={ids[2]}")
    assert page.says("2 deliveries would be cancelled: none is sent, unless it is retried later.")
    await console.browser.post("/tasks/cancel", [("id", ids[0]), ("id", ids[2])])

    assert await states(console) == {"one": "CANCELLED", "two": "QUEUED", "three": "CANCELLED"}


@pytest.mark.parametrize("action", ["retry", "cancel"])
async def test_nothing_chosen_is_not_everything(
    console: Console, target: Target, action: str
) -> None:
    await held(console)
    await deliver(console.api, target, "one")
    for page in (
        await console.browser.get(f"/tasks/{action}"),
        await console.browser.post(f"/tasks/{action}", {"id": "", "target": " "}),
        await console.browser.post(f"/tasks/{action}", {"view": "all"}),
    ):
        assert page.status == 422
        assert page.says("Nothing is chosen.")
    assert await states(console) == {"one": "QUEUED"}


async def test_one_delivery_is_cancelled_and_retried_from_its_page(
    console: Console, target: Target
) -> None:
    await held(console)
    (delivery_id,) = await deliver(console.api, target, "one")

    page = await console.browser.post("/tasks/cancel", {"id": delivery_id})
    assert page.url.endswith(f"/tasks/{delivery_id}")
    assert page.says("cancelled somebody cancelled it BY_REQUEST")
    assert page.says("Retry now")
    page = await console.browser.post("/tasks/retry", {"id": delivery_id})
    assert page.says("1 delivery queued again: all deliveries are held")
    assert await states(console) == {"one": "QUEUED"}


async def test_a_held_queue_says_so_until_it_is_released(
    console: Console, target: Target, peer: HttpServer
) -> None:
    peer.status = 200
    assert (await console.browser.get("/tasks/hold")).says("0 deliveries are in the queue now.")
    page = await console.browser.post("/tasks/hold")
    assert page.says("All deliveries are held since")
    await deliver(console.api, target, "one")

    page = await console.browser.get("/tasks/release")
    assert page.says("1 delivery would be sent")
    assert not peer.requests
    page = await console.browser.post("/tasks/release")
    assert page.says("Released: 1 delivery to be sent.")
    await peer.until(lambda: len(peer.requests) == 1)
    assert not (await console.browser.get("/tasks")).says("All deliveries are held")


async def test_filters_are_in_the_address_and_each_can_be_taken_away(
    console: Console, target: Target
) -> None:
    await held(console)
    await deliver(console.api, target, "one", group="ops-team")
    asked = "view=waiting&target=chat-ops&group=ops-team&after=2020-01-01T00%3A00"

    page = await console.browser.get(f"/tasks?{asked}")
    assert page.says("one")
    assert f'href="/tasks?{asked.replace("&group=ops-team", "")}"' in unescape(page.text)
    assert not (await console.browser.get(f"/tasks?{asked}&target=x&group=x")).says("No deliveries")
    assert (await console.browser.get("/tasks?view=waiting&group=x")).says("No deliveries here")


@pytest.mark.parametrize(("field", "value"), [("after", "yesterday"), ("state", "gone")])
async def test_a_filter_that_cannot_be_read_is_said_above_the_list(
    console: Console, field: str, value: str
) -> None:
    page = await console.browser.get(f"/tasks?{field}={value}")
    assert page.status == 422
    assert 'role="alert"' in page.text


async def test_rows_are_sent_again_only_where_they_changed(
    console: Console, target: Target
) -> None:
    await held(console)
    (delivery_id,) = await deliver(console.api, target, "one")
    for path in ("/tasks?view=waiting", f"/tasks/{delivery_id}"):
        page = await console.browser.get(path)
        again = unescape(page.text.partition('hx-get="' + path.partition("?")[0] + "?")[2])
        again = f"{path.partition('?')[0]}?{again.partition(chr(34))[0]}"
        assert (await console.browser.get(again, **{"HX-Request": "true"})).status == 204
    await console.browser.post("/tasks/cancel", {"id": delivery_id})
    page = await console.browser.get(again, **{"HX-Request": "true"})
    assert page.status == 200
    assert page.says("somebody cancelled it")
    assert "<html" not in page.text


async def test_counts_come_after_the_page(console: Console, target: Target) -> None:
    await held(console)
    await deliver(console.api, target, "one", "two")
    page = await console.browser.get("/tasks?view=waiting")
    assert 'hx-get="/tasks/counts?view=waiting" hx-trigger="load, ' in page.text
    page = await console.browser.get("/tasks/counts?view=waiting", **{"HX-Request": "true"})
    assert page.says("Waiting 2")
    assert page.says("All 2")
    assert "<html" not in page.text


async def failing(console: Console, target: Target, peer: HttpServer, *subjects: str) -> None:
    """The target fails as often as it takes to give it no more, and ``subjects`` wait for it."""
    peer.status = 503
    await deliver(console.api, target, *subjects)
    request = pb.GetTargetStatusRequest(target_uid=target.uid)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            status = await console.api.call(console.api.delivery.GetTargetStatus, request)
            if status.health == pb.TARGET_HEALTH_FAILING:
                return


async def test_what_waits_behind_a_failing_target_is_a_failure_in_card_tab_and_list(
    console: Console, target: Target, peer: HttpServer
) -> None:
    await failing(console, target, peer, *(f"event {number}" for number in range(60)))

    page = await console.browser.get("/tasks?target=chat-ops")
    assert page.says("waiting its target fails")
    assert page.says("One is tried in")
    assert not page.says("Nothing needs attention")
    assert page.text.count('data-row tabindex="0"') == 50
    page = await console.browser.get("/tasks/counts?view=failures", **{"HX-Request": "true"})
    assert page.says("Failed or kept back 60")
    assert "--troubled" in (await console.browser.get("/tasks")).text


async def test_what_is_queued_and_goes_as_it_comes_is_no_failure(
    console: Console, target: Target
) -> None:
    await held(console)
    await deliver(console.api, target, "one")
    assert (await console.browser.get("/tasks")).says("one")
    assert (await console.browser.get("/tasks?state=queued")).says("one")
    await console.browser.post("/tasks/cancel", {"target": "chat-ops"})
    page = await console.browser.get("/tasks")
    assert page.says("Nothing failed")
    assert not page.says("Nothing needs attention")
    await console.browser.post("/tasks/release")
    assert (await console.browser.get("/tasks")).says("Nothing needs attention")


async def test_a_retry_while_the_target_fails_does_not_say_that_anything_was_sent(
    console: Console, target: Target, peer: HttpServer
) -> None:
    await failing(console, target, peer, *(f"event {number}" for number in range(60)))

    fields = {"target": "chat-ops", "state": "queued", "back": "/tasks?view=failures"}
    page = await console.browser.post("/tasks/retry", fields)

    assert page.says("queued again. chat-ops fails: one delivery is tried now")
    assert page.url.endswith("/tasks?view=failures")


async def test_a_retry_of_what_was_sent_meanwhile_says_so(
    console: Console, target: Target, peer: HttpServer
) -> None:
    peer.status = 200
    await deliver(console.api, target, "one")
    await peer.until(lambda: len(peer.requests) == 1)
    fields = {"target": "chat-ops", "state": "queued", "reason": "TARGET_FAILING"}
    page = await console.browser.post("/tasks/retry", fields)
    assert page.says("what there was has been sent or changed meanwhile")
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    page = await console.browser.get(f"/tasks/retry?{query}&back=%2Ftasks")
    assert page.says("what there was has been sent or changed meanwhile")
    assert page.says("Go back")


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
async def test_a_change_leads_nowhere_else(console: Console, target: Target, back: str) -> None:
    await held(console)
    await deliver(console.api, target, "one")
    page = await console.browser.get("/tasks/cancel?target=chat-ops&back=" + quote(back, safe=""))
    assert f'href="{back}' not in page.text
    assert 'name="back" value="/"' in page.text
    page = await console.browser.post("/tasks/cancel", {"target": "chat-ops", "back": back})
    assert page.url.startswith(console.browser.base)


async def test_a_delivery_that_there_is_not_is_not_found(console: Console) -> None:
    page = await console.browser.get("/tasks/0123456789abcdef")
    assert page.status == 404

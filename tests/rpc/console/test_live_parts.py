"""Parts of pages that say how it is now: they ask again by themselves, and together."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.console import Browser, Console, Page, browsing
from tests.support.console_work import add_group, add_webhook, deaths, emit
from tests.support.http_server import HttpServer
from tests.support.writes import PATIENCE_SECONDS

from ibs_notify.console.api import CALL_SECONDS, Api
from ibs_notify.domain.clock import SystemClock
from ironcore.notification.v1.config_service_pb2 import UpdateGroupRequest, UpdateTargetRequest
from ironcore.notification.v1.target_pb2 import Target, WebhookTarget

PARTS = (
    *(
        f"/overview/{name}"
        for name in ("figures", "events", "deliveries", "trouble", "queue", "coverage", "ledger")
    ),
    "/datastore-list",
    "/coverage",
    *(f"/datastores/tank/{name}" for name in ("listeners", "alerts", "state", "chart", "nested")),
    "/targets",
    "/groups",
    "/groups/ops-team",
    "/digests",
    "/silences",
    "/alarms",
    "/start",
    "/tasks/held",
)
LIMIT = "rate_limit_per_minute"
ASKS_AGAIN = re.compile(r'hx-get="([^"]*known=[0-9a-f]{16})"')


async def part(console: Console, path: str) -> Page:
    return await console.browser.get(path, **{"HX-Request": "true"})


def again(page: Page) -> str:
    """The address that a part asks for itself by."""
    found = ASKS_AGAIN.search(page.text)
    assert found, page.text
    return found[1].replace("&amp;", "&")


async def failing(console: Console, peer: HttpServer) -> Target:
    """``chat-ops`` refused what it was sent."""
    target = await add_webhook(console.api, "chat-ops", peer.url())
    await add_group(console.api, "ops-team", {"chat-ops": "type starts-with backup"})
    await emit(console.api, "Backup failed", resource="tank:vm/1")
    await deaths(console.api, 1)
    return target


async def until(console: Console, path: str, text: str) -> Page:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (page := await part(console, path)).says(text):
            pass
    return page


@pytest.mark.parametrize("path", PARTS)
async def test_a_part_asks_for_itself_and_is_told_nothing_where_nothing_changed(
    console: Console, path: str
) -> None:
    await add_webhook(console.api, "chat-ops", "http://127.0.0.1:9/hook")
    await add_group(console.api, "ops-team", {"chat-ops": "type = sync.failed"})
    await emit(console.api, "Backup failed", resource="tank:vm/1")
    first = again(await part(console, path))
    # Our own alarms and the like may still come; then it stands.
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (page := await part(console, first)).status == 200:
            first = again(page)
    assert (page.status, page.text) == (204, "")


async def test_what_changed_is_told_to_a_page_that_is_open(console: Console) -> None:
    async with HttpServer(200) as peer:
        target = await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "ops-team", {"chat-ops": "*"})
        await emit(console.api, "Backup failed", resource="tank:vm/1")
        page = await until(console, "/overview/trouble", "No target failed its last attempt")
        peer.status = 400
        await emit(console.api, "Backup failed", resource="tank:vm/2")
        await deaths(console.api, 1)
        page = await until(console, "/overview/trouble", "failed lately")
        assert page.says("the endpoint refused it ( 400")
        assert page.says("1 given up")
        assert f'href="/targets/{target.name}"' in page.text


async def test_two_hundred_open_pages_ask_the_services_no_more_often_than_one(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    call = Api.call

    async def noted(self: Api, method: Any, request: Any, **more: Any) -> Any:
        calls.append(type(request).__name__)
        return await call(self, method, request, **more)

    paths = (
        "/overview/figures",
        "/overview/trouble",
        "/overview/queue",
        "/alarms",
        "/targets",
        "/groups",
        "/coverage",
        "/overview/coverage",
    )
    known = [again(await part(console, path)) for path in paths]
    monkeypatch.setattr(Api, "call", noted)
    await asyncio.gather(*(part(console, path) for path in known * 200))
    assert len(calls) <= 20, calls


async def test_coverage_that_is_open_turns_with_the_targets(console: Console) -> None:
    async with HttpServer(200) as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "ops-team", {"chat-ops": "*"})
        await emit(console.api, "Backup failed", resource="tank:vm/1")
        await until(console, "/overview/trouble", "No target failed its last attempt")
        coverage = await part(console, "/overview/coverage")
        assert not coverage.says("until a target works again")
        peer.status = 500
        await emit(console.api, "Backup failed", resource="tank:vm/2")
        await until(console, "/overview/trouble", "1 waits")
        # Though what was found then would do for others yet.
        assert (await part(console, again(coverage))).says("until a target works again: chat-ops")


async def test_the_parts_of_a_page_say_the_same_of_the_same(console: Console) -> None:
    async with HttpServer(400) as peer:
        await failing(console, peer)
        await part(console, "/alarms")
        await emit(console.api, "Backup failed", resource="tank:vm/2")
        await deaths(console.api, 2)
        # The sidebar's numbers may be some seconds old; who opens the page sees none that are.
        assert (await part(console, "/overview/figures")).says("2 given up")


async def test_a_change_that_was_made_here_is_shown_at_once_to_pages_that_are_open(
    console: Console,
) -> None:
    await add_webhook(console.api, "chat-ops", "http://127.0.0.1:9/hook")
    await add_group(console.api, "ops-team", {"chat-ops": "*"})
    address = again(await part(console, "/overview/trouble"))
    await console.browser.post("/targets/chat-ops/disable")
    assert (await part(console, address)).says("disabled chat-ops reaches nobody")


async def test_the_sidebar_counts_what_needs_somebody_and_leads_to_just_that(
    console: Console,
) -> None:
    async with HttpServer(400) as peer:
        await failing(console, peer)
        alarms = await part(console, "/alarms")
        assert alarms.says("1 troubled")
        assert alarms.says("1 given up")
        # From now on every page begins with them.
        assert (await console.browser.get("/settings")).says("Tasks 1 given up")
        figures = await console.browser.get("/overview/figures")
        assert figures.says("1 given up")
        assert 'href="/tasks?state=dead"' in figures.text
        peer.status = 200
        await console.browser.post("/tasks/retry", {"state": "dead"})
        figures = await until(console, "/overview/figures", "0 given up")
    listed = await console.browser.get("/tasks?state=dead")
    assert listed.says("No delivery is like that now.")


async def test_a_disabled_target_is_counted_in_the_sidebar_while_something_waits_for_it(
    console: Console,
) -> None:
    await add_webhook(console.api, "chat-ops", "http://127.0.0.1:9/hook")
    await add_group(console.api, "ops-team", {"chat-ops": "*"})
    await console.browser.post("/targets/chat-ops/disable")
    assert not (await part(console, "/alarms")).says("disabled")
    await emit(console.api, "Backup failed", resource="tank:vm/1")
    await until(console, "/overview/trouble", "disabled chat-ops reaches nobody, 1 waits")
    alarms = await part(console, "/alarms")
    assert alarms.says("1 disabled")
    assert not alarms.says("troubled")


async def test_who_opens_a_page_right_after_a_release_is_told_nowhere_that_it_is_held(
    console: Console,
) -> None:
    async with HttpServer() as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        group = await add_group(console.api, "ops-team", {"chat-ops": "*"}, rate_limit_per_minute=1)
        for number in range(3):
            await emit(console.api, "Backup failed", resource=f"tank:vm/{number}")
        # What others were told does for pages that are open, some seconds long.
        await until(console, "/alarms", "2 held")
        for path in ("/tasks", "/queue"):
            assert (await console.browser.get(path)).says("Queue 2 held"), path
        group.rate_limit_per_minute = 0
        request = UpdateGroupRequest(group=group, update_mask=FieldMask(paths=[LIMIT]))
        await console.api.call(console.api.config.UpdateGroup, request)
        await peer.until(lambda: len(peer.requests) == 3)
        queue = await console.browser.get("/queue")
        assert queue.says("No rate limit holds anything back")
        assert not queue.says("held Digests")
        assert not (await console.browser.get("/tasks")).says("held")
        loaded = re.search('id="alarms" hidden hx-get="([^"]*)"', queue.text)
        assert loaded
        assert not (await part(console, loaded[1])).says("held")


async def test_the_queue_takes_its_number_in_the_sidebar_along(console: Console) -> None:
    async with HttpServer() as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "ops-team", {"chat-ops": "*"}, rate_limit_per_minute=1)
        address = again(await part(console, "/queue"))
        for number in range(2):
            await emit(console.api, "Backup failed", resource=f"tank:vm/{number}")
        page = await until(console, address, "1 held")
        assert 'id="alarm-queue" class="alarm tone-calm" hx-swap-oob="true"' in page.text


async def test_where_it_is_not_known_the_sidebar_counts_nothing(console: Console) -> None:
    await console.stop("delivery")
    alarms = await part(console, "/alarms")
    assert alarms.status == 200
    assert not re.search(r"\d", alarms.words)


async def test_what_is_given_up_is_on_the_page_of_its_target_with_a_way_to_send_it_again(
    console: Console,
) -> None:
    async with HttpServer(400) as peer:
        await failing(console, peer)
    page = await console.browser.get("/targets/chat-ops")
    assert page.says("1 given up : the endpoint refused it HTTP_4XX Retry …")
    assert "/tasks/retry?target=chat-ops&amp;state=dead&amp;reason=HTTP_4XX" in page.text
    assert 'href="/tasks?target=chat-ops&amp;state=dead"' in page.text


async def test_health_of_another_place_is_not_told_of_this_one(console: Console) -> None:
    async with HttpServer(200) as peer:
        target = await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "ops-team", {"chat-ops": "*"})
        await emit(console.api, "Backup failed")
        await until(console, "/targets", "ok")
    moved = Target(name=target.name, webhook=WebhookTarget(url="http://127.0.0.1:9/hook"))
    await console.api.call(
        console.api.config.UpdateTarget,
        UpdateTargetRequest(target=moved, update_mask=FieldMask(paths=["webhook.url"])),
    )
    for path in ("/targets", "/targets/chat-ops"):
        page = await console.browser.get(path)
        assert page.says("not tried since its change")
        assert page.says("before it was changed")


async def test_nothing_needs_attention_is_not_said_while_a_rate_limit_holds_anything(
    console: Console,
) -> None:
    async with HttpServer(200) as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "ops-team", {"chat-ops": "*"}, rate_limit_per_minute=1)
        for number in range(4):
            await emit(console.api, "Backup failed", resource=f"tank:vm/{number}")
        page = await console.browser.get("/tasks")
        counted = r"[1-4] events? (is|are) held by rate limits \([1-4] notifications?\): Queue"
        assert re.search(counted, page.words), page.words
        assert not page.says("nothing is kept back")
        # Whatever else there is to see, and on every page.
        assert re.search(counted, (await console.browser.get("/tasks?view=all")).words)
        assert re.search(counted, (await part(console, "/tasks/held")).words)
        assert re.search(r"Queue [1-4] held", (await console.browser.get("/settings")).words)


@asynccontextmanager
async def at_mute(console: Console) -> AsyncIterator[Browser]:
    """At a console for which Delivery takes connections, and never says a word.

    Of its own: a channel that was refused once says so until it is connected again, however long
    that takes, and is never kept waiting.
    """
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = replace(console.settings, delivery_address=f"127.0.0.1:{port}")
    try:
        async with browsing(settings, SystemClock()) as browser:
            yield browser
    finally:
        server.close()
        for each in writers:
            each.close()


ALL_THE_SAME = {"/": "Overview", "/overview/events": "events"}
AFTER_A_WHILE = {
    "/overview/trouble": "not known now: Delivery does not answer in time",
    "/overview/figures": "Delivery does not answer",
    "/targets": "Delivery does not answer in time",
    "/tasks": "Delivery does not answer in time",
}


async def test_a_service_that_hangs_is_said_so_in_each_part_and_keeps_no_other_waiting(
    console: Console,
) -> None:
    await add_webhook(console.api, "chat-ops", "http://127.0.0.1:9/hook")
    await add_group(console.api, "ops-team", {"chat-ops": "*"})
    async with at_mute(console) as browser:
        page = await browser.get("/overview/deliveries")
        assert page.says("Delivery does not answer in time")
        assert page.says("Try again")
        # Together, for gRPC gives up connecting after 20 s, and says then that it was refused.
        asked = ALL_THE_SAME | AFTER_A_WHILE
        waited = await asyncio.gather(*(_seconds(browser, *each) for each in asked.items()))
        seconds = dict(zip(asked, waited, strict=True))
        first_late = min(seconds[path] for path in AFTER_A_WHILE)
        assert all(seconds[path] < first_late for path in ALL_THE_SAME), seconds
        assert max(seconds.values()) < CALL_SECONDS, seconds


async def _seconds(browser: Browser, path: str, text: str) -> float:
    """How long it takes until it says so."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await browser.get(path)).says(text), path
    return loop.time() - began


async def test_a_deleted_target_keeps_its_name_and_its_links_lead_somewhere(
    console: Console,
) -> None:
    async with HttpServer(200) as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "ops-team", {"chat-ops": "*"})
        await emit(console.api, "Backup failed")
        await until(console, "/targets", "ok")
    await console.browser.post("/targets/chat-ops/delete", {"force": "on"})
    assert (await console.browser.get("/overview/deliveries")).says("chat-ops (deleted)")
    page = await console.browser.get("/targets/chat-ops")
    assert page.says("There is no target chat-ops any more")
    assert 'href="/tasks?view=all&amp;target=chat-ops"' in page.text

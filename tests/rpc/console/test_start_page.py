"""The first steps tick themselves, and end with a message that was really delivered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from tests.rpc.console.test_live_parts import again
from tests.rpc.console.test_overview_page import HOSTILE, make_group
from tests.support.console import Console, Page
from tests.support.console_work import add_group, add_webhook
from tests.support.http_server import HttpServer
from tests.support.writes import PATIENCE_SECONDS

from ironcore.notification.v1.group_pb2 import DIGEST_FREQUENCY_DAILY, Digest
from ironcore.notification.v1.router_service_pb2 import (
    CreateSilenceRequest,
    ExplainRequest,
    Silence,
)

SEND = {"type": "backup.failed", "subject": "Backup failed for vm/1", "resource": "ibs:vm/1"}


def done(page: Page) -> int:
    """How many steps are ticked."""
    return page.text.count('class="badge tone-good">done')


async def followed(console: Console, event: Mapping[str, str]) -> Page:
    """What became of an event that is sent from the page, once nothing of it changes soon."""
    page = await console.browser.post("/start", event)
    address = f"/start/sent?{urlsplit(page.url).query}"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "hx-get" in (part := await part_of(console, address)).text:
            pass
    return part


async def part_of(console: Console, address: str) -> Page:
    return await console.browser.get(address, **{"HX-Request": "true"})


async def test_steps_tick_themselves_by_what_exists(console: Console) -> None:
    assert done(await console.browser.get("/start")) == 0
    await make_group(console.api)
    page = await console.browser.get("/start")
    assert done(page) == 2
    assert 'href="/targets/chat-ops"' in page.text
    assert 'href="/groups/ops-team"' in page.text


async def test_the_event_is_followed_until_it_is_delivered(console: Console) -> None:
    async with HttpServer() as sink:
        await make_group(console.api, url=sink.url())
        page = await console.browser.post("/start", SEND)
        event_id = parse_qs(urlsplit(page.url).query)["event"][0]
        address = f"/start/sent?event={event_id}"
        assert f'hx-get="{address}"' in page.text
        part = await console.browser.get(address, **{"HX-Request": "true"})
        while "hx-get" in part.text:
            part = await console.browser.get(address, **{"HX-Request": "true"})
    assert part.says("delivered to chat-ops by ops-team")
    # The step is ticked where it stands, though the form in it is left alone.
    assert part.says("done")
    assert (
        'id="step-mark-3" class="step-mark tone-good" aria-hidden="true" hx-swap-oob="true"'
        in part.text
    )
    assert f'href="/events/{event_id}"' in part.text
    assert done(await console.browser.get("/start")) == 3


async def test_a_step_whose_event_does_not_arrive_everywhere_is_not_done(console: Console) -> None:
    async with HttpServer() as sink:
        await make_group(console.api, url=sink.url())
        await add_webhook(console.api, "off", sink.url(), disabled=True)
        await add_group(console.api, "nights", {"off": "*"})
        page = await console.browser.post("/start", SEND)
        address = f"/start/sent?{urlsplit(page.url).query}"
        part = await console.browser.get(address, **{"HX-Request": "true"})
        while not (part.says("delivered to chat-ops") and part.says("waiting for off")):
            part = await console.browser.get(address, **{"HX-Request": "true"})
    assert not part.says("done")


async def test_what_another_group_brings_to_the_same_target_is_waited_for_no_longer(
    console: Console,
) -> None:
    async with HttpServer() as sink:
        await make_group(console.api, url=sink.url())
        await add_group(console.api, "tank-owners", {"chat-ops": "*"})
        part = await followed(console, SEND)
    assert part.says("delivered to chat-ops by ops-team")
    assert part.says("sent by another group for chat-ops by tank-owners")
    assert not part.says("It is not everywhere yet")
    assert part.says("done")


async def test_what_is_kept_from_being_sent_says_by_what(console: Console) -> None:
    async with HttpServer() as sink:
        await make_group(console.api, url=sink.url())
        gathering = Digest(rule="*", frequency=DIGEST_FREQUENCY_DAILY, time="09:00")
        await add_webhook(console.api, "mornings", sink.url("/mornings"))
        await add_group(console.api, "managers", {"mornings": "*"}, digest=gathering)
        part = await followed(console, SEND)
        assert part.says("delivered to chat-ops by ops-team")
        assert part.says("for the digest for mornings by managers")
        part = await followed(console, SEND)
        assert part.says("a repeat for chat-ops by ops-team : it repeats")
        await silence(console, "resource under /datastore/ibs/vm/9")
        part = await followed(console, SEND | {"resource": "ibs:vm/9"})
    assert part.says("silenced for chat-ops by ops-team : silence")
    assert part.says("disk swap")
    assert part.says("silenced for mornings by managers")
    assert not part.says("Nobody hears of it")
    assert not part.says("done")


async def silence(console: Console, rule: str) -> None:
    """For an hour."""
    made = Silence(rule=rule, comment="disk swap")
    made.end_time.GetCurrentTime()
    made.end_time.seconds += 3600
    await console.api.call(console.api.router.CreateSilence, CreateSilenceRequest(silence=made))


async def test_an_event_that_nobody_hears_of_says_so(console: Console) -> None:
    page = await console.browser.post("/start", SEND)
    event_id = parse_qs(urlsplit(page.url).query)["event"][0]
    assert (await console.browser.get(f"/start/sent?event={event_id}")).says("Nobody hears of it")


async def test_what_the_router_refuses_is_said_at_its_field(console: Console) -> None:
    page = await console.browser.post("/start", SEND | {"type": "no type", "subject": HOSTILE})
    assert page.status == 422
    assert 'id="e-type"' in page.text
    assert "<img src=x" not in page.text


async def test_the_command_emits_the_same(console: Console) -> None:
    page = await console.browser.post("/start/command", SEND)
    assert page.says("ironcore-backup notification emit")
    assert page.says("--resource ibs:vm/1")


async def test_a_name_alone_is_the_datastore(console: Console) -> None:
    page = await console.browser.post("/start", SEND | {"resource": "tank"})
    event_id = parse_qs(urlsplit(page.url).query)["event"][0]
    asked = ExplainRequest(event_id=event_id)
    answer = await console.api.call(console.api.router.Explain, asked)
    assert answer.event.resource == "/datastore/tank"
    assert 'href="/datastores/tank"' in (await console.browser.get("/datastore-list")).text
    page = await console.browser.post("/start/command", SEND | {"resource": "tank"})
    assert page.says("--resource /datastore/tank")


async def test_an_event_that_there_is_not_is_no_reason_to_break(console: Console) -> None:
    page = await console.browser.get("/start/sent?event=nothing%2F..%2F")
    assert page.status == 200
    assert page.says("Try again")


async def test_the_steps_lead_on_until_the_first_delivery(console: Console) -> None:
    async with HttpServer() as sink:
        hook = {"name": "chat-ops", "url": sink.url(), "method": "POST"}
        page = await console.browser.post("/targets/new/webhook", hook)
        assert page.says("Next: Who hears of what?")
        assert (await console.browser.get("/")).says("Next: Who hears of what?")
        group = {"name": "ops-team", "target-0": "chat-ops", "rule-0": "*"}
        page = await console.browser.post("/new-group", group)
        assert page.says("Next: Send a real event")
        assert (await console.browser.get("/")).says("Next: Send a real event")
        page = await console.browser.post("/start", SEND)
        address = f"/start/sent?{urlsplit(page.url).query}"
        part = await console.browser.get(address, **{"HX-Request": "true"})
        while "hx-get" in part.text:
            part = await console.browser.get(address, **{"HX-Request": "true"})
        overview = await console.browser.get("/")
        assert not overview.says("Next:")


async def test_the_steps_of_an_empty_overview_follow_by_themselves(console: Console) -> None:
    page = await console.browser.get("/")
    assert page.says("Nobody would hear of it yet")
    asks = again(page)
    assert (await part_of(console, asks)).status == 204
    async with HttpServer() as sink:
        await make_group(console.api, url=sink.url())
        part = await part_of(console, asks)
        assert done(part) == 2
        assert 'id="unheard" class="muted" hx-swap-oob="true"' in part.text
        assert not part.says("Nobody would hear of it yet")
        asks = again(part)
        assert (await part_of(console, asks)).status == 204
        await followed(console, SEND)
    part = await part_of(console, asks)
    assert done(part) == 3
    assert 'id="step-done-3" hx-swap-oob="true"' in part.text
    assert "<form" not in part.text


async def test_a_delivery_that_does_not_answer_is_no_step(console: Console) -> None:
    await make_group(console.api)
    await console.stop("delivery")
    assert not (await console.browser.get("/")).says("Next:")


async def test_where_nobody_is_asked_nobody_is_led_to_a_login(console: Console) -> None:
    for path in ("/start", "/templates"):
        page = await console.browser.get(path)
        assert page.status == 200
        assert "/login" not in page.text

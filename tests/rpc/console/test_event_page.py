"""An event: what became of it for each target, and why."""

from __future__ import annotations

import gzip
from typing import Any
from urllib.parse import quote

import pytest
from tests.rpc.console.test_inbox_page import emit, rows, state_of
from tests.support.console import Console, Page
from tests.support.console_work import in_force
from tests.support.http_server import HttpServer

from ibs_notify.console.api import Api
from ibs_notify.console.pages import event
from ironcore.notification.v1 import (
    delivery_pb2,
    disposition_pb2,
    event_pb2,
    group_pb2,
    target_pb2,
)
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.config_service_pb2 import CreateGroupRequest, CreateTargetRequest
from ironcore.notification.v1.delivery_service_pb2 import (
    ListDeliveriesRequest,
    ListDeliveriesResponse,
)

NOWHERE = "http://127.0.0.1:9/hook"


async def route(console: Console, url: str, rule: str, group: str = "ops") -> None:
    """A webhook ``chat-GROUP`` that hears what ``rule`` says."""
    target = target_pb2.Target(name=f"chat-{group}", webhook=target_pb2.WebhookTarget(url=url))
    await console.api.call(console.api.config.CreateTarget, CreateTargetRequest(target=target))
    made = group_pb2.Group(
        name=group, subscriptions=[group_pb2.Subscription(target=f"chat-{group}", rule=rule)]
    )
    answer = await console.api.call(console.api.config.CreateGroup, CreateGroupRequest(group=made))
    await in_force(console.api, answer.group.revision)


async def until(console: Console, path: str, text: str) -> Page:
    """The page, asked for until it says ``text``: a test's time limit ends it otherwise."""
    while True:
        page = await console.browser.get(path)
        if page.says(text):
            return page


async def test_what_became_of_it_is_told_attempt_by_attempt(console: Console) -> None:
    async with HttpServer() as server:
        await route(console, server.url(), "severity >= error")
        event_id = await emit(console, resource="tank:vm/1")
        page = await until(console, f"/events/{event_id}/outcome", "Attempt 1: delivered")
        assert "every 3s" not in page.text
        page = await console.browser.get(f"/events/{event_id}")
        assert page.says("chat-ops via ops delivered")
        assert page.says("severity >= error it is error")


async def test_who_was_to_hear_of_it_and_was_given_up_is_not_said_to_hear(console: Console) -> None:
    async with HttpServer(status=400) as server:
        await route(console, server.url(), "severity >= error")
        event_id = await emit(console, resource="tank:vm/1")
        await until(console, f"/events/{event_id}/outcome", "Attempt 1: refused")
        page = await console.browser.get(f"/events/{event_id}")
    assert page.says("Was to hear: chat-ops via ops given up")
    assert not page.says("Hears: chat-ops")


async def test_a_page_asks_again_while_something_is_under_way(console: Console) -> None:
    await route(console, NOWHERE, "*")
    event_id = await emit(console)
    page = await until(console, f"/events/{event_id}/outcome", "Attempt 1: retry")
    assert page.says("The next attempt")
    assert f'hx-get="/events/{event_id}/outcome" hx-trigger="every 3s, ' in page.text


async def test_who_does_not_hear_is_told_why(console: Console) -> None:
    await route(console, NOWHERE, "severity >= critical and resource under /datastore/tank")
    event_id = await emit(console, resource="tank:vm/1")
    page = await console.browser.get(f"/events/{event_id}")
    assert page.says("Nobody was told")
    assert page.says("Does not hear: chat-ops via ops")
    page = await console.browser.get(f"/events/{event_id}?target=chat-ops")
    assert page.says("✗ false: severity >= critical it is error")
    assert page.says("✓ true: resource under /datastore/tank it is /datastore/tank/vm/1")
    assert page.says("--target chat-ops")
    assert page.says("--why-not")
    page = await console.browser.get(f"/events/{event_id}?target=nobody")
    assert page.says("nobody was no target of any group")


async def test_a_silenced_event_leads_to_its_silence(console: Console) -> None:
    await route(console, NOWHERE, "*")
    silence = pb.Silence(rule="type = backup.failed", comment="disk swap")
    silence.end_time.GetCurrentTime()
    silence.end_time.seconds += 3600
    made = await console.api.call(
        console.api.router.CreateSilence, pb.CreateSilenceRequest(silence=silence)
    )
    event_id = await emit(console)
    page = await console.browser.get(f"/events/{event_id}")
    assert page.says("chat-ops via ops silenced")
    assert f'href="/silences#{made.silence.silence_id}"' in page.text


async def test_a_suppressed_event_leads_to_the_one_that_was_told(console: Console) -> None:
    await route(console, NOWHERE, "*")
    told = await emit(console, event_id="evt-told")
    page = await console.browser.get(f"/events/{await emit(console, event_id='evt-again')}")
    assert page.says("chat-ops via ops a repeat")
    assert f'href="/events/{told}"' in page.text
    assert 'title="Not sent: an identical event was told' in page.text


async def test_who_opens_an_event_has_read_it(console: Console) -> None:
    event_id = await emit(console)
    assert await state_of(console, event_id) == "unread"
    await console.browser.get(f"/events/{event_id}/outcome")
    assert await state_of(console, event_id) == "unread"
    await console.browser.get(f"/events/{event_id}")
    assert await state_of(console, event_id) == "read"


async def test_every_id_has_an_address(console: Console) -> None:
    event_id = await emit(console, event_id="a/b:c/../d", subject="Of an odd name")
    assert [quote(event_id, safe="")] == rows(await console.browser.get("/inbox"))
    page = await console.browser.get(f"/events/{quote(event_id, safe='')}")
    assert page.status == 200
    assert page.says("Of an odd name")
    page = await console.browser.get(f"/events/{quote(event_id, safe='')}/outcome")
    assert page.says("Nobody was told")


@pytest.mark.parametrize("event_id", [".", ".."])
async def test_an_id_that_browsers_take_for_a_step_has_an_address_too(
    console: Console, event_id: str
) -> None:
    await emit(console, event_id=event_id, subject="Of an id that hides")
    (found,) = rows(await console.browser.get("/inbox"))
    page = await console.browser.get(f"/events/{found}")
    assert page.url.endswith(f"/events/{found}")
    assert page.says("Of an id that hides")
    assert (await console.browser.get(f"/events/{found}/outcome")).says("Nobody was told")


async def test_of_many_that_do_not_hear_some_are_shown_and_the_others_counted(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event, "MOST_REASONS", 1)
    for name in ("a", "b", "c"):
        await route(console, NOWHERE, "severity >= critical", name)
    page = await console.browser.get(f"/events/{await emit(console)}")
    assert page.text.count('<details class="why"') == 1
    assert page.says("Nor do 2 more hear of it")


def thousand(event_id: str) -> pb.ExplainResponse:
    """A thousand groups hear of it, by a rule with parts; how far 200 deliveries are is known."""
    answer = pb.ExplainResponse(event=event_pb2.Event(event_id=event_id))
    for number in range(1000):
        told = answer.subscriptions.add(
            group=f"team-{number:03}", target=f"chat-{number:03}", hears=True
        )
        told.sentence = f"the rule of team-{number:03} matched, and the delivery was accepted"
        told.rule.text = "severity >= error and type starts-with backup. and source = backup"
        for text in ("severity >= error", "type starts-with backup.", "source = backup"):
            told.rule.parts.add(text=text, holds=True, actual="backup.failed")
        told.disposition.obligation_id = f"{event_id}/{number}"
        told.disposition.state = disposition_pb2.DISPOSITION_STATE_HANDED_OFF
        told.disposition.delivery_id = f"{number:032x}"
        if number < 200:
            told.delivery.state = delivery_pb2.DELIVERY_STATE_DELIVERED
            told.delivery.attempts.add(number=1, outcome="delivered")
    return answer


def deliveries() -> ListDeliveriesResponse:
    """What Delivery says of all of them: two died."""
    dead, delivered = delivery_pb2.DELIVERY_STATE_DEAD, delivery_pb2.DELIVERY_STATE_DELIVERED
    return ListDeliveriesResponse(
        deliveries=[
            delivery_pb2.Delivery(
                delivery_id=f"{number:032x}", state=dead if number in (700, 900) else delivered
            )
            for number in range(1000)
        ]
    )


@pytest.fixture(name="crowded")
async def _crowded(console: Console, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of an event that a thousand groups hear of, as far as the Router says."""
    event_id = await emit(console)
    call = Api.call

    async def crowded(self: Api, method: Any, request: Any, **more: Any) -> Any:
        if isinstance(request, pb.ExplainRequest) and not request.target:
            return thousand(event_id)
        if isinstance(request, ListDeliveriesRequest):
            assert list(request.filter.event_ids) == [event_id]
            return deliveries()
        return await call(self, method, request, **more)

    monkeypatch.setattr(Api, "call", crowded)
    return f"/events/{event_id}"


async def test_of_a_thousand_that_hear_those_that_need_somebody_are_shown_first(
    console: Console, crowded: str
) -> None:
    page = await console.browser.get(crowded)
    assert page.says("given up 2 delivered 998 chat-700 via team-700 given up")
    assert page.text.count('<article class="story">') == event.MOST_STORIES
    assert page.text.count('<details class="why"') == event.MOST_REASONS
    assert page.says("Show all 1,000")
    assert page.says("950 more hear of it")


async def test_a_page_of_an_event_that_a_thousand_hear_of_is_small(
    console: Console, crowded: str
) -> None:
    page = await console.browser.get(crowded)
    assert len(page.text) < 200_000
    assert len(gzip.compress(page.text.encode())) < 20_000


async def test_all_of_a_thousand_are_shown_on_demand(console: Console, crowded: str) -> None:
    page = await console.browser.get(f"{crowded}?all=1")
    assert page.text.count('<article class="story">') == 1000
    assert not page.says("Show all")
    assert len(gzip.compress(page.text.encode())) < 200_000


async def test_an_event_that_is_not_there_is_said_to_be_so(console: Console) -> None:
    page = await console.browser.get("/events/evt-none")
    assert page.status == 404
    assert page.says("there is no event")


async def test_links_lead_only_to_the_web(console: Console) -> None:
    event_id = await emit(
        console,
        task_id="UPID:1",
        task_url="javascript:alert(1)",
        links={"good": "https://example.com/x", "evil": "javascript:alert(2)"},
    )
    page = await console.browser.get(f"/events/{event_id}")
    assert 'href="https://example.com/x" rel="noopener noreferrer"' in page.text
    assert 'href="javascript' not in page.text


async def test_no_text_of_an_event_is_markup_on_its_page(console: Console) -> None:
    evil = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
    await route(console, NOWHERE, "*")
    event_id = await emit(
        console,
        subject=evil,
        summary=evil,
        resource=evil,
        actor=evil,
        task_id=evil,
        labels={"k": evil},
        links={"l": evil},
        groups=["<script>alert(1)</script>"],
    )
    page = await console.browser.get(f"/events/{event_id}")
    assert page.status == 200
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert page.says("<script>alert(1)</script>")


async def test_a_note_of_the_system_is_not_laid_to_the_rules(console: Console) -> None:
    """Every rule would match it, and none is asked."""
    await route(console, NOWHERE, "*")
    sent = pb.EmitRequest()
    sent.event.type, sent.event.subject = "backup.failed", "disk full"
    sent.event.groups.append("no-such-team")
    await console.api.call(console.api.router.Emit, sent)
    chosen = pb.EventFilter(types=["notification.unknown-group"])
    found = await console.api.call(
        console.api.router.ListEvents, pb.ListEventsRequest(filter=chosen)
    )
    page = await console.browser.get(f"/events/{found.events[0].event.event_id}")
    assert page.says("It is in the inbox alone: of what the system itself notes here")
    assert not page.says("no rule of a group in scope matched")

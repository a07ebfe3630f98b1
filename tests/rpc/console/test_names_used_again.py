"""What is deleted and made again by its name is another one, and what is gone has a page."""

from __future__ import annotations

import asyncio
import re

from tests.support.console import Console, Page
from tests.support.console_work import add_group, add_webhook, deliver, emit
from tests.support.http_server import HttpServer
from tests.support.writes import PATIENCE_SECONDS

from ironcore.notification.v1.config_service_pb2 import DeleteGroupRequest, DeleteTargetRequest
from ironcore.notification.v1.delivery_pb2 import DeliveryFilter
from ironcore.notification.v1.delivery_service_pb2 import ListDeliveriesRequest
from ironcore.notification.v1.group_pb2 import Digest, Group
from ironcore.notification.v1.router_service_pb2 import EmitResponse

NOWHERE = "http://127.0.0.1:9/hook"
EARLIER_TARGET = "chat-ops (an earlier one, deleted)"
EARLIER_GROUP = "second (an earlier one, deleted)"


async def until(console: Console, path: str, text: str) -> Page:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (page := await console.browser.get(path)).says(text):
            pass
    return page


async def delete_target(console: Console, name: str) -> None:
    request = DeleteTargetRequest(name=name, force=True)
    answer = await console.api.call(console.api.config.DeleteTarget, request)
    await console.api.await_revision(answer.revision)


async def delete_group(console: Console, name: str) -> None:
    request = DeleteGroupRequest(name=name, force=True)
    answer = await console.api.call(console.api.config.DeleteGroup, request)
    await console.api.await_revision(answer.revision)


async def told(console: Console, subject: str) -> str:
    """The page of an event that was delivered."""
    path = f"/events/{(await emit(console.api, subject)).event_id}"
    await until(console, path, "Attempt 1: delivered")
    return path


def link_to(page: Page, path: str) -> bool:
    """Whether the page itself leads to ``path``; it is in no menu."""
    return re.search(f'href="{re.escape(path)}"', page.text) is not None


async def test_a_target_that_is_made_again_does_not_have_what_another_was_sent(
    console: Console,
) -> None:
    async with HttpServer() as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "ops-team", {"chat-ops": "*"})
        await told(console, "The old one")
        await delete_target(console, "chat-ops")
        made = await add_webhook(console.api, "chat-ops", peer.url("/other"))
        page = await console.browser.get("/targets/chat-ops")
        assert page.says("Nothing was sent here yet")
        assert "The old one" not in page.words

        await deliver(console.api, made, "The new one")
        page = await until(console, "/targets/chat-ops", "The new one")
        assert "The old one" not in page.words


async def test_what_an_earlier_target_could_not_be_sent_is_not_todays(console: Console) -> None:
    async with HttpServer(status=400) as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "ops-team", {"chat-ops": "*"})
        event = await emit(console.api, "Refused")
        await until(console, f"/events/{event.event_id}", "Attempt 1: refused")
        await delete_target(console, "chat-ops")
        await add_webhook(console.api, "chat-ops", peer.url())
        page = await console.browser.get("/targets/chat-ops")
        assert "HTTP_4XX" not in page.words

        tasks = await console.browser.get("/tasks")
        assert tasks.words.count(EARLIER_TARGET) == 2  # of what is wrong, and of its row
        assert "Retry all of these" not in tasks.words
        (path,) = await _deliveries(console)
        task = await console.browser.get(path)
        assert task.says("Its target is deleted: it cannot be sent again.")
        assert "Retry now" not in task.words


async def test_pages_of_what_an_earlier_target_was_sent_do_not_lead_to_todays(
    console: Console,
) -> None:
    async with HttpServer() as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "second", {"chat-ops": "*"})
        event = await told(console, "The old one")
        (task,) = await _deliveries(console)
        before = [await console.browser.get(path) for path in (event, "/tasks?view=all", task)]
        assert all(link_to(page, "/targets/chat-ops") for page in before)

        await delete_target(console, "chat-ops")
        await add_webhook(console.api, "chat-ops", peer.url())
        for path in (event, f"{event}/outcome", "/tasks?view=all", task):
            page = await console.browser.get(path)
            assert page.says(EARLIER_TARGET), path
            assert not link_to(page, "/targets/chat-ops"), path
            assert EARLIER_GROUP not in page.words


async def test_what_the_target_of_today_was_sent_leads_to_it(console: Console) -> None:
    async with HttpServer() as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        await delete_target(console, "chat-ops")
        await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "second", {"chat-ops": "*"})
        page = await console.browser.get(await told(console, "The new one"))
        assert link_to(page, "/targets/chat-ops")
        assert link_to(page, "/groups/second")
        assert "an earlier one" not in page.words


async def test_a_digest_of_an_earlier_target_does_not_lead_to_todays(console: Console) -> None:
    await add_webhook(console.api, "chat-ops", NOWHERE)
    await add_group(console.api, "second", {"chat-ops": "*"}, digest=Digest(rule="*"))
    await emit(console.api, "Gathered")
    listed = await until(console, "/digests", "Gathering now")
    digest = re.search(r'href="(/digests/dig-[^"]+)"', listed.text)
    assert digest is not None
    assert link_to(await console.browser.get(digest[1]), "/targets/chat-ops")
    await delete_group(console, "second")
    await until(console, "/digests", "Closed")
    await delete_target(console, "chat-ops")
    await add_webhook(console.api, "chat-ops", NOWHERE)
    await add_group(console.api, "second", {"chat-ops": "*"}, digest=Digest(rule="type = x.y"))

    for path in ("/digests", digest[1]):
        page = await console.browser.get(path)
        assert page.says(EARLIER_TARGET), path
        assert page.says(EARLIER_GROUP), path
    assert not page.says("How the group gathers")


async def _second_again(console: Console) -> tuple[EmitResponse, Group]:
    """An event of a group, and another group of the same name since."""
    await add_webhook(console.api, "chat-ops", NOWHERE)
    await add_group(console.api, "second", {"chat-ops": "*"})
    event = await emit(console.api, "Of the first")
    await delete_group(console, "second")
    return event, await add_group(console.api, "second", {"chat-ops": "*"})


async def test_the_inbox_of_a_group_that_is_made_again_says_what_is_of_another(
    console: Console,
) -> None:
    event, _ = await _second_again(console)
    assert (await console.browser.get("/tasks?view=all")).says(EARLIER_GROUP)
    page = await console.browser.get("/inbox?group=second")
    assert page.says("what was accepted before is of an earlier group of this name, deleted since")
    own = re.search(r'href="(/inbox\?group=second&amp;after=2\d{3}-[^"]+)"', page.text)
    assert own is not None
    of_today = await console.browser.get(own[1].replace("&amp;", "&"))
    assert of_today.says("Nothing matches")
    assert "an earlier group" not in of_today.words

    await emit(console.api, "Of the second")
    of_today = await console.browser.get(own[1].replace("&amp;", "&"))
    assert of_today.says("Of the second")
    assert "Of the first" not in of_today.words
    page = await console.browser.get(f"/events/{event.event_id}")
    assert page.says(f"chat-ops via {EARLIER_GROUP}")
    assert not link_to(page, "/groups/second")


async def test_what_another_group_was_told_of_is_said_where_it_is_on_a_later_page(
    console: Console,
) -> None:
    await _second_again(console)
    for number in range(51):
        await emit(console.api, f"Number {number}")
    page = await console.browser.get("/inbox?group=second")
    assert "Of the first" not in page.words
    assert page.says("is of an earlier group of this name")
    # So it is where several groups are asked for: of which of them an event is, no row says.
    await add_group(console.api, "third", {"chat-ops": "*"})
    page = await console.browser.get("/inbox?group=second,third")
    assert page.words.count("is of an earlier group of this name") == 1


async def test_the_inbox_of_a_group_with_nothing_from_before_says_nothing_of_it(
    console: Console,
) -> None:
    await add_webhook(console.api, "chat-ops", NOWHERE)
    await emit(console.api, "Of nobody")
    await add_group(console.api, "second", {"chat-ops": "*"})
    await emit(console.api, "Of the second")
    page = await console.browser.get("/inbox?group=second")
    assert page.says("Of the second")
    assert "an earlier group" not in page.words


async def test_the_page_of_a_deleted_group_says_what_is_known_of_it(console: Console) -> None:
    async with HttpServer() as peer:
        await add_webhook(console.api, "chat-ops", peer.url())
        await add_group(console.api, "second", {"chat-ops": "*"})
        await told(console, "Disk is full")
    await delete_group(console, "second")
    page = await console.browser.get("/groups/second")
    assert page.status == 404
    assert page.says("There is no group second any more It was deleted.")
    assert page.words.count("Disk is full") == 2  # its event and its delivery
    assert link_to(page, "/inbox?group=second&amp;state=every")
    assert link_to(page, "/tasks?view=all&amp;group=second")
    assert link_to(page, "/audit?subject=group%2Fsecond")
    inbox = await console.browser.get("/inbox?group=second")
    assert inbox.says("There is no group second now.")

    never = await console.browser.get("/groups/never-was")
    assert never.status == 404
    assert never.says("Nothing is known of one of that name.")


async def test_the_page_of_a_deleted_target_does_not_say_that_it_may_be_renamed(
    console: Console,
) -> None:
    made = await add_webhook(console.api, "chat-ops", NOWHERE)
    await deliver(console.api, made, "Disk is full")
    await delete_target(console, "chat-ops")
    page = await console.browser.get("/targets/chat-ops")
    assert page.says("There is no target chat-ops any more It was deleted.")
    assert "renamed" not in page.words
    assert page.says("Disk is full")


async def test_that_nothing_is_known_of_a_name_is_not_said_while_nobody_answers(
    console: Console,
) -> None:
    await console.stop("delivery")
    page = await console.browser.get("/targets/chat-ops")
    assert page.status == 404
    assert page.says("Whether there ever was one is not known now: Delivery does not answer.")
    await console.stop("router")
    page = await console.browser.get("/groups/second")
    assert page.says("Whether there ever was one is not known now")


async def _deliveries(console: Console) -> list[str]:
    """The pages of what was sent to chat-ops."""
    request = ListDeliveriesRequest(filter=DeliveryFilter(targets=["chat-ops"]))
    found = await console.api.call(console.api.delivery.ListDeliveries, request)
    return [f"/tasks/{each.delivery_id}" for each in found.deliveries]

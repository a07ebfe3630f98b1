"""Open inboxes hear of what arrives: by one watch of the Router, however many they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from tests.rpc.console.test_inbox_page import emit, rows
from tests.support.console import Console
from tests.support.live import PATIENCE_SECONDS, Live, listening, serving
from tests.support.secured import secured

from ibs_notify.console.live import feed, hub
from ibs_notify.console.live.stream import PATH
from ibs_notify.console.login.sessions import MOST_OF_ONE
from ibs_notify.router.event_query import EventQuery
from ibs_notify.router.event_watch import EventWatch
from ironcore.notification.v1 import router_service_pb2 as pb

OPEN = 200


@dataclass(slots=True)
class Watches:
    """The calls of WatchEvents that a Router serves in this process."""

    tokens: list[str] = field(default_factory=list)
    """Of each call that began."""
    open: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, open_calls: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.open != open_calls:
                self.moved.clear()
                await self.moved.wait()


@pytest.fixture(name="watches")
def _watches(monkeypatch: pytest.MonkeyPatch) -> Watches:
    """Must come before the services."""
    watches = Watches()
    follow = EventWatch.follow

    async def counted(
        self: EventWatch, token: str, query: EventQuery
    ) -> AsyncGenerator[pb.WatchEventsResponse, None]:
        watches.tokens.append(token)
        watches.open += 1
        try:
            async for each in follow(self, token, query):
                yield each
        finally:
            watches.open -= 1
            watches.moved.set()

    monkeypatch.setattr(EventWatch, "follow", counted)
    return watches


@pytest.fixture(name="http")
async def _http() -> AsyncIterator[aiohttp.ClientSession]:
    """As many connections as wanted; no cookies, so that each is a browser of its own."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        yield http


async def test_two_hundred_open_inboxes_are_one_watch(
    watches: Watches, console: Console, http: aiohttp.ClientSession
) -> None:
    url = f"{console.browser.base}{PATH}"
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(listening(http, url)) for _ in range(OPEN)]
        await emit(console)
        news = await asyncio.gather(*(each.named("new") for each in pages))
        assert {each.data["count"] for each in news} == {1}
        assert len(watches.tokens) == 1


async def test_each_hears_of_what_it_looks_at(
    console: Console, http: aiohttp.ClientSession
) -> None:
    base = f"{console.browser.base}{PATH}"
    async with (
        listening(http, f"{base}?severity=critical&resource=tank:vm") as narrow,
        listening(http, f"{base}?rule=subject+contains+corrupt") as by_rule,
        listening(http, base) as wide,
    ):
        await emit(console, resource="tank:vm/1")
        await emit(console, type="verify.corrupt", subject="corrupt", resource="tank:vm/1")
        assert (await narrow.named("new")).data["count"] == 1
        assert (await by_rule.named("new")).data["count"] == 1
        counts = {(await wide.named("new")).data["count"]}
        while 2 not in counts:
            counts.add((await wide.named("new")).data["count"])


async def test_what_came_between_the_page_and_its_stream_is_counted(
    console: Console, http: aiohttp.ClientSession
) -> None:
    await emit(console, event_id="evt-1")
    page = await console.browser.get("/inbox")
    live = page.text.partition('data-live="')[2].partition('"')[0].replace("&amp;", "&")
    await emit(console, event_id="evt-2")
    async with listening(http, console.browser.base + live) as stream:
        assert (await stream.named("new")).data["count"] == 1
        await emit(console, event_id="evt-3")
        assert (await stream.named("new")).data["count"] == 2


async def test_what_was_archived_is_not_new(console: Console, http: aiohttp.ClientSession) -> None:
    kept = await emit(console, event_id="evt-kept")
    archived = [await emit(console, event_id=f"evt-{number}") for number in range(3)]
    read = await emit(console, event_id="evt-read")
    marks = [(archived, pb.INBOX_STATE_ARCHIVED), ([read], pb.INBOX_STATE_READ)]
    for ids, state in marks:
        request = pb.MarkEventsRequest(event_ids=ids, state=state)
        await console.api.call(console.api.router.MarkEvents, request)
    page = await console.browser.get("/inbox?state=unread")
    assert rows(page) == [kept]
    live = page.text.partition('data-live="')[2].partition('"')[0].replace("&amp;", "&")
    async with listening(http, console.browser.base + live) as stream:
        await emit(console, event_id="evt-new")
        assert (await stream.named("new")).data["count"] == 1


async def test_the_watch_moves_on_when_its_lender_leaves_and_ends_with_the_last(
    watches: Watches, live: Live, http: aiohttp.ClientSession
) -> None:
    lender, other = live.log_in("first"), live.log_in("second")
    async with (
        listening(http, live.url, lender[1]) as ended,
        listening(http, live.url, other[1]) as stays,
    ):
        live.sessions.end(lender[0])
        assert await ended.end() == "ended"
        await live.emit("evt-1")
        assert (await stays.named("new")).data["count"] == 1
    await watches.until(0)
    assert len(watches.tokens) == 2
    assert watches.tokens[0] == ""
    assert watches.tokens[1] != ""


@pytest.fixture(name="live")
async def _live(tmp_path: Path) -> AsyncIterator[Live]:
    async with secured(tmp_path) as services, serving(services, ("first", "second")) as live:
        yield live


async def test_a_revoked_token_is_cut_and_the_others_hear_on(
    watches: Watches, live: Live, http: aiohttp.ClientSession
) -> None:
    first, second = live.log_in("first"), live.log_in("second")
    async with (
        listening(http, live.url, first[1]) as gone,
        listening(http, live.url, second[1]) as stays,
    ):
        await live.services.revoke("first")
        assert await gone.end() == "ended"
        await live.emit("evt-1")
        assert (await stays.named("new")).data["count"] == 1


async def test_a_session_that_was_logged_out_is_cut(
    live: Live, http: aiohttp.ClientSession
) -> None:
    secret, cookie = live.log_in("first")
    async with listening(http, live.url, cookie) as stream:
        live.sessions.end(secret)
        assert await stream.end() == "ended"


async def test_who_logs_out_everywhere_is_cut_everywhere(
    live: Live, http: aiohttp.ClientSession
) -> None:
    _, one = live.log_in("first")
    _, another = live.log_in("first")
    _, other = live.log_in("second")
    async with (
        listening(http, live.url, one) as here,
        listening(http, live.url, another) as there,
        listening(http, live.url, other) as stays,
    ):
        live.sessions.end_all_of("first")
        assert [await here.end(), await there.end()] == ["ended", "ended"]
        await live.emit("evt-1")
        assert (await stays.named("new")).data["count"] == 1


async def test_a_session_that_newer_ones_pushed_out_is_cut(
    live: Live, http: aiohttp.ClientSession
) -> None:
    _, cookie = live.log_in("first")
    async with listening(http, live.url, cookie) as stream:
        for _ in range(MOST_OF_ONE):
            live.log_in("first")
        assert await stream.end() == "ended"


@pytest.mark.parametrize(
    ("bound", "queries"),
    [
        ("MOST_VIEWERS_OF_ONE", ["", "?severity=error", "?text=x"]),
        ("MOST_RULES_OF_ONE", [f"?rule=subject+%3D+{each}" for each in "abc"]),
    ],
)
async def test_one_token_keeps_nobody_else_from_looking(
    live: Live,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    queries: list[str],
) -> None:
    monkeypatch.setattr(hub, bound, 2)
    _, greedy = live.log_in("first")
    _, again = live.log_in("first")
    _, other = live.log_in("second")
    async with AsyncExitStack() as stack:
        for query in queries[:2]:
            await stack.enter_async_context(listening(http, live.url + query, greedy))
        for cookie in (greedy, again):
            headers = {"Cookie": cookie}
            async with http.get(live.url + queries[2], headers=headers) as answer:
                assert answer.status == 503
        stays = await stack.enter_async_context(listening(http, live.url, other))
        await live.emit("evt-1")
        assert (await stays.named("new")).data["count"] == 1


async def test_nobody_listens_without_a_login(live: Live, http: aiohttp.ClientSession) -> None:
    async with http.get(live.url, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"].startswith("/login")


async def test_what_happens_while_the_router_is_away_is_told_when_it_is_back(
    watches: Watches, live: Live, http: aiohttp.ClientSession
) -> None:
    _, cookie = live.log_in("first")
    async with listening(http, f"{live.url}?type=backup.failed", cookie) as stream:
        await live.emit("evt-1")
        assert (await stream.named("new")).data["count"] == 1
        await live.services.stop("router")
        await live.services.start("router")
        await live.services.apply(0)
        await live.emit("evt-2")
        assert (await stream.named("new")).data["count"] == 2


async def test_a_page_is_told_that_the_router_is_not_heard_and_when_it_is_again(
    live: Live, http: aiohttp.ClientSession
) -> None:
    _, cookie = live.log_in("first")
    async with listening(http, f"{live.url}?type=backup.failed", cookie) as stream:
        await live.services.stop("router")
        text = (await stream.named("outage")).data["text"]
        assert text.startswith("The Router service cannot be reached. Since ")
        # Who comes back to a page, too, and not only that there is nothing new.
        async with listening(http, f"{live.url}?type=backup.failed", cookie) as late:
            assert (await late.named("outage")).data["text"] == text
            await live.services.start("router")
            await live.services.apply(0)
            for each in (stream, late):
                assert (await each.named("outage")).data["text"] == ""
            await live.emit("evt-1")
            for each in (stream, late):
                assert (await each.named("new")).data["count"] == 1


async def test_who_listens_while_the_router_is_away_from_the_beginning_is_told_so(
    live: Live, http: aiohttp.ClientSession
) -> None:
    _, cookie = live.log_in("first")
    await live.emit("evt-1")
    await live.services.stop("router")
    async with listening(http, f"{live.url}?type=backup.failed", cookie) as stream:
        assert (await stream.named("outage")).data["text"]
        await live.services.start("router")
        await live.services.apply(0)
        # What there was before is counted once somebody can be asked for it.
        assert (await stream.named("new")).data["count"] == 1


async def test_a_router_that_is_started_anew_at_once_bothers_nobody(
    live: Live, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "OUTAGE_SECONDS", PATIENCE_SECONDS)
    _, cookie = live.log_in("first")
    async with listening(http, live.url, cookie) as stream:
        await live.services.stop("router")
        await live.services.start("router")
        await live.services.apply(0)
        await live.emit("evt-1")
        names = set()
        while "new" not in names:
            message = await stream.next()
            assert message is not None
            names.add(message.name)
    assert names <= {"", "new"}


async def test_the_console_stops_at_once_with_pages_open(
    live: Live, http: aiohttp.ClientSession
) -> None:
    _, cookie = live.log_in("first")
    async with listening(http, live.url, cookie) as stream:
        async with asyncio.timeout(5):
            await live.hub.close()
        assert await stream.end() in ("", "new")
        assert live.hub.viewers == 0


async def test_a_viewer_marks_nothing_by_looking(live: Live, http: aiohttp.ClientSession) -> None:
    _, cookie = live.log_in("first")
    await live.emit("evt-1")
    for path in ("/inbox", "/events/evt-1", "/inbox?state=unread"):
        async with http.get(live.base + path, headers={"Cookie": cookie}) as answer:
            text = await answer.text()
            assert answer.status == 200
            assert "backup.failed" in text
            assert 'action="/inbox/mark' not in text
    # It was still unread when it was looked for last.
    assert "/events/evt-1" in text

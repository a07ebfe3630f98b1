"""An open page, as far as it listens: the messages of a stream of server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from ibs_notify.console.api import Channels, presenting
from ibs_notify.console.assets import Assets
from ibs_notify.console.http import guard
from ibs_notify.console.live.hub import Hub
from ibs_notify.console.live.stream import PATH, LiveInbox, Pace
from ibs_notify.console.login.cookies import SECURE_COOKIE
from ibs_notify.console.login.entrance import Entrance
from ibs_notify.console.login.sessions import Sessions
from ibs_notify.console.pages import ROUTES
from ibs_notify.console.rendering import Renderer
from ibs_notify.console.time_zone import TimeZone
from ibs_notify.domain.principal import Role
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb
from tests.support.secured import Secured

QUICK = Pace(least=0.01, heartbeat=0.1, check=0.2)
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Message:
    """``name`` is empty for a sign of life."""

    name: str
    data: dict[str, Any]


class Listener:
    """``next`` is the next message; ``None`` once the stream has ended."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self) -> Message | None:
        name, data, seen = "", "", False
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await self.answer.content.readline()).decode():
                key, _, value = line.rstrip("\n").partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    data = value
                elif not line.strip() and seen:
                    return Message(name, json.loads(data) if data else {})
                seen = True
        return None

    async def named(self, name: str) -> Message:
        """The next message of that name, whatever comes before it."""
        while True:
            message = await self.next()
            assert message is not None, f"the stream ended before {name!r}"
            if message.name == name:
                return message

    async def end(self) -> str:
        """Read to the end; the last message's name."""
        last = ""
        while (message := await self.next()) is not None:
            last = message.name or last
        return last


@asynccontextmanager
async def listening(
    http: aiohttp.ClientSession, url: str, cookie: str = ""
) -> AsyncIterator[Listener]:
    """One page, open until the end of the block."""
    headers = {"Cookie": cookie} if cookie else {}
    async with http.get(url, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        yield Listener(answer)


@dataclass(slots=True)
class Live:
    """A console of a secured installation, whose live inbox has a pace for tests."""

    services: Secured
    sessions: Sessions
    hub: Hub
    base: str
    emitter: str
    tokens: dict[str, str]

    @property
    def url(self) -> str:
        return self.base + PATH

    def log_in(self, name: str) -> tuple[str, str]:
        """A session by the token of that name: its secret, and its cookie."""
        metadata = presenting(self.tokens[name])
        secret, _ = self.sessions.begin(name, Role.VIEWER, metadata)
        return secret, f"{SECURE_COOKIE}={secret}"

    async def emit(self, event_id: str) -> None:
        event = event_pb2.Event(event_id=event_id, type="backup.failed")
        request = pb.EmitRequest(event=event)
        await self.services.router.Emit(request, metadata=presenting(self.emitter))


@asynccontextmanager
async def serving(services: Secured, names: tuple[str, ...]) -> AsyncIterator[Live]:
    """With a viewer's token for each of ``names``."""
    channels, sessions = Channels(services.settings), Sessions(services.clock)
    hub = Hub(channels, services.clock)
    renderer = Renderer(Assets(), services.clock)
    zone = TimeZone(renderer, services.clock)
    entrance = Entrance(services.settings, channels, sessions, renderer, zone)
    inbox = LiveInbox(hub, services.clock, QUICK)
    app = web.Application(middlewares=[guard.nonce])
    app.on_response_prepare.append(guard.headers(guard.Hosts(services.settings)))
    app.add_routes([web.get(PATH, entrance.page(inbox.show, in_turn=False))])
    app.add_routes(
        [web.route(each.method, each.path, entrance.page(each.handler)) for each in ROUTES]
    )
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    tokens = {name: await services.make(name, "viewer") for name in names}
    emitter = await services.make("emitter", "emitter")
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield Live(services, sessions, hub, base, emitter, tokens)
    finally:
        await hub.close()
        await runner.cleanup()
        await channels.close()

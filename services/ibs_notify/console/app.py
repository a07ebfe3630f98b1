"""The composition root of the console."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack

from aiohttp import web

from ibs_notify.console.api import Channels
from ibs_notify.console.assets import PREFIX, Assets
from ibs_notify.console.http import guard
from ibs_notify.console.http.listener import listen
from ibs_notify.console.http.mishaps import mishaps
from ibs_notify.console.http.reports import Reports
from ibs_notify.console.live.hub import Hub
from ibs_notify.console.live.stream import PATH as LIVE
from ibs_notify.console.live.stream import LiveInbox
from ibs_notify.console.login.entrance import Entrance
from ibs_notify.console.login.login import Login
from ibs_notify.console.login.sessions import Sessions
from ibs_notify.console.pages import ROUTES
from ibs_notify.console.rendering import Renderer
from ibs_notify.console.time_zone import TimeZone
from ibs_notify.domain.clock import Clock, SystemClock
from ibs_notify.rpc.lifecycle import App
from ibs_notify.settings import Settings

log = logging.getLogger(__name__)

MOST_BODY = 4 * 1024 * 1024
"""A group has up to 10,000 resources: in its form as text, and once more as it was opened with."""
HEALTH = "/health"


class ConsoleApp(App):
    """The console while it is entered; ``port`` is where it listens."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock or SystemClock()

    async def _start(self, stack: AsyncExitStack) -> None:
        channels = Channels(self._settings)
        stack.push_async_callback(channels.close)
        assets = Assets()
        renderer = Renderer(assets, self._clock)
        sessions = Sessions(self._clock)
        hub = Hub(channels, self._clock)
        live = LiveInbox(hub, self._clock)
        hosts = guard.Hosts(self._settings)
        zone = TimeZone(renderer, self._clock)
        entrance = Entrance(self._settings, channels, sessions, renderer, zone)
        login = Login(self._settings, channels, sessions, renderer, hosts)
        app = web.Application(
            middlewares=[
                guard.nonce,
                mishaps(renderer),
                guard.host_check(hosts),
                guard.embedding_check,
            ],
            client_max_size=MOST_BODY,
        )
        app.on_response_prepare.append(guard.headers(hosts))
        app.add_routes(
            [
                web.get(HEALTH, _serving),
                web.get(f"{PREFIX}{{mark}}/{{name:.+}}", assets.serve),
                web.post(guard.REPORTS, Reports(self._clock).note),
                *login.routes(),
                web.get(LIVE, entrance.page(live.show, in_turn=False)),
                *(
                    web.route(each.method, each.path, entrance.page(each.handler))
                    for each in ROUTES
                ),
            ]
        )
        self.port = await listen(stack, app, self._settings)
        # Behind the listener, so that it ends first: what is open would keep the others waiting.
        stack.push_async_callback(hub.close)
        hosts.listening_on(self.port)
        log.info("the console is at %s", self._settings.console_url)


async def _serving(_: web.Request) -> web.Response:
    """That this process answers; how the services are is theirs to say."""
    return web.Response(text="SERVING\n")

"""The composition root of the console."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack

from aiohttp import web

from ibs_notify.console import guard
from ibs_notify.console.api import Channels
from ibs_notify.console.assets import PREFIX, Assets
from ibs_notify.console.entrance import Entrance
from ibs_notify.console.live.hub import Hub
from ibs_notify.console.live.stream import PATH as LIVE
from ibs_notify.console.live.stream import LiveInbox
from ibs_notify.console.pages import ROUTES
from ibs_notify.console.rendering import Renderer
from ibs_notify.console.sessions import Sessions
from ibs_notify.domain.clock import Clock, SystemClock
from ibs_notify.rpc.lifecycle import App
from ibs_notify.settings import Settings

log = logging.getLogger(__name__)

MOST_BODY = 2 * 1024 * 1024
"""Templates have at most 64 KiB each, and a group has eight."""
STOP_SECONDS = 2.0


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
        entrance = Entrance(self._settings, channels, Sessions(self._clock), renderer)
        hub = Hub(channels, self._clock)
        live = LiveInbox(hub, self._clock)
        host, _, port = self._settings.console_address.rpartition(":")
        hosts = guard.Hosts(self._settings)
        app = web.Application(
            middlewares=[guard.headers, guard.host_check(hosts)], client_max_size=MOST_BODY
        )
        app.add_routes(
            [
                web.get(f"{PREFIX}{{mark}}/{{name:.+}}", assets.serve),
                web.post(guard.REPORTS, _note_report),
                *entrance.routes(),
                web.get(LIVE, entrance.page(live.show)),
                *(
                    web.route(each.method, each.path, entrance.page(each.handler))
                    for each in ROUTES
                ),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_SECONDS)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        # First of all: what is open would keep the others waiting.
        stack.push_async_callback(hub.close)
        site = web.TCPSite(runner, host.strip("[]"), int(port))
        await site.start()
        self.port = int(runner.addresses[0][1])
        hosts.listening_on(self.port)
        log.info("the console listens on %s:%d", host, self.port)


async def _note_report(request: web.Request) -> web.Response:
    """A browser kept something from running that a page held: a fault of ours, or an attack."""
    report = await request.content.read(8192)
    log.warning("a browser reports a breach of the policy: %r", report)
    return web.Response(status=204)

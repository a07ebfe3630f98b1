"""The console with the three services behind it, all in this process: real servers, real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp

from ibs_notify.config.app import ConfigApp
from ibs_notify.console.api import Api, Channels, claiming
from ibs_notify.console.app import ConsoleApp
from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.domain.clock import Clock, SystemClock
from ibs_notify.router.app import RouterApp
from ibs_notify.settings import SERVICES, ServiceName, Settings
from ironcore.notification.v1.delivery_service_pb2 import AwaitConfigRequest
from ironcore.notification.v1.router_service_pb2 import RouterServiceAwaitConfigRequest
from tests.system.installation import free_port

USER = "alice"
APPS: Mapping[ServiceName, type[ConfigApp] | type[RouterApp] | type[DeliveryApp]] = {
    "config": ConfigApp,
    "router": RouterApp,
    "delivery": DeliveryApp,
}


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser was answered."""

    status: int
    text: str
    headers: Mapping[str, str]
    url: str

    def says(self, text: str) -> bool:
        """Whether the page shows ``text``, blanks folded."""
        return " ".join(text.split()) in self.words

    @property
    def words(self) -> str:
        """What is to be read on it."""
        reader = _Reader()
        reader.feed(self.text)
        return " ".join(" ".join(reader.texts).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


class Browser:
    """As a browser without scripts: it keeps cookies, follows redirects, says where from."""

    def __init__(self, http: aiohttp.ClientSession, base: str) -> None:
        self._http = http
        self.base = base

    async def get(self, path: str, **headers: str) -> Page:
        async with self._http.get(self.base + path, headers=headers) as answer:
            return Page(answer.status, await answer.text(), answer.headers, str(answer.url))

    async def post(
        self, path: str, fields: Mapping[str, str] | Sequence[tuple[str, str]] = (), **headers: str
    ) -> Page:
        """Send a form from a page of the console."""
        said = {"Sec-Fetch-Site": "same-origin", **headers}
        async with self._http.post(self.base + path, data=fields, headers=said) as answer:
            return Page(answer.status, await answer.text(), answer.headers, str(answer.url))


@dataclass(frozen=True, slots=True)
class Console:
    """``browser`` sees the console, ``api`` asks the services beside it."""

    browser: Browser
    api: Api
    settings: Settings
    services: Mapping[ServiceName, AsyncExitStack]

    async def stop(self, service: ServiceName) -> None:
        """From now on ``service`` does not answer."""
        await self.services[service].aclose()


@asynccontextmanager
async def console(home: Path, clock: Clock | None = None) -> AsyncIterator[Console]:
    """Everything on loopback, nothing secured, until the end of the block."""
    clock = clock or SystemClock()
    addresses: dict[str, Any] = {
        f"{service}_address": f"127.0.0.1:{free_port()}" for service in SERVICES
    }
    settings = Settings(home=home, user=USER, console_address="127.0.0.1:0", **addresses)
    async with AsyncExitStack() as stack:
        services: dict[ServiceName, AsyncExitStack] = {}
        for name, app in APPS.items():
            services[name] = await stack.enter_async_context(AsyncExitStack())
            await services[name].enter_async_context(app(settings, clock))
        served = await stack.enter_async_context(ConsoleApp(settings, clock))
        channels = Channels(settings)
        stack.push_async_callback(channels.close)
        api = Api(channels, claiming(USER))
        await api.router.AwaitConfig(RouterServiceAwaitConfigRequest(), wait_for_ready=True)
        await api.delivery.AwaitConfig(AwaitConfigRequest(), wait_for_ready=True)
        # Cookies of an address, not only of a name.
        jar = aiohttp.CookieJar(unsafe=True)
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
        browser = Browser(http, f"http://127.0.0.1:{served.port}")
        yield Console(browser, api, settings, services)

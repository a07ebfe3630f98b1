"""The console with the three services behind it, all in this process: real servers, real HTTP.

``console`` is as for trying things out; ``secured_console`` as in production.
"""

from __future__ import annotations

import re
import shutil
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp

from ibs_notify.config.app import ConfigApp
from ibs_notify.console.api import Api, Channels, claiming, presenting
from ibs_notify.console.app import ConsoleApp
from ibs_notify.delivery.app import DeliveryApp
from ibs_notify.domain.clock import Clock, SystemClock
from ibs_notify.router.app import RouterApp
from ibs_notify.settings import SERVICES, ServiceName, Settings
from ironcore.notification.v1.delivery_service_pb2 import AwaitConfigRequest
from ironcore.notification.v1.router_service_pb2 import RouterServiceAwaitConfigRequest
from tests.support.secured import Secured, secured
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

    @property
    def cookies(self) -> aiohttp.abc.AbstractCookieJar:
        """What it keeps, for every path."""
        return self._http.cookie_jar

    async def get(self, path: str, **headers: str) -> Page:
        return await self.ask("GET", path, headers=headers)

    async def post(
        self, path: str, fields: Mapping[str, str] | Sequence[tuple[str, str]] = (), **headers: str
    ) -> Page:
        """Send a form from a page of the console."""
        said = {"Sec-Fetch-Site": "same-origin", **headers}
        return await self.ask("POST", path, data=fields, headers=said)

    async def status(self, method: str, path: str, **more: Any) -> int:
        """Only that, so that a stream is no matter."""
        more = {"allow_redirects": False, **more}
        async with self._http.request(method, self.base + path, **more) as answer:
            return answer.status

    async def ask(self, method: str, path: str, **more: Any) -> Page:
        """As ``aiohttp.ClientSession.request`` takes it."""
        async with self._http.request(method, self.base + path, **more) as answer:
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
async def browsing(settings: Settings, clock: Clock) -> AsyncIterator[Browser]:
    """A browser at a console for the services of ``settings``."""
    # Cookies of an address, not only of a name.
    jar = aiohttp.CookieJar(unsafe=True)
    async with ConsoleApp(settings, clock) as served, aiohttp.ClientSession(cookie_jar=jar) as http:
        yield Browser(http, f"http://127.0.0.1:{served.port}")


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
        browser = await stack.enter_async_context(browsing(settings, clock))
        channels = Channels(settings)
        stack.push_async_callback(channels.close)
        api = Api(channels, claiming(USER))
        await api.router.AwaitConfig(RouterServiceAwaitConfigRequest(), wait_for_ready=True)
        await api.delivery.AwaitConfig(AwaitConfigRequest(), wait_for_ready=True)
        yield Console(browser, api, settings, services)


@dataclass(slots=True)
class SecuredConsole:
    """``as_("viewer")`` is a browser that logged in with a token of that role.

    The console sees ``ca.pem`` and its own certificate, and nothing else of the services.
    """

    services: Secured
    settings: Settings
    base: str
    _stack: AsyncExitStack
    tokens: dict[str, str] = field(default_factory=dict)
    _browsers: dict[str, Browser] = field(default_factory=dict)

    async def token(self, role: str) -> str:
        """The token ``a-ROLE``, made when first asked for."""
        if role not in self.tokens:
            self.tokens[role] = await self.services.make(f"a-{role}", role)
        return self.tokens[role]

    async def stranger(self) -> Browser:
        """A browser that nobody logged in with."""
        tls = ssl.create_default_context(cadata=self.services.certificates.ca.decode())
        http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), connector=aiohttp.TCPConnector(ssl=tls)
        )
        return Browser(await self._stack.enter_async_context(http), self.base)

    async def as_(self, role: str) -> Browser:
        """The same one each time."""
        if role not in self._browsers:
            browser = await self.stranger()
            page = await browser.post("/login", {"token": await self.token(role), "next": "/start"})
            assert page.url == f"{self.base}/start", page.words
            self._browsers[role] = browser
        return self._browsers[role]

    async def api(self, role: str) -> Api:
        """What the holder of the token of ``role`` may ask the services beside the console."""
        channels = Channels(self.settings)
        self._stack.push_async_callback(channels.close)
        return Api(channels, presenting(await self.token(role)))


@asynccontextmanager
async def secured_console(home: Path) -> AsyncIterator[SecuredConsole]:
    """Certificates, tokens and TLS, until the end of the block."""
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(secured(home))
        tls = services.certificates.directory
        alone = home / "console"
        alone.mkdir()
        for name in ("ca.pem", "console.pem", "console.key"):
            shutil.copy(tls / name, alone)
        settings = replace(
            services.settings,
            home=alone,
            tls_directory=str(alone),
            console_address="127.0.0.1:0",
            console_certificate=str(alone / "console.pem"),
            console_key=str(alone / "console.key"),
        )
        served = await stack.enter_async_context(ConsoleApp(settings, services.clock))
        yield SecuredConsole(services, settings, f"https://127.0.0.1:{served.port}", stack)


def address_of(path: str) -> str:
    """An address of a route, of something that is not there: ``/targets/none`` of
    ``/targets/{name}``, and the first of those that it lists.
    """
    listed = re.sub(r"\{\w+:(\w[\w-]*)[^}]*\}", r"\1", path)
    return re.sub(r"\{[^}]*\}", "none", listed)

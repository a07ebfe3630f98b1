"""How fast the console is at a million events, what its pages weigh, what open inboxes cost.

    python -m tests.browser.speed [--events 1000000]

First bytes are measured beside the call that a page cannot be faster than, in turn; the parts that
come after a page, whole. Exits with 1 where a bound is broken: 150 ms for the inbox, 300 ms
filtered, a second for most parts, 200 kB a page, one watch.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import logging
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from playwright.sync_api import Browser

from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade
from ironcore.notification.v1 import event_pb2
from ironcore.notification.v1 import router_service_pb2 as pb
from ironcore.notification.v1.event_pb2 import Event
from tests.bench.inbox_history import write_history
from tests.browser.chromium import running_chromium, settle
from tests.browser.console_process import Console, running_console
from tests.browser.night import Night, running_night
from tests.browser.pages import PAGES
from tests.browser.tap import Tap, running_tap
from tests.system.installation import CALL_SECONDS, Installation

INBOX_MS, FILTERED_MS = 150.0, 300.0
PART_MS = 1000.0
"""So long an answer does not interrupt a thought (Nielsen, "Response Times")."""
LOOK_MS = 2000.0
"""A chart that must open events looks for a second and a half, and says how far it came."""
MOST_BYTES = 200_000
LIVE = 200
PAGE_SIZE = 50
_ERROR = event_pb2.SEVERITY_ERROR
VIEWS: dict[str, pb.EventFilter] = {
    "/inbox": pb.EventFilter(),
    "/inbox?severity=error": pb.EventFilter(min_severity=_ERROR),
    "/inbox?type=verify.corrupt": pb.EventFilter(types=["verify.corrupt"]),
    "/inbox?source=backup": pb.EventFilter(sources=["backup"]),
    "/inbox?resource=ibs-07:": pb.EventFilter(resource="ibs-07:"),
    "/inbox?group=ops": pb.EventFilter(groups=["ops"]),
    "/inbox?text=vm%2F12": pb.EventFilter(text="vm/12"),
    "/inbox?severity=error&resource=ibs-07:": pb.EventFilter(
        min_severity=_ERROR, resource="ibs-07:"
    ),
}
PARTS = {
    "/inbox/counts": PART_MS,
    "/inbox/chart": PART_MS,
    "/inbox/chart?severity=error": PART_MS,
    "/inbox/chart?text=vm%2F12": LOOK_MS,
    "/overview/figures": PART_MS,
    "/overview/events?period=7d": PART_MS,
    "/overview/events?period=30d": PART_MS,
    "/overview/deliveries?period=30d": PART_MS,
    "/overview/coverage": PART_MS,
    "/overview/ledger": PART_MS,
    "/datastore-list": PART_MS,
    "/datastores/ibs-07/listeners": PART_MS,
    "/datastores/ibs-07/alerts": PART_MS,
    "/datastores/ibs-07/state": PART_MS,
    "/datastores/ibs-07/chart": PART_MS,
    "/datastores/ibs-07/nested": PART_MS,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table. ``bound`` in the unit of ``value``."""

    what: str
    value: float
    bound: float
    unit: str
    beside: str = ""

    @property
    def holds(self) -> bool:
        return self.value <= self.bound

    def __str__(self) -> str:
        verdict = "" if self.holds else "  OVER"
        return (
            f"{self.what:44} {self.value:9.1f} {self.unit:3}"
            f" (bound {self.bound:g}){verdict}  {self.beside}"
        )


class Visitor:
    """A browser's one connection, without a browser. Its session is that of its first answer."""

    def __init__(self, console: Console) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", console.port, timeout=60)
        self._headers = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"}
        self.first_byte_ms("/settings")

    def first_byte_ms(self, path: str) -> float:
        """From the request to the first byte of a page that answers well."""
        began = time.perf_counter()
        self._http.request("GET", path, headers=self._headers)
        answer = self._http.getresponse()
        answer.read(1)
        spent = (time.perf_counter() - began) * 1e3
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        if cookie := answer.getheader("Set-Cookie"):
            self._headers["Cookie"] = cookie.partition(";")[0]
        return spent

    def whole_ms(self, path: str) -> float:
        """From the request for a part of a page to its end."""
        began = time.perf_counter()
        self._http.request("GET", path, headers={**self._headers, "HX-Request": "true"})
        answer = self._http.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        return (time.perf_counter() - began) * 1e3

    def text(self, path: str) -> str:
        """A page."""
        self._http.request("GET", path, headers={**self._headers, "Accept-Encoding": "identity"})
        return self._http.getresponse().read().decode()

    def headers(self) -> str:
        """Those of a request of the same session."""
        return f"Host: 127.0.0.1:{self._http.port}\r\nCookie: {self._headers['Cookie']}\r\n"


def first_bytes(console: Console, rounds: int) -> list[Figure]:
    """p95 of each view, and of the call that it is made of."""
    visitor = Visitor(console)
    figures = []
    for path, chosen in VIEWS.items():
        request = pb.ListEventsRequest(filter=chosen, page_size=PAGE_SIZE)

        def call(request: pb.ListEventsRequest = request) -> None:
            console.installation.router.ListEvents(request, timeout=CALL_SECONDS)

        # The first one compiles templates and finds nothing in memory: told apart.
        first = visitor.first_byte_ms(path)
        pages, calls = [], []
        for _ in range(rounds):
            pages.append(visitor.first_byte_ms(path))
            calls.append(_ms(call))
        bound = INBOX_MS if path == "/inbox" else FILTERED_MS
        beside = f"p50 {_at(pages, 0.5):.1f}, first {first:.1f}; "
        beside += f"the call alone: p50 {_at(calls, 0.5):.1f}, p95 {_at(calls, 0.95):.1f} ms"
        figures.append(Figure(f"first byte, p95: {path}", _at(pages, 0.95), bound, "ms", beside))
    return figures


def parts(console: Console, rounds: int) -> list[Figure]:
    """p95 of what comes after a page, as who opens it has it: not from what others asked for."""
    visitor = Visitor(console)
    figures = []
    for path, bound in PARTS.items():
        first = visitor.whole_ms(path)
        times = [visitor.whole_ms(path) for _ in range(rounds)]
        beside = f"p50 {_at(times, 0.5):.1f}, first {first:.1f}"
        figures.append(Figure(f"part, p95: {path}", _at(times, 0.95), bound, "ms", beside))
    return figures


def _ms(call: Callable[[], None]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1e3


def _at(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def live_inboxes(installation: Installation) -> list[Figure]:
    """How many watches of the Router so many open inboxes cost, and whether each hears of an event.

    The console reaches the Router through a tap that counts.
    """
    port = int(installation.services["router"].address.rpartition(":")[2])
    with ExitStack() as stack:
        tap = stack.enter_context(running_tap(port, "/WatchEvents"))
        extra = {"IBS_NOTIFY_ROUTER_ADDRESS": f"127.0.0.1:{tap.port}"}
        console = stack.enter_context(running_console(installation, extra))
        visitor = Visitor(console)
        found = re.search(r'data-live="([^"]+)"', visitor.text("/inbox"))
        if found is None:
            raise RuntimeError("the inbox is not live")
        url, headers = unescape(found[1]), visitor.headers()
        watches, heard = asyncio.run(_listen(console, url, headers, tap))
    return [
        Figure(f"watches for {LIVE} open inboxes", watches, 1, ""),
        Figure("inboxes that did not hear of an event", LIVE - heard, 0, ""),
    ]


async def _listen(console: Console, url: str, headers: str, tap: Tap) -> tuple[int, int]:
    """How many watches are open when all inboxes are, and how many hear of an event then."""
    request = f"GET {url} HTTP/1.1\r\n{headers}Accept: text/event-stream\r\n"
    request += "Sec-Fetch-Site: same-origin\r\n\r\n"
    streams = [await asyncio.open_connection("127.0.0.1", console.port) for _ in range(LIVE)]
    try:
        for _, writer in streams:
            writer.write(request.encode())
        heads = [await reader.readuntil(b"\r\n\r\n") for reader, _ in streams]
        assert all(b" 200 " in head.partition(b"\r\n")[0] for head in heads), heads[0]
        event = Event(type="backup.failed", subject="All open inboxes hear of this")
        await asyncio.to_thread(
            console.installation.router.Emit, pb.EmitRequest(event=event), timeout=CALL_SECONDS
        )
        heard = await asyncio.gather(*(_hears(reader) for reader, _ in streams))
        return tap.open_calls, sum(heard)
    finally:
        for _, writer in streams:
            writer.close()


async def _hears(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(10):
            while line := await reader.readline():
                if line.startswith(b"data:"):
                    return True
    except TimeoutError:
        pass
    return False


def weights(browser: Browser, night: Night) -> list[Figure]:
    """What each page takes over the wire, all of it, for who was never there."""
    return [_weight(browser, page.name, page.url(night)) for page in PAGES]


def _weight(browser: Browser, name: str, url: str) -> Figure:
    context = browser.new_context()
    tab = context.new_page()
    sizes: list[float] = []
    network = context.new_cdp_session(tab)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
    tab.goto(url)
    settle(tab)
    context.close()
    beside = f"{len(sizes)} answers"
    return Figure(f"weight: {name}", sum(sizes) / 1000, MOST_BYTES / 1000, "kB", beside)


async def _write_events(url: str, count: int) -> None:
    database = await open_database(url)
    await upgrade(database, "router")
    await write_history(database, count)
    await database.close()


def main() -> int:
    """0 all bounds hold, 1 one does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", choices=("first-bytes", "live", "weights"), default="")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory) / "home"
        if given.only != "weights":
            home.mkdir()
            asyncio.run(_write_events(f"sqlite:///{home}/router.db", given.events))
            with Installation(home) as installation:
                installation.start_and_wait()
                if given.only != "live":
                    with running_console(installation) as console:
                        figures += first_bytes(console, given.rounds)
                        figures += parts(console, given.rounds)
                if given.only != "first-bytes":
                    figures += live_inboxes(installation)
        chromium = shutil.which("chromium")
        if given.only in ("", "weights") and chromium:
            with (
                running_night(Path(directory) / "night") as night,
                running_chromium(chromium) as browser,
            ):
                figures += weights(browser, night)
    for figure in figures:
        print(figure)
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())

"""What stands before every page: hosts, forgery, headers, and requests of any form."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from tests.support.certificates import Certificates
from tests.support.console import Browser, SecuredConsole, address_of

from ibs_notify.console import app
from ibs_notify.console.app import ConsoleApp
from ibs_notify.console.http import door, listener
from ibs_notify.console.login.sessions import AT_ONCE
from ibs_notify.console.pages import ROUTES
from ibs_notify.console.pages.route import Route
from ibs_notify.console.visit import Visit
from ibs_notify.launcher.authority import Issued
from ibs_notify.settings import Settings

AWAY = {f"{service}_address": "127.0.0.1:1" for service in ("config", "router", "delivery")}
CHANGES = [each for each in ROUTES if each.method == "POST"]


def here(home: Path, **more: str) -> Settings:
    """Nothing is secured, and no service answers: the console alone."""
    given = {"console_address": "127.0.0.1:0", "user": "alice", **AWAY, **more}
    return Settings(home=home, **given)  # type: ignore[arg-type]  # every other field is text


@pytest_asyncio.fixture(name="alone")
async def _alone(tmp_path: Path) -> AsyncIterator[Browser]:
    settings = here(tmp_path, console_origin="https://notify.example.com")
    async with ConsoleApp(settings) as served, aiohttp.ClientSession() as http:
        yield Browser(http, f"http://127.0.0.1:{served.port}")


def port_of(browser: Browser) -> str:
    return browser.base.rpartition(":")[2]


async def said(browser: Browser, request: bytes) -> bytes:
    """All that the console answers to these bytes, until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port_of(browser)))
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.:{port}",
        "notify.example.com:{port}",
        "notify.example.com.evil.example",
        "0.0.0.0:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "",
        "127.0.0.1:{port}, evil.example",
    ],
)
async def test_under_a_name_of_others_nothing_is_answered(alone: Browser, host: str) -> None:
    page = await alone.get("/health", Host=host.format(port=port_of(alone)))
    assert page.status == 421
    assert host == "" or host not in page.text


async def test_a_request_without_a_host_is_not_answered(alone: Browser) -> None:
    answer = await said(alone, b"GET /health HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 421")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "LOCALHOST:{port}", "[::1]:{port}", "notify.example.com"]
)
async def test_under_its_own_names_it_answers(alone: Browser, host: str) -> None:
    page = await alone.get("/health", Host=host.format(port=port_of(alone)))
    assert (page.status, page.text) == (200, "SERVING\n")


async def test_what_a_proxy_says_of_a_request_is_not_believed(alone: Browser) -> None:
    lies = {"X-Forwarded-Host": "notify.example.com", "Forwarded": "host=notify.example.com"}
    page = await alone.get("/health", Host="evil.example", **lies)
    assert page.status == 421


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/health", "GET", 200),
        ("/", "TRACE", 405),
        ("/settings", "OPTIONS", 405),
        ("/settings", "DELETE", 405),
        ("/nowhere", "GET", 404),
        ("/static/x/y.js", "GET", 404),
        ("/static/../app.py", "GET", 404),
        ("/settings", "GET", 503),
        ("/settings", "POST", 403),
        ("/login", "GET", 303),
        ("/login", "POST", 403),
        ("/theme", "POST", 403),
    ],
)
async def test_every_answer_has_the_headers_and_no_word_of_how_it_came_about(
    alone: Browser, path: str, method: str, status: int
) -> None:
    page = await alone.ask(method, path, allow_redirects=False)
    if (path, method) == ("/", "TRACE") and page.status == 404:
        status = 404  # nobody has put a page there yet
    assert page.status == status
    assert_guarded(page.headers)
    assert "Traceback" not in page.text
    assert "aiohttp" not in page.text
    assert page.headers["Server"] == "ibs-notify"


def assert_guarded(headers: Mapping[str, str]) -> None:
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers


async def test_a_nonce_is_used_once(alone: Browser) -> None:
    policies = {(await alone.get("/nowhere")).headers["Content-Security-Policy"] for _ in range(9)}
    assert len(policies) == 9


async def test_files_are_kept_for_good_under_a_name_of_their_content(alone: Browser) -> None:
    page = await alone.get("/nowhere")
    style = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    file = await alone.get(style)
    assert file.status == 200
    assert file.headers["Cache-Control"] == "public, max-age=31536000, immutable"


async def test_browsers_are_kept_to_tls_where_they_came_by_it(
    alone: Browser, tmp_path: Path
) -> None:
    plain = await alone.get("/health")
    assert "Strict-Transport-Security" not in plain.headers
    proxied = await alone.get("/health", Host="notify.example.com")
    assert proxied.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_a_change_needs_a_page_of_ours_or_what_only_such_a_page_has(
    alone: Browser, tmp_path: Path
) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        browser = Browser(http, alone.base)
        page = await browser.get("/settings")
        token = page.text.partition('"X-CSRF-Token": "')[2].partition('"')[0]
        other = (await alone.get("/settings")).text
        foreign = other.partition('"X-CSRF-Token": "')[2].partition('"')[0]
        assert len(token) == len(foreign) == 96
        allowed, refused = 503, 403  # no service answers, but it was asked
        for headers, fields, status in [
            ({"Sec-Fetch-Site": "same-origin"}, {}, allowed),
            ({}, {"csrf_token": token}, allowed),
            ({"X-CSRF-Token": token}, {}, allowed),
            ({}, {}, refused),
            ({}, {"csrf_token": foreign}, refused),
            ({}, {"csrf_token": token[:-2] + "00"}, refused),
            ({}, {"csrf_token": "00" * 16}, refused),
            ({}, {"csrf_token": "x"}, refused),
            ({"X-CSRF-Token": ""}, {"csrf_token": token}, refused),
            ({"Sec-Fetch-Site": "cross-site"}, {"csrf_token": token}, refused),
            ({"Sec-Fetch-Site": "same-site"}, {"csrf_token": token}, refused),
            ({"Sec-Fetch-Site": "none"}, {"csrf_token": token}, refused),
            ({"Sec-Fetch-Site": ""}, {"csrf_token": token}, refused),
        ]:
            answer = await browser.ask("POST", "/settings", data=fields, headers=headers)
            assert answer.status == status, (headers, fields)


@pytest.mark.parametrize("route", CHANGES, ids=lambda each: each.path)
async def test_no_other_site_changes_anything(alone: Browser, route: Route) -> None:
    path = address_of(route.path)
    for headers in ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, {}):
        assert await alone.status("POST", path, headers=headers) == 403


@pytest.mark.parametrize(
    ("mode", "destination", "status"),
    [
        ("navigate", "document", 503),
        ("navigate", "iframe", 403),
        ("navigate", "embed", 403),
        ("no-cors", "image", 403),
        ("no-cors", "script", 403),
        ("cors", "empty", 403),
    ],
)
async def test_another_site_may_lead_here_and_not_look_in(
    alone: Browser, mode: str, destination: str, status: int
) -> None:
    headers = {"Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": destination}
    for site in ("cross-site", "same-site"):
        asked = {"Sec-Fetch-Site": site, **headers}
        assert await alone.status("GET", "/settings", headers=asked) == status


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /login HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /settings HTTP/1.1\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : {host}\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: {host}\r\nX: a\x00b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: {host}\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: {host}\r\n" + b"X: y\r\n" * 1_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"SSH-2.0-x\r\n\r\n",
    ],
)
async def test_what_is_no_clear_request_is_refused_and_hung_up_on(
    alone: Browser, request_: bytes
) -> None:
    host = alone.base.removeprefix("http://").encode()
    answer = await said(alone, request_.replace(b"{host}", host))
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert answer.count(b"HTTP/1.") == 1
    assert b"Traceback" not in answer


async def test_who_says_nothing_or_says_it_by_drops_is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.2)
    async with ConsoleApp(here(tmp_path)) as served:
        for start in (b"", b"GET /health HTTP/1.1\r\nHost: 127"):
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(start)
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()


async def test_who_sends_a_form_by_drops_is_told_and_hung_up_on(
    alone: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ibs_notify.console.forms.ARRIVAL_SECONDS", 0.1)
    host = alone.base.removeprefix("http://").encode()
    answer = await said(
        alone,
        b"POST /theme HTTP/1.1\r\nHost: " + host + b"\r\nSec-Fetch-Site: same-origin\r\n"
        b"Connection: close\r\nContent-Length: 100\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\ntheme",
    )
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("path", ["/theme", "/settings"])
@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded; charset=punycode",
        "application/x-www-form-urlencoded; charset=unicode_escape",
        "application/x-www-form-urlencoded; charset=utf-16",
        "multipart/form-data; boundary=x",
        "multipart/mixed; boundary=x",
    ],
)
async def test_what_no_page_of_ours_sends_is_not_even_read(
    alone: Browser, kind: str, path: str
) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": kind}
    # As punycode this takes a minute, in which nobody is answered.
    size = 10_000 if path == "/theme" else 1_000_000
    costly = b"a" * (size // 2) + b"-" + b"a" * (size // 2)
    began = time.process_time()
    page = await alone.ask("POST", path, data=costly, headers=headers)
    assert page.status == 415
    assert time.process_time() - began < 1


async def is_answered(port: int, tls: ssl.SSLContext | None, source: str = "127.0.0.1") -> bool:
    """Whether somebody at ``source`` is answered, and not hung up on."""
    try:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, local_addr=(source, 0)
        )
        writer.write(f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), 10)
        writer.transport.abort()
    except ConnectionError:
        return False
    return line.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("by_tls", [False, True])
async def test_silent_connections_are_counted_before_tls_and_one_place_does_not_fill_the_house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_tls: bool
) -> None:
    monkeypatch.setattr(door, "MOST_CONNECTIONS", 5)
    monkeypatch.setattr(door, "MOST_OF_ONE_PLACE", 3)
    certificates = Certificates.made_in(tmp_path / "tls")
    files = {each: str(tmp_path / "tls" / f"console.{each}") for each in ("pem", "key")}
    given = {"console_certificate": files["pem"], "console_key": files["key"]} if by_tls else {}
    tls = ssl.create_default_context(cadata=certificates.ca.decode()) if by_tls else None
    async with ConsoleApp(here(tmp_path, **given)) as served:

        async def hold(source: str) -> asyncio.StreamWriter:
            return (
                await asyncio.open_connection("127.0.0.1", served.port, local_addr=(source, 0))
            )[1]

        held = [await hold("127.0.0.1") for _ in range(3)]
        assert not await is_answered(served.port, tls)
        assert await is_answered(served.port, tls, "127.0.0.2")
        held += [await hold("127.0.0.2") for _ in range(2)]
        assert not await is_answered(served.port, tls, "127.0.0.2")
        assert not await is_answered(served.port, tls, "127.0.0.3")
        for each in held:
            each.transport.abort()
        while not await is_answered(served.port, tls):
            pass  # it hears of each end in its turn


async def test_who_begins_no_handshake_is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 0.2)
    Certificates.made_in(tmp_path / "tls")
    files = {each: str(tmp_path / "tls" / f"console.{each}") for each in ("pem", "key")}
    settings = here(tmp_path, console_certificate=files["pem"], console_key=files["key"])
    async with ConsoleApp(settings) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_a_fault_of_ours_is_a_page_with_a_number_that_the_log_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Visit) -> web.StreamResponse:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(app, "ROUTES", (Route("GET", "/broken", broken),))
    async with ConsoleApp(here(tmp_path)) as served, aiohttp.ClientSession() as http:
        page = await Browser(http, f"http://127.0.0.1:{served.port}").get("/broken")
    assert page.status == 500
    assert_guarded(page.headers)
    assert "the secret of the house" not in page.text
    number = page.text.partition("<code>")[2].partition("</code>")[0]
    assert f"{number}: GET /broken failed" in caplog.text
    assert "the secret of the house" in caplog.text


async def test_one_browser_is_given_so_many_pages_at_once_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    full, goes_on = asyncio.Event(), asyncio.Event()

    async def costly(visit: Visit) -> web.StreamResponse:
        begun.append(visit.request.query["of"])
        if begun.count("greedy") == AT_ONCE:
            full.set()
        if visit.request.query["of"] == "greedy":
            await goes_on.wait()
        return web.Response()

    monkeypatch.setattr(app, "ROUTES", (Route("GET", "/costly", costly),))
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        ConsoleApp(here(tmp_path)) as served,
        aiohttp.ClientSession(cookie_jar=jar) as http,
        aiohttp.ClientSession() as other,
    ):
        base = f"http://127.0.0.1:{served.port}"
        greedy = Browser(http, base)
        await greedy.get("/costly?of=first")
        asked = [asyncio.create_task(greedy.get("/costly?of=greedy")) for _ in range(20)]
        await full.wait()
        assert (await Browser(other, base).get("/costly?of=other")).status == 200
        assert begun.count("greedy") == AT_ONCE
        goes_on.set()
        assert {each.status for each in await asyncio.gather(*asked)} == {200}


async def test_a_stream_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(visit: Visit) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(visit.request)
        await response.write(b"first\n")
        await asyncio.Event().wait()
        return response

    monkeypatch.setattr(app, "ROUTES", (Route("GET", "/endless", endless),))
    async with aiohttp.ClientSession() as http:
        async with ConsoleApp(here(tmp_path)) as served:
            answer = await http.get(f"http://127.0.0.1:{served.port}/endless")
            assert await answer.content.readline() == b"first\n"
            assert_guarded(answer.headers)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < listener.STOP_SECONDS + 1
        answer.close()


async def test_a_flood_of_reports_is_a_line_in_the_log(
    alone: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(50):
        report = {"csp-report": {"blocked-uri": "x\nERROR forged"}}
        assert await alone.status("POST", "/csp-report", json=report) == 204
    assert caplog.text.count("reports a breach") == 1
    assert "\nERROR forged" not in caplog.text


async def test_a_renewed_certificate_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    certificates = Certificates.made_in(tmp_path / "tls")
    files = {each: str(tmp_path / "tls" / f"console.{each}") for each in ("pem", "key")}
    settings = here(tmp_path, console_certificate=files["pem"], console_key=files["key"])
    tls = listener.Tls(settings)

    async def served() -> bytes:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=tls.context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            context = ssl.create_default_context(cadata=certificates.ca.decode())
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
            return shown

    router = certificates.of("router")
    first = await served()
    certificates.put("console", certificates.issue("console", datetime.now(UTC)))
    tls.look()
    second = await served()
    assert second != first
    certificates.put("console", replace(certificates.of("console"), key=router.key))
    tls.look()
    assert await served() == second
    certificates.put("console", Issued(b"nothing", b"nothing"))
    tls.look()
    assert await served() == second


@pytest.mark.asyncio(loop_scope="module")
async def test_in_production_all_of_it_goes_by_tls(secured: SecuredConsole) -> None:
    browser = await secured.as_("viewer")
    page = await browser.get("/settings")
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert_guarded(page.headers)
    assert page.headers["Vary"] == "Cookie, HX-Request"

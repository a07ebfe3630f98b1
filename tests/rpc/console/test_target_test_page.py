"""Testing a target in a browser: each stage as it happens with scripts, a page of all without."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.support.console import Console
from tests.support.http_server import HttpServer
from tests.support.smtp_server import SmtpServer

from ibs_notify.console.pages import target_test
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import target_pb2
from ironcore.notification.v1.target_pb2 import Target

PATIENCE = 10.0


@asynccontextmanager
async def stream(console: Console, path: str, fields: dict[str, str]) -> AsyncIterator[Any]:
    """What the script of the page reads."""
    headers = {"Accept": target_test.LINES, "Sec-Fetch-Site": "same-origin"}
    async with (
        asyncio.timeout(PATIENCE),
        aiohttp.ClientSession() as http,
        http.post(console.browser.base + path, data=fields, headers=headers) as answer,
    ):
        assert answer.headers["Content-Type"] == target_test.LINES
        assert "nonce-" in answer.headers["Content-Security-Policy"]
        yield answer


async def lines(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.content:
        if line.strip():
            yield json.loads(line)


async def test_a_slow_stage_is_seen_to_begin_before_it_ends(console: Console) -> None:
    goes_on = asyncio.Event()

    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        await goes_on.wait()
        return web.Response(text="at last")

    async with HttpServer(answer=answer) as hook:
        heard = []
        async with stream(console, "/targets/new/webhook/test", {"url": hook.url()}) as response:
            async for line in lines(response):
                heard.append(line)
                if line.get("began") == "send":
                    assert not goes_on.is_set()
                    goes_on.set()
    assert [line["ended"]["name"] for line in heard if "ended" in line] == [
        "resolve",
        "connect",
        "send",
    ]
    assert heard[-1]["result"]["ok"]


async def test_a_draft_that_cannot_be_tried_says_why_at_its_fields(console: Console) -> None:
    async with stream(console, "/targets/new/webhook/test", {"url": "ftp:/x"}) as response:
        (refused,) = [line async for line in lines(response)]
    assert "http" in refused["refused"]["fields"]["url"]
    async with stream(console, "/targets/new/smtp/test", {"port": "5x"}) as response:
        (refused,) = [line async for line in lines(response)]
    assert list(refused["refused"]["fields"]) == ["port"]


async def test_without_scripts_a_page_has_all_stages(console: Console) -> None:
    hostile = "<script>alert(1)</script>"
    async with SmtpServer({"AUTH": f"535 {hostile}"}, extensions=["AUTH PLAIN"]) as server:
        page = await console.browser.post(
            "/targets/new/smtp/test",
            {
                "server": "127.0.0.1",
                "port": str(server.port),
                "tls_mode": "none",
                "auth_method": "plain",
                "username": "ibs",
                "password": "canary",
                "from_address": "ibs@example.org",
                "test_recipient": "me@example.org",
            },
        )
    assert page.says("auth")
    assert page.says(hostile)
    assert hostile not in page.text
    assert "canary" not in page.text
    assert server.mails == []


async def test_a_mail_goes_to_whom_the_form_names(console: Console) -> None:
    async with SmtpServer() as server:
        target = Target(
            name="mail",
            smtp=target_pb2.SmtpTarget(
                server="127.0.0.1",
                port=server.port,
                tls_mode=target_pb2.SMTP_TLS_MODE_NONE,
                from_address="ibs@example.org",
            ),
        )
        request = pb.CreateTargetRequest(target=target)
        await console.api.call(console.api.config.CreateTarget, request)
        page = await console.browser.post(
            "/targets/mail/test", {"test_recipient": "me@example.org"}
        )
        assert page.says("accepted the test message")
        assert [each.recipients for each in server.mails] == [["me@example.org"]]
        page = await console.browser.post("/targets/mail/test")
        assert page.status == 422
        assert page.says("nobody is configured to receive a test")


async def test_an_edited_draft_uses_what_is_stored(console: Console) -> None:
    async with HttpServer() as hook:
        await console.browser.post(
            "/targets/new/webhook",
            {
                "name": "chat",
                "url": hook.url(),
                "header_name": "Authorization",
                "header_value": "Bearer x",
            },
        )
        page = await console.browser.post(
            "/targets/chat/edit/test",
            {"url": hook.url("/other"), "header_name": "Authorization", "header_value": ""},
        )
        assert page.says("accepted the test message")
        assert hook.requests[-1].path == "/other"
        assert hook.requests[-1].headers["Authorization"] == "Bearer x"


async def test_who_leaves_ends_the_attempt(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_test, "BREATH_SECONDS", 0.02)
    asked, gone = asyncio.Event(), asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError):  # the probe says nothing
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            await reader.read()
            gone.set()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    async with server, asyncio.timeout(PATIENCE):
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/hook"
        async with stream(console, "/targets/new/webhook/test", {"url": url}) as response:
            async for line in lines(response):
                if line.get("began") == "send":
                    await asked.wait()
                    break
            response.close()
        await gone.wait()

"""A test of a target as it goes: through Config and Delivery, to real peers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import grpc
import pytest
from aiohttp import web
from tests.support.audit import Auditor
from tests.support.config import ALICE, RunningConfig, running_config, webhook_target
from tests.support.config_and_delivery import Pair, running_pair
from tests.support.http_server import HttpServer
from tests.support.smtp_server import SmtpServer

from ibs_notify.domain.errors import InvalidArgument, NotFound, Reason
from ibs_notify.rpc.status import from_rpc_error
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import target_pb2
from ironcore.notification.v1.target_pb2 import Target

PATIENCE = 10.0
SECRET = "canary-7f3a"


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with running_pair(tmp_path) as running:
        yield running


def webhook(url: str) -> Target:
    return Target(name="chat", webhook=target_pb2.WebhookTarget(url=url))


def mail(port: int, username: str = "", password: str = "") -> Target:
    return Target(
        name="mail",
        smtp=target_pb2.SmtpTarget(
            server="127.0.0.1",
            port=port,
            tls_mode=target_pb2.SMTP_TLS_MODE_NONE,
            from_address="ibs@example.org",
            username=username,
            password=password,
        ),
    )


async def heard(
    pair: Pair, request: pb.ConfigServiceStreamTargetTestRequest
) -> list[target_pb2.TestProgress]:
    call = pair.config.StreamTargetTest(request, metadata=ALICE, timeout=PATIENCE)
    return [each.progress async for each in call]


def told(news: list[target_pb2.TestProgress]) -> list[str]:
    """The stages as they came: ``send…`` where it begins, ``send`` where it ends."""
    return [
        f"{each.began}…" if each.HasField("began") else each.ended.name
        for each in news
        if not each.HasField("result")
    ]


async def test_every_stage_is_told_when_it_begins_and_when_it_ends(pair: Pair) -> None:
    async with HttpServer() as hook:
        draft = webhook(hook.url())
        news = await heard(pair, pb.ConfigServiceStreamTargetTestRequest(draft=draft))
        once = await pair.config.TestTarget(
            pb.ConfigServiceTestTargetRequest(draft=draft), metadata=ALICE
        )
    assert told(news) == ["resolve…", "resolve", "connect…", "connect", "send…", "send"]
    assert news[-1].result.ok
    assert news[-1].result.summary == once.summary
    ended = [each.ended for each in news if each.HasField("ended")]
    assert [(each.name, each.ok, each.detail) for each in ended] == [
        (each.name, each.ok, each.detail) for each in once.stages
    ]


async def test_a_slow_stage_is_seen_to_begin_before_it_ends(pair: Pair) -> None:
    asked, goes_on = asyncio.Event(), asyncio.Event()

    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        asked.set()
        await goes_on.wait()
        return web.Response(text="at last")

    async with HttpServer(answer=answer) as hook, asyncio.timeout(PATIENCE):
        request = pb.ConfigServiceStreamTargetTestRequest(draft=webhook(hook.url()))
        seen: list[target_pb2.TestProgress] = []
        async for each in pair.config.StreamTargetTest(request, metadata=ALICE):
            seen.append(each.progress)
            if each.progress.began == "send":
                await asked.wait()
                assert not goes_on.is_set()
                goes_on.set()
    assert told(seen)[-2:] == ["send…", "send"]
    assert seen[-1].result.ok


async def test_a_mail_test_ends_at_the_stage_that_fails_and_says_no_secret(pair: Pair) -> None:
    script = {"AUTH": f"535 {SECRET} is not the password"}
    async with SmtpServer(script, extensions=["AUTH PLAIN"]) as server:
        draft = mail(server.port, username="ibs", password=SECRET)
        news = await heard(
            pair,
            pb.ConfigServiceStreamTargetTestRequest(draft=draft, recipients=["me@example.org"]),
        )
    assert told(news)[-2:] == ["auth…", "auth"]
    assert not news[-2].ended.ok
    assert "--password" in news[-2].ended.detail
    assert not news[-1].result.ok
    assert SECRET not in str(news)


async def test_who_goes_away_ends_the_attempt(pair: Pair) -> None:
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
        draft = webhook(f"http://127.0.0.1:{port}/hook")
        call = pair.config.StreamTargetTest(
            pb.ConfigServiceStreamTargetTestRequest(draft=draft), metadata=ALICE
        )
        async for each in call:
            if each.progress.began == "send":
                await asked.wait()
                call.cancel()
                break
        await gone.wait()


async def test_what_cannot_begin_is_refused_before_anything_is_told(pair: Pair) -> None:
    async def refused(request: pb.ConfigServiceStreamTargetTestRequest) -> object:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await heard(pair, request)
        return from_rpc_error(caught.value)

    lonely = await refused(pb.ConfigServiceStreamTargetTestRequest(draft=mail(25)))
    assert getattr(lonely, "reason", None) is Reason.RECIPIENT_REQUIRED
    nobody = await refused(pb.ConfigServiceStreamTargetTestRequest(name="none"))
    assert isinstance(nobody, NotFound)
    unkind = await refused(pb.ConfigServiceStreamTargetTestRequest(draft=Target(name="x")))
    assert isinstance(unkind, InvalidArgument)


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[RunningConfig]:
    async with running_config(tmp_path) as running:
        yield running


async def test_it_is_written_down_as_any_test(config: RunningConfig) -> None:
    request = pb.ConfigServiceStreamTargetTestRequest(draft=webhook_target("chat"))
    async for _ in config.stub.StreamTargetTest(request, metadata=ALICE):
        pass
    assert await Auditor.at(config.channel).told() == [("alice", "target.test", "target/chat")]

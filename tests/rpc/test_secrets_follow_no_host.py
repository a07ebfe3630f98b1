"""A stored secret never follows its target to another place: not in an update, a test, a redirect.

Each kind of secret × each field that says where it goes × each way is tried against real listeners,
which look for the secret on the wire, encoded or not. The tries that change nothing of the place
are the proof that they would see it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from aiohttp import web
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.config import ALICE
from tests.support.config_and_delivery import Pair, running_pair
from tests.support.http_server import HttpServer
from tests.support.smtp_server import SmtpServer
from tests.support.transports import LoopbackCa

from ibs_notify.domain.errors import Reason
from ibs_notify.rpc.status import from_rpc_error
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import target_pb2
from ironcore.notification.v1.target_pb2 import Target

CANARY = "canary-5b1d9e-hunter2"
SIGNING = "whsec_" + base64.b64encode(b"canary-5b1d9e-signing-secret!!").decode()
SIGNATURE = "webhook-signature"
BASE64 = re.compile(r"[A-Za-z0-9+/_=-]{8,}")


@dataclass(slots=True)
class Places:
    """Where targets point at first, and where somebody would like them to point."""

    old_http: HttpServer
    new_http: HttpServer
    new_https: HttpServer
    old_mail: SmtpServer
    new_mail: SmtpServer
    ca: LoopbackCa

    def seen(self) -> str:
        """All that came to any of them since the last look.

        But for what tidies up where the target was: a group is removed from the gateway that it was
        pushed to, with the secret that it was given for that.
        """
        text: list[str] = []
        old = f"127.0.0.1:{self.old_http.port}"
        for web_server in (self.old_http, self.new_http, self.new_https):
            for request in web_server.requests:
                if (request.method, request.headers["Host"]) == ("DELETE", old):
                    continue
                text.append(f"{request.method} {request.path}")
                text += (f"{name}: {value}" for name, value in request.headers.items())
                text.append(request.body.decode(errors="replace"))
            web_server.requests.clear()
        for mail_server in (self.old_mail, self.new_mail):
            text += (line for session in mail_server.sessions for line in session.commands)
            mail_server.sessions.clear()
        return "\n".join(text)


def decoded(text: str) -> Iterator[str]:
    """The text, and what in it may be base64."""
    yield text
    for word in BASE64.findall(text):
        try:
            yield base64.b64decode(word + "=" * (-len(word) % 4)).decode(errors="replace")
        except binascii.Error:
            continue


def shows(text: str, secret: str) -> bool:
    return any(secret in each for each in decoded(text))


Change = Callable[[Target, Places], None]


def url(kind: str, make: Callable[[Places], str]) -> Change:
    def change(target: Target, places: Places) -> None:
        getattr(target, kind).url = make(places)
        if make(places).startswith("https"):
            getattr(target, kind).ca_pem = places.ca.pem

    return change


def put(kind: str, **values: object) -> Change:
    def change(target: Target, places: Places) -> None:
        for name, value in values.items():
            setattr(getattr(target, kind), name, value)

    return change


@dataclass(frozen=True, slots=True)
class Kind:
    """A target with secrets: how it is made, and the changes that move it or leave it.

    ``sign`` is what a stored secret shows on the wire.
    """

    make: Callable[[Places], Target]
    moves: dict[str, Change]
    stays: dict[str, Change]
    sign: str = CANARY


def http_moves(kind: str, path: str = "/hook") -> dict[str, Change]:
    """Every way in which a URL leads elsewhere."""
    return {
        "port": url(kind, lambda p: p.new_http.url(path)),
        "scheme": url(kind, lambda p: p.new_https.url(path, "https")),
        "host": url(kind, lambda p: f"http://localhost:{p.old_http.port}{path}"),
        "host and port": url(kind, lambda p: f"http://localhost:{p.new_http.port}{path}"),
        "another spelling": url(kind, lambda p: f"HTTP://127.0.0.1:{p.new_http.port}{path}?a=1"),
    }


def http_stays(kind: str) -> dict[str, Change]:
    return {
        "path": url(kind, lambda p: p.old_http.url("/other")),
        "description": lambda target, places: setattr(target, "description", "x"),
    }


def mail(places: Places) -> Target:
    smtp = target_pb2.SmtpTarget(
        server="127.0.0.1",
        port=places.old_mail.port,
        from_address="ibs@example.com",
        username="ibs",
        password=CANARY,
        recipients=["ops@example.com"],
        ca_pem=places.ca.pem,
    )
    return Target(smtp=smtp)


def hook(places: Places, **fields: object) -> Target:
    return Target(webhook=target_pb2.WebhookTarget(url=places.old_http.url(), **fields))  # type: ignore[arg-type]


def twilio_at_ours(places: Places) -> Target:
    return Target(
        webhook=target_pb2.WebhookTarget(
            preset=target_pb2.WEBHOOK_PRESET_TWILIO_SMS,
            url=f"http://127.0.0.1:{places.old_http.port}",
            token=CANARY,
            account="AC" + "0" * 32,
            sender="+15005550006",
            recipient="+491701234567",
        )
    )


KINDS: dict[str, Kind] = {
    "smtp password": Kind(
        mail,
        {
            "server": put("smtp", server="localhost"),
            "port": lambda t, p: setattr(t.smtp, "port", p.new_mail.port),
            "server and port": lambda t, p: t.smtp.MergeFrom(
                target_pb2.SmtpTarget(server="localhost", port=p.new_mail.port)
            ),
            "tls mode": put("smtp", tls_mode=target_pb2.SMTP_TLS_MODE_NONE),
            "tls mode implicit": put("smtp", tls_mode=target_pb2.SMTP_TLS_MODE_IMPLICIT),
            "username": put("smtp", username="mallory"),
        },
        {
            "description": lambda t, p: setattr(t, "description", "x"),
            "sender": put("smtp", from_address="other@example.com"),
        },
    ),
    "webhook header": Kind(
        lambda p: hook(p, headers=[target_pb2.Header(name="X-Api-Key", value=CANARY)]),
        http_moves("webhook"),
        {**http_stays("webhook"), "method": put("webhook", method="PUT")},
    ),
    "signing secret": Kind(
        lambda p: hook(p, signing_secret=SIGNING),
        http_moves("webhook"),
        http_stays("webhook"),
        sign=SIGNATURE,
    ),
    "ntfy token": Kind(
        lambda p: hook(p, preset=target_pb2.WEBHOOK_PRESET_NTFY, token=CANARY),
        http_moves("webhook"),
        http_stays("webhook"),
    ),
    "gotify token": Kind(
        lambda p: hook(p, preset=target_pb2.WEBHOOK_PRESET_GOTIFY, token=CANARY),
        {
            **http_moves("webhook"),
            "preset": put("webhook", preset=target_pb2.WEBHOOK_PRESET_NTFY),
        },
        {},
    ),
    "pagerduty key": Kind(
        lambda p: hook(p, preset=target_pb2.WEBHOOK_PRESET_PAGERDUTY, token=CANARY),
        {**http_moves("webhook"), "preset": put("webhook", preset=target_pb2.WEBHOOK_PRESET_NTFY)},
        {},
    ),
    "twilio token": Kind(
        twilio_at_ours,
        {**http_moves("webhook", ""), "account": put("webhook", account="AC" + "1" * 32)},
        {"recipient": put("webhook", recipient="+491701234568")},
    ),
    "influxdb token": Kind(
        lambda p: Target(
            influxdb=target_pb2.InfluxDbTarget(
                url=p.old_http.url(""), org="o", bucket="b", token=CANARY
            )
        ),
        http_moves("influxdb", ""),
        {"bucket": put("influxdb", bucket="c")},
    ),
    "pushgateway password": Kind(
        lambda p: Target(
            pushgateway=target_pb2.PushgatewayTarget(
                url=p.old_http.url(""), username="ibs", password=CANARY
            )
        ),
        {**http_moves("pushgateway", ""), "username": put("pushgateway", username="mallory")},
        {"job": put("pushgateway", job="other")},
    ),
    "pushgateway bearer token": Kind(
        lambda p: Target(
            pushgateway=target_pb2.PushgatewayTarget(url=p.old_http.url(""), bearer_token=CANARY)
        ),
        {**http_moves("pushgateway", ""), "username": put("pushgateway", username="mallory")},
        {"job": put("pushgateway", job="other")},
    ),
}
MOVES = [(kind, move) for kind, each in KINDS.items() for move in each.moves]
STAYS = [(kind, stay) for kind, each in KINDS.items() for stay in each.stays]
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(slots=True)
class Bench:
    """What a try needs, and how many were made."""

    pair: Pair
    places: Places
    tries: int = 0
    refusals: list[Reason] = field(default_factory=list)

    async def saved(self, kind: str) -> Target:
        target = KINDS[kind].make(self.places)
        target.name = "moved"
        request = pb.CreateTargetRequest(target=target)
        return (await self.pair.config.CreateTarget(request, metadata=ALICE)).target

    async def test_draft(self, target: Target) -> None:
        await self._try(pb.ConfigServiceTestTargetRequest(draft=target))

    async def test_saved(self) -> None:
        await self._try(pb.ConfigServiceTestTargetRequest(name="moved"))

    async def _try(self, request: pb.ConfigServiceTestTargetRequest) -> None:
        self.tries += 1
        try:
            await self.pair.config.TestTarget(request, metadata=ALICE)
        except grpc.aio.AioRpcError as error:
            self.refusals.append(from_rpc_error(error).reason)

    async def update(self, target: Target, paths: list[str]) -> bool:
        """Whether it was taken."""
        self.tries += 1
        request = pb.UpdateTargetRequest(target=target, update_mask=FieldMask(paths=paths))
        try:
            await self.pair.config.UpdateTarget(request, metadata=ALICE)
        except grpc.aio.AioRpcError as error:
            self.refusals.append(from_rpc_error(error).reason)
            return False
        return True


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    ca = LoopbackCa()
    login = ["AUTH PLAIN LOGIN"]
    script = {"AUTH": "235 welcome"}
    async with AsyncExitStack() as stack:
        places = Places(
            await stack.enter_async_context(HttpServer()),
            await stack.enter_async_context(HttpServer()),
            await stack.enter_async_context(HttpServer(tls=ca.server)),
            await stack.enter_async_context(
                SmtpServer(script, extensions=[*login, "STARTTLS"], tls=ca.server)
            ),
            await stack.enter_async_context(
                SmtpServer(script, extensions=[*login, "STARTTLS"], tls=ca.server)
            ),
            ca,
        )
        pair = await stack.enter_async_context(running_pair(tmp_path))
        yield Bench(pair, places)


def changed(saved: Target, change: Change, places: Places) -> tuple[Target, list[str]]:
    """The target after a change, and the mask of what differs."""
    target = Target()
    target.CopyFrom(saved)
    change(target, places)
    target.etag = ""
    kind = saved.WhichOneof("kind")
    assert kind is not None
    before, after = getattr(saved, kind), getattr(target, kind)
    paths = [
        f"{kind}.{each.name}"
        for each in before.DESCRIPTOR.fields
        if getattr(before, each.name) != getattr(after, each.name)
    ]
    return target, paths or ["description"]


@pytest.mark.parametrize(("kind", "move"), MOVES)
async def test_no_new_place_sees_a_stored_secret(bench: Bench, kind: str, move: str) -> None:
    saved = await bench.saved(kind)
    target, paths = changed(saved, KINDS[kind].moves[move], bench.places)
    await bench.test_draft(target)
    if await bench.update(target, paths):
        await bench.test_saved()
    whole = [paths[0].partition(".")[0]]
    if await bench.update(target, whole):
        await bench.test_saved()
    assert not shows(bench.places.seen(), KINDS[kind].sign), f"{kind} followed {move}"
    assert bench.tries >= 3


@pytest.mark.parametrize(("kind", "stay"), STAYS)
async def test_at_its_own_place_it_is_seen_after_any_other_change(
    bench: Bench, kind: str, stay: str
) -> None:
    saved = await bench.saved(kind)
    target, paths = changed(saved, KINDS[kind].stays[stay], bench.places)
    await bench.test_draft(target)
    assert shows(bench.places.seen(), KINDS[kind].sign), bench.refusals
    assert await bench.update(target, paths), bench.refusals
    await bench.test_saved()
    assert shows(bench.places.seen(), KINDS[kind].sign), bench.refusals


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("kind", [each for each in KINDS if each != "smtp password"])
async def test_a_redirect_is_not_followed(bench: Bench, kind: str, status: int) -> None:
    places = bench.places

    async def redirect(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, headers={"Location": places.new_http.url("/stolen")})

    await bench.saved(kind)
    places.old_http._answer = redirect  # it begins to redirect later
    await bench.test_saved()
    assert places.old_http.requests, bench.refusals
    assert places.new_http.requests == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_target_of_another_kind_inherits_nothing(bench: Bench, kind: str) -> None:
    saved = await bench.saved(kind)
    mine, other = saved.WhichOneof("kind"), "smtp password"
    if mine == "smtp":
        other = "webhook header"
    draft = KINDS[other].make(bench.places)
    draft.name = saved.name
    if draft.HasField("smtp"):
        draft.smtp.ClearField("password")
    else:
        draft.webhook.ClearField("headers")
    await bench.test_draft(draft)
    assert not shows(bench.places.seen(), CANARY)

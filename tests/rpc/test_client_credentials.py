"""What a client shows to a secured service: a token, the certificate, or nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.certificates import Certificates
from tests.support.noting import Noting, Shown

from ibs_notify.client.aio import AsyncNotifier
from ibs_notify.client.notifier import Notifier
from ibs_notify.client.receipt import NotAcknowledged
from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import FailedPrecondition, InvalidArgument, NotificationError
from ibs_notify.domain.principal import Role
from ibs_notify.launcher.greeting import installation_settings
from ibs_notify.rpc.channel import (
    open_anonymous_channel,
    open_blocking_channel,
    open_channel,
)
from ibs_notify.rpc.client_credentials import emitter_endpoint, endpoint_of
from ibs_notify.rpc.server import RpcServer
from ibs_notify.rpc.tls import IdentityFiles, ServerTls
from ibs_notify.settings import Settings
from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1 import router_service_pb2 as pb

ROUTER = "ironcore.notification.v1.RouterService"
SECONDS = 10.0


async def accept(request: pb.EmitBatchRequest, _context: object) -> pb.EmitBatchResponse:
    accepted = [pb.EmitResponse(event_id=each.event_id) for each in request.events]
    return pb.EmitBatchResponse(results=[pb.EmitResult(accepted=each) for each in accepted])


ACCEPTING = grpc.method_handlers_generic_handler(
    ROUTER,
    {
        "EmitBatch": grpc.unary_unary_rpc_method_handler(
            accept, pb.EmitBatchRequest.FromString, pb.EmitBatchResponse.SerializeToString
        )
    },
)


async def tell(_request: config_pb.GetSettingsRequest, _context: object) -> Any:
    return config_pb.GetSettingsResponse()


TELLING = grpc.method_handlers_generic_handler(
    "ironcore.notification.v1.ConfigService",
    {
        "GetSettings": grpc.unary_unary_rpc_method_handler(
            tell,
            config_pb.GetSettingsRequest.FromString,
            config_pb.GetSettingsResponse.SerializeToString,
        )
    },
)


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    for name in [each for each in os.environ if each.startswith("IBS_NOTIFY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IBS_NOTIFY_HOME", str(tmp_path))
    return Certificates.made_in(tmp_path / "tls")


@asynccontextmanager
async def listening(
    tls: ServerTls | None, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[RpcServer, Noting]]:
    noting = Noting()
    server = RpcServer(
        f"{host}:0",
        ROUTER,
        reflect=False,
        tls=tls,
        peer_address="127.0.0.1:0",
        interceptors=[noting],
    )
    server.grpc_server.add_generic_rpc_handlers((ACCEPTING, TELLING))
    await server.start()
    await server.set_serving(True)
    try:
        yield server, noting
    finally:
        await server.stop()


@pytest.fixture
async def router(certificates: Certificates) -> AsyncIterator[tuple[Settings, Noting]]:
    """A secured Router, and the settings of who calls it."""
    tls = ServerTls(IdentityFiles(certificates.directory, "router", SystemClock()))
    async with listening(tls) as (server, noting):
        settings = replace(
            Settings(tls_directory=str(certificates.directory)),
            router_address=f"127.0.0.1:{server.port}",
            router_peer_address=f"127.0.0.1:{server.peer_port}",
        )
        yield settings, noting


async def ask(channel: grpc.aio.Channel) -> None:
    async with channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        await stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)


async def test_the_token_of_the_variable_is_presented(
    router: tuple[Settings, Noting], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, noting = router
    monkeypatch.setenv("IBS_NOTIFY_TOKEN", "ibsn_1_secret")
    await ask(open_channel(settings, "router"))
    assert noting.shown == [Shown("Bearer ibsn_1_secret", None)]


async def test_the_token_of_the_variable_comes_before_that_of_the_file(
    router: tuple[Settings, Noting], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings, noting = router
    file = tmp_path / "token"
    file.write_text("of-the-file\n")
    await ask(open_channel(replace(settings, token_file=str(file)), "router"))
    monkeypatch.setenv("IBS_NOTIFY_TOKEN", "of-the-variable")
    await ask(open_channel(replace(settings, token_file=str(file)), "router"))
    assert noting.shown == [
        Shown("Bearer of-the-file", None),
        Shown("Bearer of-the-variable", None),
    ]


async def test_a_token_file_that_changes_counts_from_the_next_call_on(
    router: tuple[Settings, Noting], tmp_path: Path
) -> None:
    settings, noting = router
    file = tmp_path / "token"
    file.write_text("first")
    async with open_channel(replace(settings, token_file=str(file)), "router") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        await stub.Check(request, timeout=SECONDS)
        file.write_text("the-second")
        await stub.Check(request, timeout=SECONDS)
        file.unlink()
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Check(request, timeout=SECONDS)
    assert [each.authorization for each in noting.shown] == ["Bearer first", "Bearer the-second"]


async def test_without_a_token_the_administrators_certificate_is_shown_to_the_peers_listener(
    router: tuple[Settings, Noting],
) -> None:
    settings, noting = router
    await ask(open_channel(settings, "router"))
    channel = open_blocking_channel(endpoint_of(settings, "router"))
    stub: Any = health_pb2_grpc.HealthStub(channel)
    await asyncio.to_thread(stub.Check, health_pb2.HealthCheckRequest(), timeout=SECONDS)
    channel.close()
    assert noting.shown == [Shown("", Role.ADMINISTRATOR)] * 2


async def test_who_has_neither_may_ask_by_tls_and_proves_nothing(
    router: tuple[Settings, Noting], certificates: Certificates
) -> None:
    settings, noting = router
    (certificates.directory / "administrator.key").unlink()
    await ask(open_channel(settings, "router"))
    assert noting.shown == [Shown("", None)]


async def test_a_launcher_that_can_prove_nothing_asks_for_nothing(
    certificates: Certificates,
) -> None:
    tls = ServerTls(IdentityFiles(certificates.directory, "config", SystemClock()))
    (certificates.directory / "administrator.key").unlink()
    async with listening(tls) as (server, noting):
        settings = Settings(tls_directory=str(certificates.directory))
        settings = replace(settings, config_address=f"127.0.0.1:{server.port}")
        assert await installation_settings(settings) is None
        await ask(open_channel(settings, "config"))
    assert noting.shown == [Shown("", None)], "a call that proves nothing is told as a failed login"


async def test_who_asks_for_the_health_shows_nothing(
    router: tuple[Settings, Noting], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, noting = router
    monkeypatch.setenv("IBS_NOTIFY_TOKEN", "ibsn_1_secret")
    await ask(open_anonymous_channel(settings, "router"))
    assert noting.shown == [Shown("", None)]


async def test_a_token_never_goes_over_clear_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBS_NOTIFY_TOKEN", "ibsn_1_secret")
    async with listening(None) as (server, noting):
        settings = Settings(router_address=f"127.0.0.1:{server.port}")
        await ask(open_channel(settings, "router"))
        with pytest.raises(InvalidArgument, match="by TLS only"):
            emitter_endpoint(settings, "", None, "ibsn_1_secret")
    assert noting.shown == [Shown("", None)]


@pytest.mark.parametrize("token", ["two words-canary", "can\nary", "canäry", "c" * 1025])
def test_what_is_no_token_is_refused_without_being_repeated(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    settings = Settings(tls_directory=str(certificates.directory))
    monkeypatch.setenv("IBS_NOTIFY_TOKEN", token)
    with pytest.raises(InvalidArgument, match="IBS_NOTIFY_TOKEN holds no token") as refused:
        endpoint_of(settings, "router")
    assert token not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"token_file": "/none/token"}, "the token file /none/token cannot be read"),
        ({"tls_directory": "/none"}, "the CA certificate /none/ca.pem cannot be read"),
    ],
)
def test_files_that_cannot_be_read_are_named(
    certificates: Certificates, change: dict[str, str], why: str
) -> None:
    settings = replace(Settings(tls_directory=str(certificates.directory)), **change)  # type: ignore[arg-type]  # all are texts
    with pytest.raises(FailedPrecondition, match=why) as refused:
        endpoint_of(settings, "router")
    assert refused.value.advice


# The client library.


async def test_a_notifier_presents_the_token_it_was_given(
    router: tuple[Settings, Noting], certificates: Certificates
) -> None:
    settings, noting = router
    ca_file = certificates.directory / "ca.pem"
    async with AsyncNotifier(
        settings.router_address, user="job", token="ibsn_1_given", ca_file=ca_file
    ) as notifier:
        await notifier.emit("backup.failed", subject="x")
    assert noting.shown == [Shown("Bearer ibsn_1_given", None)]


async def test_a_notifier_without_arguments_goes_by_the_settings(
    router: tuple[Settings, Noting], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, noting = router
    for name in ("router_address", "router_peer_address", "tls_directory"):
        monkeypatch.setenv(f"IBS_NOTIFY_{name.upper()}", getattr(settings, name))
    async with AsyncNotifier() as notifier:
        await notifier.emit("backup.failed", subject="x")
    monkeypatch.setenv("IBS_NOTIFY_TOKEN", "ibsn_1_secret")
    async with AsyncNotifier() as notifier:
        await notifier.emit("backup.failed", subject="x")
    assert noting.shown == [Shown("", Role.ADMINISTRATOR), Shown("Bearer ibsn_1_secret", None)]


async def test_a_notifier_with_a_ca_file_believes_only_the_host_it_was_given(
    certificates: Certificates,
) -> None:
    tls = ServerTls(IdentityFiles(certificates.directory, "router", SystemClock()))
    async with listening(tls, "127.0.0.2") as (server, noting):
        notifier = Notifier(
            f"127.0.0.2:{server.port}",
            user="job",
            token="ibsn_1_given",
            ca_file=certificates.directory / "ca.pem",
            patience=0.2,
        )
        receipt = notifier.emit("backup.failed", subject="x")
        with pytest.raises(NotificationError):
            await asyncio.to_thread(receipt.result, SECONDS)
        with pytest.raises(NotAcknowledged):
            notifier.close()
    assert not noting.shown

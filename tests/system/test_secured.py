"""The three services as processes, by TLS: what is emitted arrives, also while all is renewed."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ibs_notify.rpc.channel import open_blocking_plain_channel
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import event_pb2, router_service_pb2
from tests.support.certificates import Certificates
from tests.system.checker import read_receipts
from tests.system.installation import CALL_SECONDS, Installation, running_installation, until
from tests.system.sinks import running_sink

pytestmark = pytest.mark.system

DRAIN_SECONDS = 30.0


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.made_in(tmp_path / "tls")


@pytest.fixture
def secured(tmp_path: Path, certificates: Certificates) -> Iterator[Installation]:
    with running_installation(tmp_path / "home", certificates=certificates) as installation:
        yield installation


def launcher(installation: Installation, *arguments: str) -> str:
    """What a command of ``ibs-notify`` prints, which must succeed."""
    result = subprocess.run(
        [sys.executable, "-m", "ibs_notify.launcher", *arguments],
        env=installation.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def emit(installation: Installation, number: int) -> str:
    event = event_pb2.Event(
        event_id=f"e-{number:05d}", type="backup.failed", subject=f"Backup {number} failed"
    )
    request = router_service_pb2.EmitRequest(event=event)
    answer = installation.router.Emit(request, timeout=CALL_SECONDS, wait_for_ready=True)
    return answer.event_id


def served_certificate(installation: Installation, service: ServiceName) -> str:
    host, _, port = installation.services[service].address.partition(":")
    return ssl.get_server_certificate((host, int(port)), timeout=CALL_SECONDS)


def test_what_is_emitted_arrives_while_certificates_are_renewed_and_services_are_killed(
    secured: Installation, certificates: Certificates, tmp_path: Path
) -> None:
    with running_sink("webhook", "ops", tmp_path) as sink, ThreadPoolExecutor(1) as threads:
        secured.create_webhook("ops", f"http://127.0.0.1:{sink.port}/")
        secured.create_group("everybody", {"ops": "*"})
        before = {service: served_certificate(secured, service) for service in SERVICES}
        enough = Flag()

        def keep_emitting() -> list[str]:
            acknowledged: list[str] = []
            while not enough.is_set():
                acknowledged.append(emit(secured, len(acknowledged)))
            return acknowledged

        emitting = threads.submit(keep_emitting)
        try:
            for _ in range(3):
                launcher(secured, "certs", "renew")
            secured.create_group("later", {"ops": "severity >= error"})
            secured.kill("delivery")
            launcher(secured, "certs", "renew")
            secured.start_and_wait("delivery")
            secured.kill("config")
            secured.start_and_wait("config")
            secured.create_group("last", {"ops": "severity >= critical"})
        finally:
            enough.set()
        acknowledged = emitting.result(CALL_SECONDS)
        after = {service: served_certificate(secured, service) for service in SERVICES}
        secured.drain(DRAIN_SECONDS)
        received = {each.event_id for each in read_receipts(sink.log)}
    assert len(acknowledged) > 10
    assert set(acknowledged) <= received
    books = secured.ledger()
    assert books.balanced
    assert not books.unaccounted_ids
    for service in SERVICES:
        assert after[service] != before[service]
        assert after[service] == certificates.of(service).certificate.decode()
        assert "cannot be used" not in secured.services[service].tail()


def test_a_router_that_is_killed_comes_back_with_the_newest_certificate(
    secured: Installation, certificates: Certificates
) -> None:
    emit(secured, 1)
    secured.kill("router")
    certificates.renew()
    secured.start_and_wait("router")
    emit(secured, 2)
    assert {each.event.event_id for each in secured.inbox()} == {"e-00001", "e-00002"}
    assert served_certificate(secured, "router") == certificates.of("router").certificate.decode()


def test_the_services_are_healthy_by_tls_and_deaf_to_clear_text(secured: Installation) -> None:
    states = [line.split()[-1] for line in launcher(secured, "health").splitlines()]
    # The console has a line of its own, which counts for nothing where none runs.
    assert states == ["SERVING"] * 3 + ["UNAVAILABLE"]
    for service in secured.services.values():
        with open_blocking_plain_channel(service.address) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            with pytest.raises(grpc.RpcError, match="Socket closed"):
                stub.Check(health_pb2.HealthCheckRequest(), timeout=CALL_SECONDS)


def test_strangers_who_fail_a_handshake_write_nothing_into_the_log(secured: Installation) -> None:
    router = secured.services["router"]
    host, _, port = router.address.partition(":")
    before = router.log.read_text()
    context = ssl.create_default_context()
    for name in ("unknown.example.com", "router.ibs-notify"):
        with (
            socket.create_connection((host, int(port)), CALL_SECONDS) as stranger,
            pytest.raises(ssl.SSLError),
        ):
            context.wrap_socket(stranger, server_hostname=name)
    with socket.create_connection((host, int(port)), CALL_SECONDS) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while stranger.recv(4096):
            pass
    emit(secured, 1)
    assert router.log.read_text() == before


def test_a_service_does_not_start_with_an_expired_certificate_and_says_so(
    tmp_path: Path, certificates: Certificates
) -> None:
    certificates.put("router", certificates.expired("router"))
    with Installation(tmp_path / "home", certificates=certificates) as installation:
        installation.start("router")
        assert installation.wait_for_exit("router", CALL_SECONDS) == 1
        until(lambda: "which is not now" in installation.services["router"].tail(), "it says so")

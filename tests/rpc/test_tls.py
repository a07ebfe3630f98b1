"""Who gets in, by which certificate; and what is renewed while calls and streams are under way."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.certificates import Certificates
from tests.support.noting import Noting

from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.errors import FailedPrecondition
from ibs_notify.domain.principal import Role, Service
from ibs_notify.launcher.authority import Issued
from ibs_notify.router.app import RouterApp
from ibs_notify.rpc.certified import Certified
from ibs_notify.rpc.channel import open_plain_channel
from ibs_notify.rpc.peer_channel import RenewingChannel
from ibs_notify.rpc.server import RpcServer
from ibs_notify.rpc.tls import IdentityFiles, ServerTls
from ibs_notify.settings import Settings

SECONDS = 10.0
SERVING = health_pb2.HealthCheckResponse.SERVING
CLOCK = SystemClock()
ROUTER, HOSTS = "spiffe://ibs-notify/router", ("router.ibs-notify",)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
UNKNOWN_KEY = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2V9BCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
"""


class Served:
    """A server that is the Router's by its certificate."""

    def __init__(self, server: RpcServer, noting: Noting) -> None:
        self.server = server
        self.port = server.port
        self.peer_port = server.peer_port
        self._noting = noting

    @property
    def callers(self) -> list[Certified | None]:
        return self._noting.callers


@asynccontextmanager
async def served(certificates: Certificates, holder: str = "router") -> AsyncIterator[Served]:
    noting = Noting()
    server = RpcServer(
        "127.0.0.1:0",
        "test",
        reflect=False,
        tls=ServerTls(IdentityFiles(certificates.directory, holder, CLOCK)),
        peer_address="127.0.0.1:0",
        interceptors=[noting],
    )
    await server.start()
    await server.set_serving(True)
    try:
        yield Served(server, noting)
    finally:
        await server.stop()


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.made_in(tmp_path / "tls")


@pytest.fixture
async def router(certificates: Certificates) -> AsyncIterator[Served]:
    async with served(certificates) as server:
        yield server


async def ask(channel: grpc.aio.Channel) -> int:
    """The health, as who calls through ``channel``."""
    stub = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)  # type: ignore[attr-defined]  # made at run time
    return int(answer.status)


async def refusal(channel: grpc.aio.Channel) -> str:
    """Why no call gets through ``channel``."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ask(channel)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    return str(refused.value.details())


def shown(port: int, certificates: Certificates, holder: str = "") -> x509.Certificate:
    """The certificate that a server shows in a handshake."""
    context = ssl.create_default_context(cafile=str(certificates.directory / "ca.pem"))
    if holder:
        directory = certificates.directory
        context.load_cert_chain(directory / f"{holder}.pem", directory / f"{holder}.key")
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port), SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as encrypted,
    ):
        der = encrypted.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)


def certificate(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate)


# Who gets in.


@pytest.mark.parametrize(
    ("holder", "standing"),
    [
        ("config", Service.CONFIG),
        ("router", Service.ROUTER),
        ("delivery", Service.DELIVERY),
        ("administrator", Role.ADMINISTRATOR),
    ],
)
async def test_a_certificate_of_ours_gets_in_and_says_whose_it_is(
    certificates: Certificates, router: Served, holder: str, standing: Service | Role
) -> None:
    async with certificates.channel(router.peer_port, "router", holder) as channel:
        assert await ask(channel) == SERVING
    assert router.callers == [standing]


async def test_a_certificate_that_names_the_administrator_up_to_a_nul_is_nobodys(
    certificates: Certificates, router: Served
) -> None:
    issued = certificates.naming("spiffe://ibs-notify/administrator\0.example.com")
    async with certificates.channel(router.peer_port, "router", issued=issued) as channel:
        assert await ask(channel) == SERVING
    assert router.callers == [None]


async def test_the_listener_of_clients_asks_for_no_certificate_and_believes_none(
    certificates: Certificates, router: Served
) -> None:
    async with (
        certificates.channel(router.port, "router") as without,
        certificates.channel(router.port, "router", "administrator") as with_one,
    ):
        assert await ask(without) == await ask(with_one) == SERVING
    assert router.callers == [None, None]


async def test_without_a_certificate_nobody_reaches_the_peers_listener(
    certificates: Certificates, router: Served
) -> None:
    async with certificates.channel(router.peer_port, "router") as channel:
        await refusal(channel)
    assert not router.callers


async def test_a_certificate_of_another_ca_is_refused(
    certificates: Certificates, router: Served, tmp_path: Path
) -> None:
    foreign = Certificates.made_in(tmp_path / "foreign").of("administrator")
    async with certificates.channel(router.peer_port, "router", issued=foreign) as channel:
        await refusal(channel)
    assert not router.callers


async def test_an_expired_certificate_is_refused(
    certificates: Certificates, router: Served
) -> None:
    expired = certificates.expired("config")
    async with certificates.channel(router.peer_port, "router", issued=expired) as channel:
        await refusal(channel)
    assert not router.callers


async def test_a_service_with_the_certificate_of_another_is_not_believed(
    certificates: Certificates, router: Served
) -> None:
    for port in (router.port, router.peer_port):
        async with certificates.channel(port, "delivery", "config") as channel:
            assert "Hostname Verification Check failed" in await refusal(channel)


async def test_a_server_of_another_ca_is_not_believed(
    certificates: Certificates, tmp_path: Path
) -> None:
    foreign = Certificates.made_in(tmp_path / "foreign")
    async with served(foreign) as server:
        for port in (server.port, server.peer_port):
            async with certificates.channel(port, "router", "config") as channel:
                assert "CERTIFICATE_VERIFY_FAILED" in await refusal(channel)


async def test_clear_text_is_refused_by_both_listeners(router: Served) -> None:
    for port in (router.port, router.peer_port):
        async with open_plain_channel(f"127.0.0.1:{port}") as channel:
            await refusal(channel)
    assert not router.callers


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_before_1_2_is_refused(router: Served) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol|version|handshake"):
        await asyncio.to_thread(handshake, router.port, context)


def handshake(port: int, context: ssl.SSLContext) -> None:
    with socket.create_connection(("127.0.0.1", port), SECONDS) as plain:
        context.wrap_socket(plain).close()


# Renewal.


async def test_calls_and_a_stream_go_on_while_both_sides_are_renewed(
    certificates: Certificates, router: Served
) -> None:
    files = IdentityFiles(certificates.directory, "config", CLOCK)
    address = f"127.0.0.1:{router.peer_port}"
    async with RenewingChannel(address, "router.ibs-notify", files) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        stream = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await stream.read()).status == SERVING
        first = channel.current()
        for _ in range(3):
            calls = [asyncio.create_task(ask(channel)) for _ in range(20)]
            await asyncio.to_thread(certificates.renew)
            calls += [asyncio.create_task(ask(channel)) for _ in range(20)]
            assert set(await asyncio.gather(*calls)) == {SERVING}
        assert channel.current() is not first
        await router.server.set_serving(False)
        assert (await stream.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert set(router.callers) == {Service.CONFIG}


async def test_the_channel_of_an_old_certificate_is_let_go_with_its_last_call(
    certificates: Certificates, router: Served
) -> None:
    files = IdentityFiles(certificates.directory, "config", CLOCK)
    async with RenewingChannel(
        f"127.0.0.1:{router.peer_port}", "router.ibs-notify", files
    ) as channel:
        old = weakref.ref(channel.current())
        assert await ask(channel) == SERVING
        await asyncio.to_thread(certificates.renew)
        assert await ask(channel) == SERVING
        assert old() is None


async def test_a_watch_of_before_a_renewal_ends_with_its_connection_and_resumes_on_a_new_one(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = (("grpc.max_connection_age_ms", 500), ("grpc.max_connection_age_grace_ms", 100))
    monkeypatch.setattr("ibs_notify.rpc.server._OPTIONS", ages)
    files = IdentityFiles(certificates.directory, "config", CLOCK)
    async with (
        served(certificates) as router,
        RenewingChannel(f"127.0.0.1:{router.peer_port}", "router.ibs-notify", files) as channel,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        stream = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await stream.read()).status == SERVING
        await asyncio.to_thread(certificates.renew)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await stream.read()
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        again = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await again.read()).status == SERVING
        again.cancel()


async def test_after_a_renewal_handshakes_show_the_new_certificate(
    certificates: Certificates, router: Served
) -> None:
    before = certificate(certificates.of("router"))
    peers = (router.peer_port, certificates, "config")
    assert await asyncio.to_thread(shown, router.port, certificates) == before
    assert await asyncio.to_thread(shown, *peers) == before
    certificates.renew()
    after = certificate(certificates.of("router"))
    assert before != after
    assert await asyncio.to_thread(shown, router.port, certificates) == after
    assert await asyncio.to_thread(shown, *peers) == after


async def test_files_that_do_not_fit_leave_the_old_certificate_in_force_and_are_logged_once(
    certificates: Certificates, router: Served, caplog: pytest.LogCaptureFixture
) -> None:
    before = certificate(certificates.of("router"))
    other = certificates.issue("router")
    broken = [
        Issued(other.certificate, certificates.of("router").key),
        Issued(b"", other.key),
        Issued(other.certificate[:300], other.key),
        Issued(other.certificate, other.key[:80]),
        certificates.expired("router"),
    ]
    for each in broken:
        caplog.clear()
        certificates.put("router", each)
        for _ in range(3):
            assert await asyncio.to_thread(shown, router.port, certificates) == before
        said = [record.message for record in caplog.records if "stays in force" in record.message]
        assert len(said) == 1
    certificates.put("router", other)
    assert await asyncio.to_thread(shown, router.port, certificates) == certificate(other)


def self_signed(names: bytes) -> Issued:
    """A certificate of now, whose subject alternative names are these bytes."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    names_extension = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, names)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(CLOCK.now() - timedelta(hours=1))
        .not_valid_after(CLOCK.now() + timedelta(hours=1))
        .add_extension(names_extension, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Issued(made.public_bytes(serialization.Encoding.PEM), pem)


async def test_a_key_that_became_open_to_others_leaves_the_old_one_in_force(
    certificates: Certificates,
) -> None:
    files = IdentityFiles(certificates.directory, "router", CLOCK)
    before = files.current()
    certificates.put("router", certificates.issue("router"))
    (certificates.directory / "router.key").chmod(0o640)
    assert files.current() is before


async def test_a_certificate_with_names_that_cannot_be_read_leaves_the_old_one_in_force(
    certificates: Certificates,
) -> None:
    files = IdentityFiles(certificates.directory, "router", CLOCK)
    before = files.current()
    certificates.put("router", self_signed(names=b"\x30\x03garbage"))
    assert files.current() is before


async def test_a_key_that_was_closed_to_others_again_counts(certificates: Certificates) -> None:
    files = IdentityFiles(certificates.directory, "router", CLOCK)
    before = files.current()
    certificates.put("router", certificates.issue("router"))
    (certificates.directory / "router.key").chmod(0o640)
    assert files.current() is before
    (certificates.directory / "router.key").chmod(0o600)
    assert files.current() is not before


async def test_missing_files_leave_what_was_read_in_force(certificates: Certificates) -> None:
    files = IdentityFiles(certificates.directory, "router", CLOCK)
    before = files.current()
    for each in certificates.directory.iterdir():
        each.unlink()
    assert files.current() is before


async def test_what_does_not_change_is_read_once(
    certificates: Certificates, router: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("ibs_notify.rpc.identity.read_identity", fail)
    for _ in range(5):
        assert await asyncio.to_thread(shown, router.port, certificates)


async def test_a_service_that_was_renewed_after_a_new_ca_came_meets_the_new_one(
    certificates: Certificates, tmp_path: Path
) -> None:
    """As when everything is replaced: the old connection goes on, a new one is by the new CA."""
    async with served(certificates) as router:
        files = IdentityFiles(certificates.directory, "config", CLOCK)
        address = f"127.0.0.1:{router.peer_port}"
        async with RenewingChannel(address, "router.ibs-notify", files) as channel:
            assert await ask(channel) == SERVING
            new = Certificates.made_in(tmp_path / "new")
            for each in new.directory.iterdir():
                each.replace(certificates.directory / each.name)
            assert await ask(channel) == SERVING
    assert router.callers == [Service.CONFIG] * 2


# The start.


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda held: (held.directory / "router.pem").unlink(), "router.pem cannot be read"),
        (lambda held: (held.directory / "router.key").unlink(), "router.key cannot be read"),
        (lambda held: (held.directory / "ca.pem").unlink(), "ca.pem cannot be read"),
        (lambda held: (held.directory / "ca.pem").write_text("no"), "holds no certificate in PEM"),
        (lambda held: (held.directory / "router.key").write_text("no"), "private key in PEM"),
        (lambda held: held.put("router", held.of("config")), "is not for router"),
        (lambda held: held.put("router", held.naming(ROUTER, "x://y", hosts=HOSTS)), "one URI"),
        (
            lambda held: held.put("router", held.naming(ROUTER, hosts=HOSTS, uses=SERVER)),
            "may not be used for clientAuth",
        ),
        (lambda held: (held.directory / "router.key").write_text(UNKNOWN_KEY), "private key in"),
        (
            lambda held: (held.directory / "router.key").write_bytes(held.of("config").key),
            "is not that of the certificate",
        ),
        (lambda held: held.put("router", held.expired("router")), "which is not now"),
        (lambda held: (held.directory / "router.key").chmod(0o644), "open to other accounts"),
        (lambda held: (held.directory / "router.key").chmod(0o640), "open to other accounts"),
    ],
)
async def test_a_service_does_not_start_with_files_that_it_could_not_use(
    certificates: Certificates, harm: Callable[[Certificates], object], why: str
) -> None:
    harm(certificates)
    with pytest.raises(FailedPrecondition, match=why) as refused:
        RouterApp(certificates.secure(Settings(router_address="127.0.0.1:0")))
    assert refused.value.advice


async def test_files_of_another_account_are_not_said_to_be_missing(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FailedPrecondition, match="Permission denied") as refused:
        RouterApp(certificates.secure(Settings(router_address="127.0.0.1:0")))
    assert "the account that this runs as" in refused.value.advice


async def test_a_server_says_where_and_how_it_listens(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with served(certificates) as server:
        assert (
            f"listening on 127.0.0.1:{server.port} by TLS, "
            f"and on 127.0.0.1:{server.peer_port} by mutual TLS" in caplog.text
        )
    plain = RpcServer("127.0.0.1:0", "test", reflect=False)
    await plain.start()
    await plain.stop()
    assert f"127.0.0.1:{plain.port} without TLS and authentication" in caplog.text


async def test_a_server_whose_certificate_ends_soon_says_so(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(certificates):
        assert "the certificate of router ends" not in caplog.text
    certificates.put("router", certificates.issue("router", days=29))
    async with served(certificates):
        assert "the certificate of router ends" in caplog.text

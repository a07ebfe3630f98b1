"""A whole installation for a test: the three services as processes on loopback.

Everything waits for a state and never for a span of time: a service is awaited by its health, a
death by its exit, a queue by what Delivery says of it.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ibs_notify.domain.errors import Unavailable
from ibs_notify.rpc.peer import dns_name
from ibs_notify.rpc.status import from_rpc_error
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import (
    config_service_pb2,
    delivery_pb2,
    delivery_service_pb2,
    group_pb2,
    router_service_pb2,
    target_pb2,
)
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.support.certificates import Certificates

START_SECONDS = 60.0
"""Ends what hangs; beside much else a start takes long."""
STOP_SECONDS = 15.0
CALL_SECONDS = 20.0
POLL_SECONDS = 0.05
DRAIN_POLL_SECONDS = 0.25
"""Comparing the books reads all of them."""
LOG_TAIL = 3000
WORKERS = 8
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.enable_http_proxy", 0),
    # A service that was just started is seen at once.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
)
OPEN = (
    delivery_pb2.DELIVERY_STATE_QUEUED,
    delivery_pb2.DELIVERY_STATE_LEASED,
    delivery_pb2.DELIVERY_STATE_RETRY_WAIT,
    delivery_pb2.DELIVERY_STATE_WAITING,
    delivery_pb2.DELIVERY_STATE_DIGEST_OPEN,
)
UNSENT = (*OPEN, delivery_pb2.DELIVERY_STATE_DEAD, delivery_pb2.DELIVERY_STATE_CANCELLED)


def _ports() -> Iterator[int]:
    """Below those that the kernel gives to outgoing connections, so that they stay free while the
    service that had one is down; each worker of a run has its own, and gives none twice in a row.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    mine = [*range(10_000 + worker, 32_000, WORKERS)]
    random.SystemRandom().shuffle(mine)
    return cycle(mine)


_PORTS = _ports()


def free_port() -> int:
    """A port that nothing listens on."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("a cycle has no end")


def until(
    condition: Callable[[], bool],
    what: str,
    seconds: float = START_SECONDS,
    pause: float = POLL_SECONDS,
) -> None:
    """Wait until ``condition`` holds; ``TimeoutError`` names ``what`` did not happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(pause)


@dataclass(slots=True)
class Service:
    """A service of the installation. ``process`` is the newest one that was started."""

    name: ServiceName
    address: str
    log: Path
    channel: grpc.Channel
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:] if self.log.exists() else ""


class Installation:
    """``with Installation(home) as installation``: nothing runs before a ``start``.

    ``databases`` are SQLAlchemy URLs by service; those not given are SQLite files in ``home``.
    ``extra`` are more environment variables for every service. With ``certificates`` all is
    secured, and the calls made here are the administrator's.
    """

    def __init__(
        self,
        home: Path,
        databases: Mapping[ServiceName, str] | None = None,
        extra: Mapping[str, str] | None = None,
        ports: Mapping[ServiceName, int] | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        logs = home.parent / f"{home.name}-logs"
        logs.mkdir(exist_ok=True)
        ports = ports or {name: free_port() for name in SERVICES}
        self.services: dict[ServiceName, Service] = {}
        for name in SERVICES:
            address = f"127.0.0.1:{ports[name]}"
            self.services[name] = Service(
                name,
                address,
                logs / f"{name}.log",
                grpc.insecure_channel(address, options=CHANNEL_OPTIONS),
            )
        secured = self._secure(certificates) if certificates else {}
        self.environment = self._variables(databases or {}, {**secured, **(extra or {})})
        self.config = ConfigServiceStub(self.services["config"].channel)
        self.router = RouterServiceStub(self.services["router"].channel)
        self.delivery = DeliveryServiceStub(self.services["delivery"].channel)

    def _secure(self, certificates: Certificates) -> dict[str, str]:
        """Channels to the peers' listeners; returns the variables that make them."""
        variables = {"IBS_NOTIFY_TLS_DIRECTORY": str(certificates.directory)}
        for name, service in self.services.items():
            peer_address = f"127.0.0.1:{free_port()}"
            variables[f"IBS_NOTIFY_{name.upper()}_PEER_ADDRESS"] = peer_address
            service.channel.close()
            service.channel = grpc.secure_channel(
                peer_address,
                certificates.credentials("administrator"),
                options=[*CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", dns_name(name))],
            )
        return variables

    def _variables(
        self, databases: Mapping[ServiceName, str], extra: Mapping[str, str]
    ) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("IBS_")
        }
        return {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "IBS_NOTIFY_HOME": str(self.home),
            **{
                f"IBS_NOTIFY_{name.upper()}_ADDRESS": service.address
                for name, service in self.services.items()
            },
            **{f"IBS_NOTIFY_{name.upper()}_DATABASE": url for name, url in databases.items()},
            **extra,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for service in self.services.values():
            if service.process is not None and service.running:
                service.process.kill()
        for service in self.services.values():
            if service.process is not None:
                service.process.wait(STOP_SECONDS)
            service.channel.close()
            if error is not None:
                error.add_note(f"--- log of {service.name}:\n{service.tail()}")

    def command(self, name: ServiceName) -> list[str]:
        """The command of a service; ``environment`` belongs to it."""
        return [sys.executable, "-m", f"ibs_notify.{name}"]

    def start(self, *names: ServiceName, failpoint: str = "") -> None:
        """Start services, all where none is named, without waiting for them.

        ``failpoint`` is where they kill themselves, such as ``router.after_commit@17``.
        """
        environment = dict(self.environment)
        if failpoint:
            environment["IBS_FAILPOINT"] = failpoint
        for name in names or SERVICES:
            service = self.services[name]
            assert not service.running, f"{name} runs already"
            with service.log.open("ab") as log:
                service.process = subprocess.Popen(
                    self.command(name),
                    cwd=self.home,
                    env=environment,
                    stdout=log,
                    stderr=log,
                )

    def start_and_wait(self, *names: ServiceName) -> None:
        """Start services, all where none is named, and wait until each serves."""
        self.start(*names)
        for name in names or SERVICES:
            self.wait_until_serving(name)

    def wait_until_serving(self, name: ServiceName, seconds: float = START_SECONDS) -> None:
        """Wait for the health of a service; an exit before is an error with its log."""
        service = self.services[name]
        health = health_pb2_grpc.HealthStub(service.channel)
        serving = health_pb2.HealthCheckResponse.SERVING

        def healthy() -> bool:
            if not service.running:
                raise RuntimeError(f"{name} ended before it served:\n{service.tail()}")
            try:
                # Waiting drives the connection; a call that fails at once lets it sleep for 10 s.
                answer = health.Check(  # type: ignore[attr-defined]  # its stub is made at run time
                    health_pb2.HealthCheckRequest(), timeout=0.5, wait_for_ready=True
                )
            except grpc.RpcError:
                return False
            return bool(answer.status == serving)

        until(healthy, f"{name} serves", seconds)

    def kill(self, *names: ServiceName) -> None:
        """SIGKILL, all at once, and wait until they are gone."""
        for name in names:
            process = self.services[name].process
            assert process is not None, f"{name} was never started"
            process.kill()
        for name in names:
            self.wait_for_death(name)

    def stop(self, *names: ServiceName) -> None:
        """SIGTERM, and wait for an exit without an error."""
        for name in names:
            process = self.services[name].process
            assert process is not None, f"{name} was never started"
            process.terminate()
        for name in names:
            code = self.wait_for_exit(name, STOP_SECONDS)
            assert code == 0, f"{name} stopped with {code}:\n{self.services[name].tail()}"

    def wait_for_death(self, name: ServiceName, seconds: float = STOP_SECONDS) -> None:
        """Wait until a service is killed; another way to end is an error with its log."""
        code = self.wait_for_exit(name, seconds)
        service = self.services[name]
        assert code == -signal.SIGKILL, f"{name} ended with {code}:\n{service.tail()}"
        service.deaths += 1

    def wait_for_exit(self, name: ServiceName, seconds: float) -> int:
        """The exit code of a service; ``subprocess.TimeoutExpired`` where it goes on."""
        process = self.services[name].process
        assert process is not None, f"{name} was never started"
        return process.wait(seconds)

    # What an administrator does.

    def create_webhook(self, name: str, url: str) -> target_pb2.Target:
        """A webhook target with the standard payload."""
        return self.create_target(
            target_pb2.Target(name=name, webhook=target_pb2.WebhookTarget(url=url))
        )

    def create_mail(self, name: str, port: int, *recipients: str) -> target_pb2.Target:
        """A mail target in clear text, for a server on loopback."""
        smtp = target_pb2.SmtpTarget(
            server="127.0.0.1",
            port=port,
            from_address="IBS <ibs@example.com>",
            tls_mode=target_pb2.SMTP_TLS_MODE_NONE,
            recipients=recipients,
        )
        return self.create_target(target_pb2.Target(name=name, smtp=smtp))

    def create_target(self, target: target_pb2.Target) -> target_pb2.Target:
        """Any target, as it is saved."""
        request = config_service_pb2.CreateTargetRequest(target=target)
        return self.config.CreateTarget(request, timeout=CALL_SECONDS).target

    def create_group(
        self, name: str, rules: Mapping[str, str], limit: int = 0, dedup_seconds: int = 0
    ) -> group_pb2.Group:
        """A group with a rule for each target's name, in force when it returns.

        ``limit`` in events a minute; 0 for none, as for ``dedup_seconds``.
        """
        group = group_pb2.Group(
            name=name,
            rate_limit_per_minute=limit,
            dedup_window=Duration(seconds=dedup_seconds),
            subscriptions=[
                group_pb2.Subscription(target=target, rule=rule) for target, rule in rules.items()
            ],
        )
        request = config_service_pb2.CreateGroupRequest(group=group)
        made = self.config.CreateGroup(request, timeout=CALL_SECONDS).group
        self.await_config(made.revision)
        return made

    def await_config(self, revision: int) -> None:
        """Wait until Router and Delivery go by ``revision``."""
        self.router.AwaitConfig(
            router_service_pb2.RouterServiceAwaitConfigRequest(revision=revision),
            timeout=CALL_SECONDS,
        )
        self.delivery.AwaitConfig(
            delivery_service_pb2.AwaitConfigRequest(revision=revision), timeout=CALL_SECONDS
        )

    # What can be seen from outside.

    def ledger(self) -> router_service_pb2.VerifyLedgerResponse:
        """The books, compared."""
        request = router_service_pb2.VerifyLedgerRequest()
        return self.router.VerifyLedger(request, timeout=60.0)

    def inbox(self) -> Iterator[router_service_pb2.EventRecord]:
        """Every event that the Router has, newest first."""
        token = ""
        while True:
            page = self.router.ListEvents(
                router_service_pb2.ListEventsRequest(page_size=1000, page_token=token),
                timeout=CALL_SECONDS,
            )
            yield from page.events
            token = page.next_page_token
            if not token:
                return

    def deliveries(
        self, states: Sequence[delivery_pb2.DeliveryState.ValueType] = ()
    ) -> Iterator[delivery_pb2.Delivery]:
        """Deliveries in these states, in any where none is given."""
        token = ""
        while True:
            page = self.delivery.ListDeliveries(
                delivery_service_pb2.ListDeliveriesRequest(
                    filter=delivery_pb2.DeliveryFilter(states=states),
                    page_size=1000,
                    page_token=token,
                ),
                timeout=CALL_SECONDS,
            )
            yield from page.deliveries
            token = page.next_page_token
            if not token:
                return

    def drain(self, seconds: float) -> None:
        """Wait until no obligation is open in either service; what waits for a retry is hurried."""
        waiting = delivery_pb2.DeliveryFilter(states=[delivery_pb2.DELIVERY_STATE_RETRY_WAIT])
        hurry = delivery_service_pb2.RetryDeliveriesRequest(filter=waiting)

        def drained() -> bool:
            try:
                self.delivery.RetryDeliveries(hurry, timeout=CALL_SECONDS, wait_for_ready=True)
                return not self.open_obligations()
            except grpc.RpcError as error:
                # The Router may not yet have found a Delivery that was just started.
                if isinstance(from_rpc_error(error), Unavailable):
                    return False
                raise

        until(drained, "the queues are empty", seconds, DRAIN_POLL_SECONDS)

    def open_obligations(self) -> dict[str, int]:
        """How many obligations are open, by service and state."""
        names = {
            delivery_pb2.DeliveryState.Name(state).removeprefix("DELIVERY_STATE_").lower()
            for state in OPEN
        } | {"ready"}
        return {
            f"{line.service} {line.state}": line.count
            for line in self.ledger().lines
            if line.count and line.state.removeprefix("derived ") in names
        }


@contextmanager
def running_installation(
    home: Path,
    databases: Mapping[ServiceName, str] | None = None,
    extra: Mapping[str, str] | None = None,
    certificates: Certificates | None = None,
) -> Iterator[Installation]:
    """An installation whose services all serve."""
    with Installation(home, databases, extra, certificates=certificates) as installation:
        installation.start_and_wait()
        yield installation

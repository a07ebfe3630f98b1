"""The same as an administrator of targets would try it: through Config and Delivery as processes.

Each sample is tested as a draft, saved, tested as saved, and sent an event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from ironcore.notification.v1 import config_service_pb2, event_pb2, router_service_pb2, target_pb2
from ironcore.notification.v1.delivery_pb2 import DELIVERY_STATE_RETRY_WAIT
from tests.system.egress_vectors import CANARY_PORT, Vector, own_port_vectors, vectors
from tests.system.installation import CALL_SECONDS, Installation, running_installation, until

REFUSED = "ADDRESS_REFUSED"
NOT_SAVED = "not saved"
EVERY = 8
"""Of the vectors each so many-th: a group holds 100 targets, and each vector makes five."""
SECONDS = 60.0


@dataclass(slots=True)
class ByWay:
    """How the attempts ended, by the way they were asked for."""

    targets: int = 0
    ended: dict[str, Counter[str]] = field(default_factory=dict)

    def note(self, way: str, end: str) -> None:
        self.ended.setdefault(way, Counter())[end] += 1


def samples(own_port: int) -> Iterator[Vector]:
    """Some of each kind of vector, and a port of this very installation."""
    yield from (each for each in list(vectors())[::EVERY] if not each.rebinding)
    yield from (
        Vector(each.kind, each.host, each.gate, own_port)
        for each in list(own_port_vectors())[:EVERY]
    )


def targets_of(number: int, host: str, port: int) -> list[target_pb2.Target]:
    """Every kind of target, pointed to ``host``."""
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    header = target_pb2.Header(name="Authorization", value="Bearer t0ken")
    mail = target_pb2.SmtpTarget(
        server=host,
        port=port,
        from_address="ibs@example.com",
        tls_mode=target_pb2.SMTP_TLS_MODE_NONE,
        recipients=["ops@example.com"],
    )
    ntfy = target_pb2.WebhookTarget(url=f"{url}/topic", preset=target_pb2.WEBHOOK_PRESET_NTFY)
    influx = target_pb2.InfluxDbTarget(url=url, org="org", bucket="bucket", token="t0ken")
    return [
        target_pb2.Target(
            name=f"webhook-{number}", webhook=target_pb2.WebhookTarget(url=url, headers=[header])
        ),
        target_pb2.Target(name=f"ntfy-{number}", webhook=ntfy),
        target_pb2.Target(name=f"smtp-{number}", smtp=mail),
        target_pb2.Target(name=f"influxdb-{number}", influxdb=influx),
        target_pb2.Target(
            name=f"pushgateway-{number}", pushgateway=target_pb2.PushgatewayTarget(url=url)
        ),
    ]


def through_processes(directory: Path) -> ByWay:
    """Try the samples where targets may reach public addresses only."""
    ways = ByWay()
    limits = {"IBS_NOTIFY_EGRESS_ALLOW": "public"}
    with running_installation(directory, extra=limits) as installation:
        names: list[str] = []
        own_port = int(installation.services["router"].address.rpartition(":")[2])
        for number, vector in enumerate(samples(own_port)):
            for target in targets_of(number, vector.host, vector.port or CANARY_PORT):
                if _tested(installation, ways, "draft", draft=target) == NOT_SAVED:
                    continue
                installation.create_target(target)
                names.append(target.name)
                _tested(installation, ways, "saved", name=target.name)
        ways.targets = len(names)
        group = installation.create_group("all", dict.fromkeys(names, "*"))
        installation.await_config(group.revision)
        event = event_pb2.Event(type="backup.failed", subject="Backup failed")
        installation.router.Emit(router_service_pb2.EmitRequest(event=event), timeout=CALL_SECONDS)
        until(_all_wait(installation, len(names)), "every delivery was refused", SECONDS)
        for delivery in installation.deliveries([DELIVERY_STATE_RETRY_WAIT]):
            ways.note("delivery", delivery.reason)
    return ways


def _all_wait(installation: Installation, count: int) -> Callable[[], bool]:
    def looked() -> bool:
        waiting = installation.deliveries([DELIVERY_STATE_RETRY_WAIT])
        return sum(1 for _ in waiting) == count

    return looked


def _tested(installation: Installation, ways: ByWay, way: str, **subject: object) -> str:
    request = config_service_pb2.ConfigServiceTestTargetRequest(**subject)  # type: ignore[arg-type]
    try:
        answer = installation.config.TestTarget(request, timeout=CALL_SECONDS)
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
            raise
        ways.note(way, NOT_SAVED)
        return NOT_SAVED
    refused = not answer.ok and any(words in answer.summary for words in _WORDS)
    end = REFUSED if refused else f"{answer.stages[-1].name}: {answer.stages[-1].detail}"
    ways.note(way, end)
    return end


_WORDS = ("may ever reach", "egress_allow", "this installation itself")
"""By which a test says that the address was refused."""

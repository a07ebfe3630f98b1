"""Events through the whole system into real metric servers, and read back from there."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import (
    config_service_pb2,
    delivery_pb2,
    event_pb2,
    router_service_pb2,
    target_pb2,
)
from tests.system import metric_servers
from tests.system.installation import (
    CALL_SECONDS,
    Installation,
    free_port,
    running_installation,
    until,
)
from tests.system.metric_servers import (
    BUCKET,
    ORG,
    TOKEN,
    InfluxDb,
    Prometheus,
    Pushgateway,
    VictoriaMetrics,
)

pytestmark = [pytest.mark.system, pytest.mark.peer, pytest.mark.slow]

Need = Callable[[str, str], str]
FIRST = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)
ALPHABET = "aZ09 ,=\"\\\n\r\t\0\x1b#_/:'äß\u2028\N{SNOWMAN}\U0001f600"
TYPES = ("backup.failed", "backup.completed", "sync.failed", "custom.some-thing")
DATASTORES = ("ibs-primary", "it's 2, =x", "Grüße", "back\\slash")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with running_installation(tmp_path / "home") as installation:
        yield installation


@pytest.fixture
def influxdb(need_peer: Need, tmp_path: Path) -> Iterator[InfluxDb]:
    influxd, nginx = need_peer("influxd", "influxdb"), need_peer("nginx", "nginx-light")
    with metric_servers.running_influxdb(tmp_path, influxd, nginx) as server:
        yield server


@pytest.fixture
def victoria_metrics(need_peer: Need, tmp_path: Path) -> Iterator[VictoriaMetrics]:
    programs = [need_peer(name, "victoria-metrics") for name in ("victoria-metrics", "vmauth")]
    with metric_servers.running_victoria_metrics(tmp_path, *programs) as server:
        yield server


@pytest.fixture
def gateway(need_peer: Need, tmp_path: Path) -> Iterator[Pushgateway]:
    program = need_peer("prometheus-pushgateway", "prometheus-pushgateway")
    with metric_servers.running_pushgateway(tmp_path, program) as server:
        yield server


@pytest.fixture
def prometheus(need_peer: Need, tmp_path: Path, gateway: Pushgateway) -> Iterator[Prometheus]:
    program = need_peer("prometheus", "prometheus")
    with metric_servers.running_prometheus(tmp_path, program, gateway) as server:
        yield server


def influx_target(
    url: str, name: str = "influx", token: str = TOKEN, org: str = ORG, bucket: str = BUCKET
) -> target_pb2.Target:
    influx = target_pb2.InfluxDbTarget(url=url, org=org, bucket=bucket, token=token)
    return target_pb2.Target(name=name, influxdb=influx)


def gateway_target(
    url: str, username: str = "", password: str = "", ca_pem: str = ""
) -> target_pb2.Target:
    pushed = target_pb2.PushgatewayTarget(
        url=url, job="ibs/notifications", username=username, password=password, ca_pem=ca_pem
    )
    return target_pb2.Target(name="metrics", pushgateway=pushed)


def events(count: int, seed: str) -> list[event_pb2.Event]:
    """With random texts; many share a second, and all other fields that a series has."""
    chance = random.Random(seed)

    def text(most: int) -> str:
        return "".join(chance.choices(ALPHABET, k=chance.randrange(most)))

    made = []
    for number in range(count):
        event = event_pb2.Event(
            event_id=f"{seed}-{number:04}",
            type=chance.choice(TYPES),
            severity=chance.choice((event_pb2.SEVERITY_ERROR, event_pb2.SEVERITY_INFO)),
            subject=text(40),
            summary=text(400),
            actor=text(20),
            task_id=text(20),
            resource=f"/datastore/{chance.choice(DATASTORES)}/vm/{chance.randrange(5)}",
            labels={text(10) or "k": text(20) for _ in range(chance.randrange(3))},
        )
        event.timestamp.FromDatetime(FIRST + timedelta(milliseconds=chance.randrange(3000)))
        made.append(event)
    return made


def emit(installation: Installation, made: Sequence[event_pb2.Event]) -> None:
    request = router_service_pb2.EmitBatchRequest(events=made)
    answer = installation.router.EmitBatch(request, timeout=CALL_SECONDS, wait_for_ready=True)
    assert all(result.HasField("accepted") for result in answer.results)


def die_at(installation: Installation, failpoint: str, made: Sequence[event_pb2.Event]) -> None:
    """Delivery kills itself there while it sends ``made``, or what is left of before."""
    installation.stop("delivery")
    # Not waited for: with something left to send it may be dead before it serves.
    installation.start("delivery", failpoint=failpoint)
    emit(installation, made)
    installation.wait_for_death("delivery")
    installation.start_and_wait("delivery")


def deaths(installation: Installation) -> list[delivery_pb2.Delivery]:
    return list(installation.deliveries([delivery_pb2.DELIVERY_STATE_DEAD]))


def test_of(
    installation: Installation, name: str
) -> config_service_pb2.ConfigServiceTestTargetResponse:
    request = config_service_pb2.ConfigServiceTestTargetRequest(name=name)
    return installation.config.TestTarget(request, timeout=CALL_SECONDS)


test_of.__test__ = False  # type: ignore[attr-defined]  # it tests a target


# InfluxDB.


def text_fields(event: event_pb2.Event) -> dict[str, str]:
    """The texts of an event that are fields as they are."""
    names = ("event_id", "subject", "summary", "actor", "task_id", "resource")
    return {name: getattr(event, name) for name in names if getattr(event, name)}


def test_what_is_sent_to_influxdb_is_what_it_keeps_over_deaths_of_both(
    installation: Installation, influxdb: InfluxDb
) -> None:
    installation.create_target(influx_target(influxdb.url))
    installation.create_group("metrics", {"influx": "*"})
    sent = events(600, "influx")
    emit(installation, sent[:150])
    die_at(installation, "delivery.after_send@1", sent[150:300])
    die_at(installation, "delivery.after_claim@40", sent[300:450])
    influxdb.server.kill()
    emit(installation, sent[450:])
    until(lambda: any(each.attempt_count for each in retrying(installation)), "a write failed")
    influxdb.server.start()
    installation.drain(40)

    assert deaths(installation) == []
    points = {point["event_id"]: point for point in influxdb.points()}
    assert len(points) == len(influxdb.points()) == len(sent)
    for event in sent:
        point = points[event.event_id]
        assert {name: point[name] for name in text_fields(event)} == text_fields(event)
        assert point["count"] == 1
        assert (point["type"], point["source"]) == (event.type, event.type.partition(".")[0])
        assert point["severity"] == event_pb2.Severity.Name(event.severity)[9:].lower()
        assert point["datastore"] == event.resource.split("/")[2]
        assert point["time"] // 10**9 == event.timestamp.seconds
        moment = datetime.fromisoformat(point["event_time"])
        assert moment == event.timestamp.ToDatetime(tzinfo=UTC)


def retrying(installation: Installation) -> list[delivery_pb2.Delivery]:
    return list(installation.deliveries([delivery_pb2.DELIVERY_STATE_RETRY_WAIT]))


def test_a_point_that_influxdb_refuses_dies_alone_with_its_words(
    installation: Installation, influxdb: InfluxDb
) -> None:
    # Another program wrote a number where we write texts: the server takes no text there any more.
    line = "ibs_event,type=backup.failed,severity=error,source=backup actor=1 1779329675000000000"
    influxdb.write(line)
    installation.create_target(influx_target(influxdb.url))
    installation.create_group("metrics", {"influx": "*"})
    sent = events(100, "conflict")
    for number, event in enumerate(sent):
        event.actor = "root" if number in (7, 8, 93) else ""
    emit(installation, sent)
    installation.drain(30)

    dead = deaths(installation)
    assert {each.event_id for each in dead} == {sent[number].event_id for number in (7, 8, 93)}
    assert all("field type conflict" in each.detail for each in dead)
    kept = {point.get("event_id") for point in influxdb.points()}
    assert {event.event_id for event in sent} - kept == {each.event_id for each in dead}


def test_target_test_tells_url_token_org_and_bucket_apart(
    installation: Installation, influxdb: InfluxDb
) -> None:
    wrongs = {
        "right": influx_target(influxdb.url, "right"),
        "token": influx_target(influxdb.url, "token", token="wrong"),
        "org": influx_target(influxdb.url, "org", org="nope"),
        "bucket": influx_target(influxdb.url, "bucket", bucket="nope"),
        "url": influx_target(f"{influxdb.url}/elsewhere", "url"),
    }
    words = {
        "right": "right accepted the test message",
        "token": "unauthorized access",
        "org": 'organization name "nope" not found',
        "bucket": 'bucket "nope" not found',
        "url": "check the target's --url",
    }
    for name, target in wrongs.items():
        installation.create_target(target)
        answer = test_of(installation, name)
        failed = [each.name for each in answer.stages if not each.ok]
        assert failed == ([] if name == "right" else [name])
        assert words[name] in answer.summary
    assert influxdb.points() == []
    assert len(influxdb.points("ibs_test")) == 1


def test_victoriametrics_counts_every_event_whatever_its_texts(
    installation: Installation, victoria_metrics: VictoriaMetrics
) -> None:
    installation.create_target(influx_target(victoria_metrics.url))
    installation.create_group("metrics", {"influx": "*"})
    sent = events(200, "victoria")
    emit(installation, sent[:100])
    victoria_metrics.server.stop()
    emit(installation, sent[100:])
    victoria_metrics.server.start()
    installation.drain(30)
    assert deaths(installation) == []
    assert victoria_metrics.count("ibs_event_count") == len(sent)
    assert test_of(installation, "influx").ok


# Pushgateway.


def counted(sent: Sequence[event_pb2.Event]) -> dict[tuple[str, str, str], float]:
    """The totals that there must be."""
    return dict(
        Counter(
            (
                event.type,
                event_pb2.Severity.Name(event.severity)[9:].lower(),
                event.resource.split("/")[2],
            )
            for event in sent
        )
    )


def test_the_totals_of_a_pushgateway_are_right_over_deaths_of_both(
    installation: Installation, gateway: Pushgateway, prometheus: Prometheus
) -> None:
    installation.create_target(gateway_target(gateway.url))
    installation.create_group("metrics", {"metrics": "*"})
    sent = events(600, "gateway")
    emit(installation, sent[:100])
    die_at(installation, "delivery.after_count@1", sent[100:200])
    die_at(installation, "delivery.after_send@1", sent[200:300])
    die_at(installation, "delivery.after_claim@40", sent[300:400])
    gateway.server.kill()
    emit(installation, sent[400:500])
    until(lambda: any(each.attempt_count for each in retrying(installation)), "a push failed")
    gateway.server.start()
    emit(installation, sent[500:])
    installation.drain(60)
    assert deaths(installation) == []
    assert gateway.totals() == counted(sent)

    # A gateway that lost everything, and a service that is new: nothing is sent meanwhile.
    gateway.server.kill()
    gateway.server.start()
    assert gateway.totals() == {}
    installation.kill("delivery")
    installation.start_and_wait("delivery")
    until(lambda: gateway.totals() == counted(sent), "the totals are pushed again")

    until(lambda: prometheus.query("sum(ibs_events_total)") == len(sent), "Prometheus scraped them")
    of_one = 'ibs_events_total{job="ibs/notifications",target="metrics",type="backup.failed"}'
    assert prometheus.query(f"sum({of_one})") == sum(
        count for (kind, _, _), count in counted(sent).items() if kind == "backup.failed"
    )
    last = max(event.timestamp.ToDatetime(tzinfo=UTC) for event in sent)
    newest = prometheus.query("max(ibs_last_event_timestamp_seconds)")
    assert newest == pytest.approx(last.timestamp(), abs=1e-3)
    resource = "/datastore/ibs-primary/vm/1"
    good = [e for e in sent if e.resource == resource and e.type == "backup.completed"]
    success = prometheus.query(f'ibs_last_success_timestamp_seconds{{resource="{resource}"}}')
    expected = max(event.timestamp.ToDatetime(tzinfo=UTC) for event in good)
    assert success == pytest.approx(expected.timestamp(), abs=1e-3)


def test_two_replicas_push_one_truth_though_one_of_them_dies(
    tmp_path: Path, postgres_url: str, gateway: Pushgateway
) -> None:
    databases: dict[ServiceName, str] = dict.fromkeys(SERVICES, postgres_url)
    key = {"IBS_NOTIFY_KEY_FILE": str(tmp_path / "secret.key")}
    with ExitStack() as stack:
        first = stack.enter_context(Installation(tmp_path / "first", databases, key))
        ports = {name: free_port() for name in SERVICES}
        ports["config"] = int(first.services["config"].address.rpartition(":")[2])
        second = stack.enter_context(Installation(tmp_path / "second", databases, key, ports))
        # The Router that hands over decides which Delivery pushes.
        first.start_and_wait()
        second.start_and_wait("delivery")
        first.create_target(gateway_target(gateway.url))
        first.create_group("metrics", {"metrics": "*"})
        sent = events(400, "replicas")
        emit(first, sent[:100])
        until(lambda: gateway.totals() == counted(sent[:100]), "one replica pushed")
        first.stop("router")
        second.start_and_wait("router")
        emit(second, sent[100:200])
        until(lambda: gateway.totals() == counted(sent[:200]), "the other pushed")
        die_at(second, "delivery.after_count@1", sent[200:300])
        emit(second, sent[300:])
        second.drain(60)
        assert deaths(first) == []
        assert gateway.totals() == counted(sent)
        assert len(gateway.groups()) == 1


def test_what_is_pushed_is_good_by_promtool_and_goes_with_its_target(
    installation: Installation, gateway: Pushgateway, need_peer: Need
) -> None:
    promtool = need_peer("promtool", "prometheus")
    installation.create_target(gateway_target(gateway.url))
    installation.create_group("metrics", {"metrics": "*"})
    emit(installation, events(100, "lint"))
    installation.drain(30)
    text = metric_servers.get(f"{gateway.url}/metrics")
    ours = b"\n".join(line for line in text.splitlines() if b"ibs_" in line) + b"\n"
    command = [promtool, "check", "metrics"]
    checked = subprocess.run(command, input=ours, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")

    answer = test_of(installation, "metrics")
    assert [(each.name, each.ok) for each in answer.stages] == [
        ("resolve", True),
        ("connect", True),
        ("send", True),
        ("remove", True),
    ]
    (group,) = gateway.groups()
    assert group["labels"] == {"job": "ibs/notifications", "target": "metrics"}

    request = config_service_pb2.DeleteTargetRequest(name="metrics", force=True)
    installation.config.DeleteTarget(request, timeout=CALL_SECONDS)
    until(lambda: gateway.groups() == [], "the group is removed")


def test_a_gateway_behind_tls_of_a_private_ca_asks_for_a_password(
    installation: Installation, need_peer: Need, tmp_path: Path
) -> None:
    program = need_peer("prometheus-pushgateway", "prometheus-pushgateway")
    ca = trustme.CA()
    with metric_servers.running_pushgateway(tmp_path, program, ca=ca) as gateway:
        pem = ca.cert_pem.bytes().decode()
        for name, password, trusted in (
            ("right", metric_servers.PASSWORD, pem),
            ("wrong", "guessed", pem),
            ("untrusted", metric_servers.PASSWORD, ""),
        ):
            target = gateway_target(gateway.url, username="ibs", password=password, ca_pem=trusted)
            target.name = name
            installation.create_target(target)
        results = {name: test_of(installation, name) for name in ("right", "wrong", "untrusted")}
        failed = {
            name: [each.name for each in answer.stages if not each.ok]
            for name, answer in results.items()
        }
        assert failed == {"right": [], "wrong": ["send"], "untrusted": ["tls"]}
        installation.create_group("metrics", {"right": "*"})
        emit(installation, events(50, "tls"))
        installation.drain(30)
        assert deaths(installation) == []

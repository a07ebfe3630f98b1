"""A week of a backup installation: what is configured in it, and what happens, hour by hour.

The same each time, but for the moment when it ends.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from ironcore.notification.v1 import group_pb2, target_pb2
from ironcore.notification.v1.event_pb2 import Event
from ironcore.notification.v1.settings_pb2 import Settings
from tests.browser.peers import Peers

HOURS = 7 * 24
UNHEARD = "ibs-lab"
"""The datastore that nobody attached anything to."""
STORES = ("ibs-primary", "ibs-archive", "ibs-branch-west", UNHEARD)
STORM = 80
"""Events of the last minute, of a group that may tell two a minute."""
_JOBS = "alice@polystack!backup-job"
_NIGHT = {22, 23, 0, 1, 2, 3}
_REASONS = (
    "Task failed at chunk upload step: connection refused",
    "No space left on device while writing the index",
    "The guest did not answer the freeze request within 60 s",
)

SETTINGS = Settings(
    default_recipients=["backup-admins@example.com"],
    public_url="https://ibs.example.com",
    time_zone="Europe/Vienna",
    sender="IBS <ironcore-backup@example.com>",
)


def targets(peers: Peers) -> list[target_pb2.Target]:
    """Every kind, and one of each way to fare."""

    def webhook(name: str, path: str, description: str, **more: bool) -> target_pb2.Target:
        hook = target_pb2.WebhookTarget(
            url=peers.url(path),
            headers=[target_pb2.Header(name="Authorization", value="Bearer of-the-night")],
        )
        return target_pb2.Target(name=name, description=description, webhook=hook, **more)

    smtp = target_pb2.SmtpTarget(
        server="127.0.0.1",
        port=peers.mail_port,
        from_address="ironcore-backup@example.com",
        tls_mode=target_pb2.SMTP_TLS_MODE_NONE,
        recipients=["ops@example.com"],
    )
    influx = target_pb2.InfluxDbTarget(
        url=peers.url("influx"), org="polystack", bucket="ibs-events", token="of-the-night"
    )
    gateway = target_pb2.PushgatewayTarget(url=peers.url("push"), job="ibs")
    return [
        target_pb2.Target(name="ops-smtp", description="Mail to the operators", smtp=smtp),
        webhook("chat-ops", "ok", "The operators' chat room"),
        webhook("sms-gateway", "busy", "Texts whoever is on call"),
        webhook("old-pager", "gone", "The pager service we leave in March"),
        webhook("tickets", "wrong", "Opens a ticket for each failure"),
        webhook("archive", "ok", "Paused while the archive moves", disabled=True),
        target_pb2.Target(name="metrics-influx", description="Dashboards", influxdb=influx),
        target_pb2.Target(name="metrics-push", description="Prometheus", pushgateway=gateway),
    ]


def groups() -> list[group_pb2.Group]:
    """Those that the product page recommends, and one that a storm holds up."""

    def tell(target: str, rule: str = "*") -> group_pb2.Subscription:
        return group_pb2.Subscription(target=target, rule=rule)

    attached = [f"/datastore/{name}" for name in STORES if name != UNHEARD]
    audited = "type starts-with config. or type starts-with auth. or type starts-with verify."
    return [
        group_pb2.Group(
            name="ops-team",
            description="Daily operations team",
            scope=group_pb2.GROUP_SCOPE_ATTACHED,
            attachments=attached,
            subscriptions=[
                tell("ops-smtp", "severity >= warning"),
                tell("chat-ops", "severity in (error, critical)"),
                tell("metrics-influx"),
                tell("metrics-push", "severity >= warning"),
            ],
        ),
        group_pb2.Group(
            name="on-call",
            description="Whoever carries the phone",
            scope=group_pb2.GROUP_SCOPE_ATTACHED,
            attachments=attached[:2],
            subscriptions=[
                tell("sms-gateway", "severity >= error"),
                tell("old-pager", "severity = critical"),
                tell("tickets", "type ends-with .failed"),
                tell("archive", "severity >= error"),
            ],
        ),
        group_pb2.Group(
            name="compliance",
            description="Permissions, keys and verification results",
            subscriptions=[tell("ops-smtp", audited), tell("metrics-influx", audited)],
            digest=group_pb2.Digest(
                rule="severity in (info, notice)",
                frequency=group_pb2.DIGEST_FREQUENCY_DAILY,
                time="09:00",
            ),
        ),
        group_pb2.Group(
            name="executive-sponsor",
            description="Critical only, and a summary of the week",
            scope=group_pb2.GROUP_SCOPE_ATTACHED,
            attachments=attached[:1],
            subscriptions=[tell("ops-smtp", "severity = critical")],
            weekly_summary=True,
        ),
        group_pb2.Group(
            name="branch-west",
            description="The colleagues at the branch: two messages a minute",
            scope=group_pb2.GROUP_SCOPE_ATTACHED,
            attachments=["/datastore/ibs-branch-west"],
            subscriptions=[tell("chat-ops", "severity >= notice")],
            rate_limit_per_minute=2,
            dedup_window=Duration(seconds=0),
        ),
    ]


def hours() -> Iterator[tuple[timedelta, list[Event]]]:
    """How long ago, oldest first, and what happened in that hour."""
    chance = random.Random(7)
    for ago in range(HOURS, 0, -1):
        count = chance.randint(5, 11) if ago % 24 in _NIGHT else chance.randint(0, 2)
        yield timedelta(hours=ago), [_event(chance, ago, each) for each in range(count)]
    yield timedelta(0), list(_now())


def _event(chance: random.Random, ago: int, each: int) -> Event:
    store = chance.choices(STORES, (6, 3, 2, 1))[0]
    machine = chance.randrange(100, 140)
    resource = f"{store}:production/vm/{machine}"
    task = f"UPID:backup:00C123:{ago:04x}:{each:02x}:vm-{machine}"
    labels = {"site": "vienna" if store == "ibs-primary" else "graz", "node": f"node-{machine % 4}"}
    kind = chance.choices(
        ("completed", "failed", "warning", "verify", "corrupt", "space", "auth", "config"),
        (60, 7, 8, 10, 1, 4, 6, 4),
    )[0]
    common = {"task_id": task, "actor": _JOBS, "resource": resource, "labels": labels}
    match kind:
        case "completed":
            told = f"{chance.randrange(2, 90)} GiB in {chance.randrange(2, 50)} min, all verified"
            return Event(
                type="backup.completed",
                subject=f"Backup of vm/{machine}",
                summary=told,
                **common,
            )
        case "failed":
            return Event(
                type="backup.failed",
                subject=f"Backup failed for vm/{machine}",
                summary=chance.choice(_REASONS),
                **common,
            )
        case "warning":
            return Event(
                type="backup.warning",
                subject=f"Backup of vm/{machine} left out two files",
                summary="They changed while they were read; the next run takes them",
                **common,
            )
        case "verify":
            return Event(type="verify.completed", subject=f"{store} verified", **common)
        case "corrupt":
            return Event(
                type="verify.corrupt",
                subject=f"A chunk of vm/{machine} is corrupt",
                summary="Its digest does not match; the snapshot cannot be restored",
                **common,
            )
        case "space":
            return Event(
                type="datastore.free-space",
                subject=f"{store} is {chance.randrange(80, 96)} % full",
                resource=f"/datastore/{store}",
                labels=labels,
            )
        case "auth":
            return Event(
                type="auth.login-failed",
                subject="Login failed three times",
                actor="mallory@polystack",
                labels={"address": "203.0.113.7"},
            )
        case _:
            return Event(
                type="config.permission-granted",
                subject="alice may restore from ibs-archive",
                actor="root@pam",
            )


def _now() -> Iterator[Event]:
    """A link to the branch that breaks, and one event with a name to be found by."""
    for each in range(STORM):
        yield Event(
            type="sync.failed" if each % 8 == 0 else "backup.warning",
            subject=f"Sync of vm/{200 + each} is late",
            summary="The link to the branch is slow",
            resource=f"ibs-branch-west:production/vm/{200 + each}",
            actor="sync@polystack!automation",
            labels={"site": "branch-west"},
        )
    yield Event(
        event_id="evt-2026-05-21-001",
        type="backup.failed",
        subject="Backup failed for vm/12345",
        summary="Task failed at chunk upload step: connection refused",
        task_id="UPID:backup:00C123:6643:abc",
        actor=_JOBS,
        resource="ibs-primary:production/vm/12345",
        links={"runbook": "https://wiki.example.com/backup-failed"},
        labels={"site": "vienna"},
    )

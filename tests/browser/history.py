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
STORM = 48
"""Events of the last minute, of a group that may tell two a minute."""
_JOBS = "alice@polystack!backup-job"
_NIGHT = {22, 23, 0, 1, 2, 3}
_REASONS = (
    "Task failed at chunk upload step: connection refused",
    "No space left on device while writing the index",
    "The guest did not answer the freeze request within 60 s",
)

_KINDS = {
    "backup.completed": 60,
    "backup.failed": 7,
    "backup.warning": 8,
    "verify.completed": 10,
    "verify.corrupt": 1,
    "datastore.free-space": 4,
    "auth.login-failed": 6,
    "config.permission-granted": 4,
}
"""How often each comes."""
_SAID = {
    "backup.completed": ("Backup of {machine}", "All chunks are there and verified"),
    "backup.failed": ("Backup failed for {machine}", ""),
    "backup.warning": (
        "Backup of {machine} left out two files",
        "They changed while they were read; the next run takes them",
    ),
    "verify.completed": ("{store} is verified", "Every snapshot can be restored"),
    "verify.corrupt": (
        "A chunk of {machine} is corrupt",
        "Its digest does not match; the snapshot cannot be restored",
    ),
}
"""Subject and summary; without a summary one of the reasons."""

SETTINGS = Settings(
    default_recipients=["backup-admins@example.com"],
    public_url="https://ibs.example.com",
    time_zone="Europe/Vienna",
    sender="IBS <ironcore-backup@example.com>",
)


def targets(peers: Peers) -> list[target_pb2.Target]:
    """Every kind, and one of each way to fare."""

    def webhook(name: str, path: str, description: str) -> target_pb2.Target:
        hook = target_pb2.WebhookTarget(
            url=peers.url(path),
            headers=[target_pb2.Header(name="Authorization", value="Bearer of-the-night")],
        )
        return target_pb2.Target(name=name, description=description, webhook=hook)

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
    archive = webhook("archive", "ok", "Paused while the archive moves")
    archive.disabled = True
    return [
        target_pb2.Target(name="ops-smtp", description="Mail to the operators", smtp=smtp),
        webhook("chat-ops", "ok", "The operators' chat room"),
        webhook("sms-gateway", "busy", "Texts whoever is on call"),
        webhook("old-pager", "gone", "The pager service we leave in March"),
        webhook("tickets", "wrong", "Opens a ticket for each failure"),
        archive,
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
        count = chance.randint(7, 15) if ago % 24 in _NIGHT else chance.randint(0, 3)
        yield timedelta(hours=ago), [_event(chance, ago, each) for each in range(count)]
    yield timedelta(0), list(_now())


def _event(chance: random.Random, ago: int, each: int) -> Event:
    kind = chance.choices(list(_KINDS), list(_KINDS.values()))[0]
    store = chance.choices(STORES, (6, 3, 2, 1))[0]
    machine = f"vm/{chance.randrange(100, 140)}"
    event = Event(type=kind, actor=_JOBS)
    match kind.partition(".")[0]:
        case "auth":
            event.subject = "Login failed three times"
            event.actor = "mallory@polystack"
            event.labels["address"] = "203.0.113.7"
            return event
        case "config":
            event.subject = "alice may restore from ibs-archive"
            event.actor = "root@pam"
            return event
        case "datastore":
            event.subject = f"{store} is {chance.randrange(80, 96)} % full"
            event.resource = f"/datastore/{store}"
        case _:
            subject, summary = _SAID[kind]
            event.subject = subject.format(store=store, machine=machine)
            event.summary = summary or chance.choice(_REASONS)
            event.resource = f"{store}:production/{machine}"
            event.task_id = f"UPID:backup:00C123:{ago:04x}:{each:02x}:{machine}"
    event.labels["site"] = "vienna" if store == "ibs-primary" else "graz"
    return event


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

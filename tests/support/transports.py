"""What the tests of transports share: a clock that stands still, a message, a private CA."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import trustme

from ibs_notify.delivery.transports.base import Message
from ibs_notify.delivery.transports.dial import Dialler
from ibs_notify.domain.egress import parse_policy
from ibs_notify.domain.event import Event
from ibs_notify.domain.group import InstallationSettings
from ibs_notify.domain.severity import Severity

NOW = datetime(2026, 5, 21, 2, 15, 0, tzinfo=UTC)
ANYWHERE = Dialler(parse_policy("public, private, loopback", "production"))
"""Where tests may reach."""
SENDER = "ironcore-backup@example.org"


class StillClock:
    """A clock that moves when told to."""

    def __init__(self, now: datetime = NOW) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - NOW) / timedelta(seconds=1)


def event(**changes: object) -> Event:
    """The event of the product page, with ``changes``."""
    values: dict[str, object] = {
        "event_id": "evt-2026-05-21-001",
        "type": "backup.failed",
        "severity": Severity.ERROR,
        "timestamp": datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC),
        "subject": "Backup failed for vm/12345",
        "summary": "Task failed at chunk upload step: connection refused",
        "task_id": "UPID:backup:00C123:6643:abc",
        "actor": "alice@polystack!backup-job",
        "resource": "ibs-primary:production/vm/12345",
        "canonical_resource": "/datastore/ibs-primary/production/vm/12345",
    }
    return Event(**{**values, **changes})  # type: ignore[arg-type]


def message(
    *recipients: str,
    to: tuple[str, ...] = (),
    delivery_id: str = "d3b07384d113edec49eaa6238ad5ff00",
    sender: str = SENDER,
    suppressed: int = 0,
    **changes: object,
) -> Message:
    """A message to ``recipients``; ``to`` are all of its recipients, the delivered ones too."""
    return Message(
        delivery_id=delivery_id,
        event=event(**changes),
        recipients=recipients,
        all_recipients=to or recipients,
        settings=InstallationSettings(sender=sender),
        created_at=NOW,
        suppressed_count=suppressed,
    )


class LoopbackCa:
    """A private CA and a server certificate for 127.0.0.1 and localhost."""

    def __init__(self, *names: str) -> None:
        ca = trustme.CA()
        self.pem = ca.cert_pem.bytes().decode()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(self.server)

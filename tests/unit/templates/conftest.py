"""Events for the template tests: the product page's, the worst, and any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity

EventOf = Callable[..., Event]

_PAGE: Mapping[str, Any] = MappingProxyType(
    {
        "event_id": "evt-2026-05-21-001",
        "type": "backup.failed",
        "severity": Severity.ERROR,
        "timestamp": datetime(2026, 5, 21, 2, 14, 35, 987654, tzinfo=UTC),
        "subject": "Backup failed for vm/12345",
        "summary": "Task failed at chunk upload step: connection refused",
        "task_id": "UPID:backup:00C123:6643:abc...",
        "actor": "alice@polystack!backup-job",
        "resource": "ibs-primary:production/vm/12345",
        "task_url": "https://ibs.example.com/#tasks/1",
        "links": {"task_log": "https://ibs.example.com/api2/json/tasks/1/log"},
        "labels": {},
    }
)


@pytest.fixture(scope="session")
def event_of() -> EventOf:
    """The product page's event, with fields changed as asked."""

    def build(**changes: Any) -> Event:
        return Event(**{**_PAGE, **changes})

    return build


@pytest.fixture(scope="session")
def worst_event(event_of: EventOf) -> Event:
    """Every field at its bound, of the characters that grow most when escaped."""
    return event_of(
        subject='"' * 1000,
        summary="\x01" * 32768,
        task_id="'" * 512,
        actor="&" * 256,
        resource="😀" * 1024,
        task_url="https://" + "&" * 2040,
        links={f"{n:064}": "https://" + "&" * 2040 for n in range(15)}
        | {"task_log": "https://" + "&" * 2040},
        labels={f"{n:064}".replace("0", '"'): "'" * 1024 for n in range(64)},
        groups=tuple(f"{n:063}" for n in range(32)),
    )

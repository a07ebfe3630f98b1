"""What the tests of reports share: a day, events of it, and how a report is rendered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ibs_notify.delivery.reports.digest_report import (
    DigestReport,
    ReportBuilder,
    ReportWindow,
    to_bytes,
)
from ibs_notify.delivery.reports.stored import read_report
from ibs_notify.domain.catalogue import default_severity
from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from ibs_notify.templates.body import compile_body
from ibs_notify.templates.context import event_context
from ibs_notify.templates.mail import MailTemplates, RenderedMail
from ibs_notify.templates.shapes import Kind, Shape

OPENED = datetime(2026, 5, 20, 7, 0, tzinfo=UTC)
CLOSED = OPENED + timedelta(days=1)
WINDOW = ReportWindow("compliance", "ops-smtp", OPENED, CLOSED, "Europe/Berlin", "daily")
VM = "ibs-primary:production/vm/12345"


def event(event_type: str, hours: float = 0, resource: str = VM, **changes: Any) -> Event:
    """An event ``hours`` into the window."""
    values: dict[str, Any] = {
        "event_id": f"evt-{event_type}-{hours}",
        "type": event_type,
        "severity": default_severity(event_type),
        "timestamp": OPENED + timedelta(hours=hours),
        "subject": f"{event_type} of {resource}",
        "resource": resource,
        "canonical_resource": canonical(resource),
    }
    return Event(**{**values, **changes})


def report_of(*events: Event, window: ReportWindow = WINDOW) -> DigestReport:
    """The digest of events that were received a second after they happened."""
    return built(events, window)


def built(events: Iterable[Event], window: ReportWindow = WINDOW) -> DigestReport:
    builder = ReportBuilder(window)
    for each in events:
        builder.add(each, each.timestamp + timedelta(seconds=1))
    return builder.build()


def context_of(body: bytes) -> Mapping[str, Any]:
    """What templates see of a stored report."""
    told = read_report(body, "d-1", CLOSED)
    assert told is not None
    event, reports = told
    return event_context(event, reports=reports)


def mail_of(report: DigestReport | bytes) -> RenderedMail:
    """The mail of the built-in templates."""
    body = report if isinstance(report, bytes) else to_bytes(report)
    return MailTemplates.compile().render(context_of(body))


def webhook_of(report: DigestReport | bytes) -> Any:
    """The body of a webhook that has no template, parsed."""
    body = report if isinstance(report, bytes) else to_bytes(report)
    return json.loads(compile_body("").render(context_of(body)))


def fits(shape: Shape, value: object) -> bool:
    """Whether a value has exactly what its shape declares."""
    match shape.kind, value:
        case Kind.RECORD, dict():
            return value.keys() == shape.fields.keys() and all(
                fits(inner, value[name]) for name, inner in shape.fields.items()
            )
        case Kind.LIST, list():
            return shape.items is not None and all(fits(shape.items, each) for each in value)
        case ((Kind.TEXT | Kind.SEVERITY), str()):
            return True
        case Kind.NUMBER, int() | float():
            return True
        case _:
            return False


def hostile(number: int, fill: str) -> Event:
    """An event of its own kind, with every text at its bound."""
    resource = f"/{number}/{fill * 1015}"
    return event(
        f"x.t{number}-failed",
        number / 1000,
        resource,
        severity=list(Severity)[number % 5],
        subject=fill * 1000,
        event_id=f"{number:0128}",
        task_url="https://x/" + fill * 2038,
        links={"task_log": "https://x/" + fill * 2038},
    )

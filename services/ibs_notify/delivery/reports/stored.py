"""What a delivery's body says where that is a report and not an event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ibs_notify.delivery.reports import digest_report, weekly_report
from ibs_notify.delivery.reports.codec import name_of
from ibs_notify.delivery.reports.digest_report import digest_event
from ibs_notify.delivery.reports.digest_variables import digest_variables
from ibs_notify.delivery.reports.weekly_report import weekly_event
from ibs_notify.delivery.reports.weekly_variables import weekly_variables
from ibs_notify.domain.event import Event
from ibs_notify.templates.context import Report

Told = tuple[Event, Mapping[str, Report]]
"""The event that a report is told as, and the variable of templates that it becomes."""


def read_report(body: bytes, delivery_id: str, created_at: datetime) -> Told | None:
    """The report of ``to_bytes``; None where the body is an event's protobuf.

    Raises ValueError where it is neither.
    """
    match name_of(body):
        case digest_report.EVENT_TYPE:
            digest = digest_report.from_bytes(body)
            event = digest_event(digest, delivery_id, created_at)
            return event, {"digest": digest_variables(digest)}
        case weekly_report.EVENT_TYPE:
            weekly = weekly_report.from_bytes(body)
            event = weekly_event(weekly, delivery_id, created_at)
            return event, {"weekly": weekly_variables(weekly)}
        case "":
            return None
        case unknown:
            raise ValueError(f"no report is called {unknown}")

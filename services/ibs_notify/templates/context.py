"""From an event to what a template sees, and to the standard webhook payload."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Any, Final

from ibs_notify.domain.catalogue import outcome_of
from ibs_notify.domain.clock import in_zone
from ibs_notify.domain.event import Event
from ibs_notify.templates.report_shapes import REPORTS, nothing
from ibs_notify.templates.shapes import PRESET, SENT

MOST_ROWS: Final = 100
"""How many events of a digest or a summary a template sees; ``more`` counts the rest."""

MOST_TOPIC: Final = 255
"""Characters of ``event.topic``: what PagerDuty takes for a key."""

_NO_PRESET: Final[Mapping[str, str]] = dict.fromkeys(PRESET.fields, "")
_NOT_SENT: Final[Mapping[str, str]] = dict.fromkeys(SENT.fields, "")
_PAYLOAD_FIELDS: Final = (
    "event_id",
    "type",
    "severity",
    "subject",
    "summary",
    "task_id",
    "actor",
    "resource",
    "timestamp",
    "task_url",
    "links",
)
Report = Mapping[str, Any]
"""What a digest or a weekly summary says, as ``report_shapes`` declares it."""
NO_REPORTS: Final[Mapping[str, Report]] = MappingProxyType(
    {name: nothing(shape) for name, shape in REPORTS.items()}
)


def event_context(
    event: Event,
    *,
    suppressed: int = 0,
    rows: Sequence[Event] = (),
    preset: Mapping[str, str] = _NO_PRESET,
    sent: Mapping[str, str] = _NOT_SENT,
    reports: Mapping[str, Report] = NO_REPORTS,
    zone: tzinfo = UTC,
) -> dict[str, Any]:
    """The variables of a template, as ``variables.VARIABLES`` declares them.

    ``suppressed`` is how many identical events were held back since the last notification;
    ``rows`` are the events that a digest or a summary stands for, of which the first ``MOST_ROWS``
    are shown; ``preset`` has the fields of ``shapes.PRESET``, and ``sent`` those
    of ``shapes.SENT``; ``reports`` are the variables
    ``digest`` or ``weekly``, for a message that has one; ``zone`` is that of times for people. A
    field that the event does not have is an empty string, list or map.
    """
    return {
        "event": _record(event, zone),
        "suppressed": suppressed,
        "rows": [_record(row, zone) for row in rows[:MOST_ROWS]],
        "more": max(0, len(rows) - MOST_ROWS),
        "preset": preset,
        "sent": sent,
        **NO_REPORTS,
        **reports,
    }


def standard_payload(event: Event) -> dict[str, Any]:
    """The product's standard webhook payload: its fields, in its order.

    All eleven fields are always there; ``labels`` follows where the event has any.
    """
    return payload_of({"event": _record(event), **NO_REPORTS})


def payload_of(context: Mapping[str, Any]) -> dict[str, Any]:
    """The standard payload of a context: of its event, and of the report that the message is."""
    record = context["event"]
    payload = {name: record[name] for name in _PAYLOAD_FIELDS}
    if record["labels"]:
        payload["labels"] = record["labels"]
    payload.update({name: context[name] for name in REPORTS if context[name]["period"]})
    return payload


def rfc3339(moment: datetime) -> str:
    """``2026-05-21T02:14:35Z``: UTC, whole seconds (RFC 3339 section 5.6)."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def _record(event: Event, zone: tzinfo = UTC) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "type": event.type,
        "severity": event.severity.label,
        "subject": event.subject,
        "summary": event.summary,
        "task_id": event.task_id,
        "actor": event.actor,
        "resource": event.resource,
        "timestamp": rfc3339(event.timestamp),
        "when": f"{in_zone(event.timestamp, zone):%Y-%m-%d %H:%M:%S %Z}",
        "task_url": event.task_url,
        "links": dict(event.links),
        "labels": dict(event.labels),
        "source": event.source,
        "groups": list(event.groups),
        "outcome": outcome_of(event.type),
        "topic": _topic(event),
    }


def _topic(event: Event) -> str:
    """The same for a failure and for its recovery: the source with the resource, however it is
    spelt; without one, with the emitter's dedup_key; else the event's id."""
    what = event.canonical_resource or event.resource or event.dedup_key
    topic = f"{event.source}:{what}" if what else event.event_id
    if len(topic) <= MOST_TOPIC:
        return topic
    return hashlib.sha256(topic.encode("utf-8", errors="replace")).hexdigest()

"""Events between protobuf and the domain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from ibs_notify.domain import catalogue
from ibs_notify.domain.errors import FieldViolation
from ibs_notify.domain.event import NOTHING, Event
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from ironcore.notification.v1 import event_pb2

_SEVERITIES = {severity.value: severity for severity in Severity}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = -62_135_596_800
_LATEST = 253_402_300_799
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_from_proto(message: event_pb2.Event, now: datetime) -> tuple[Event, list[FieldViolation]]:
    """The event of a message, and the faults that the domain's types cannot hold.

    An unset severity becomes the type's default and an unset timestamp ``now``. Bounds are checked
    by ``domain.bounds``.
    """
    faults: list[FieldViolation] = []
    severity = _SEVERITIES.get(message.severity)
    if severity is None:
        severity = catalogue.default_severity(message.type)
        if message.severity:
            faults.append(
                FieldViolation("severity", f"no severity has the number {message.severity}")
            )
    moment = now
    if message.HasField("timestamp"):
        stamp = message.timestamp
        if is_moment(stamp):
            moment = moment_from_proto(stamp)
        else:
            faults.append(FieldViolation("timestamp", "is not between the years 1 and 9999"))
    resource = message.resource
    event = Event(
        message.event_id,
        message.type,
        severity,
        moment,
        message.subject,
        message.summary,
        message.task_id,
        message.actor,
        resource,
        canonical(resource),
        message.task_url,
        dict(message.links) if message.links else NOTHING,
        dict(message.labels) if message.labels else NOTHING,
        tuple(message.groups) if message.groups else (),
        message.dedup_key,
    )
    return event, faults


def event_to_proto(event: Event) -> event_pb2.Event:
    """The message of an event."""
    message = event_pb2.Event(
        event_id=event.event_id,
        type=event.type,
        severity=event_pb2.Severity.ValueType(event.severity.value),
        subject=event.subject,
        summary=event.summary,
        task_id=event.task_id,
        actor=event.actor,
        resource=event.resource,
        task_url=event.task_url,
        links=event.links,
        labels=event.labels,
        groups=event.groups,
        dedup_key=event.dedup_key,
    )
    message.timestamp.FromDatetime(event.timestamp)
    return message


def is_moment(stamp: Timestamp) -> bool:
    """Whether a timestamp is one: between the years 1 and 9999."""
    return _EARLIEST <= stamp.seconds <= _LATEST and 0 <= stamp.nanos < 1_000_000_000


def moment_from_proto(stamp: Timestamp) -> datetime:
    """The aware UTC moment of a timestamp, to the microsecond."""
    return _EPOCH + timedelta(0, stamp.seconds, stamp.nanos // 1000)


def moment_to_proto(moment: datetime | None) -> Timestamp | None:
    """The timestamp of a moment; ``None`` leaves a field unset."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp

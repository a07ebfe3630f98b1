"""From what a program says of an event to a checked message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict

from ibs_notify.domain import bounds
from ibs_notify.domain.errors import FieldViolation, InvalidArgument, Reason
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.convert import event_from_proto
from ironcore.notification.v1 import event_pb2


class EventFields(TypedDict, total=False):
    """What ``emit`` takes beside the type; all of it optional, meant as in event.proto."""

    event_id: str
    severity: Severity | str
    subject: str
    summary: str
    task_id: str
    actor: str
    resource: str
    timestamp: datetime
    task_url: str
    links: Mapping[str, str]
    labels: Mapping[str, str]
    groups: Iterable[str]
    dedup_key: str


def event_message(type_: str, fields: EventFields) -> event_pb2.Event:
    """The message. ``InvalidArgument`` for an unknown severity or a timestamp without a zone.

    Text that is no valid Unicode, such as a file name of other bytes, is written out: ``\\udcff``.
    """
    given: dict[str, Any] = {"type": type_, **fields}
    severity = given.pop("severity", None)
    timestamp = given.pop("timestamp", None)
    try:
        message = event_pb2.Event(**given)
    except UnicodeEncodeError:
        message = event_pb2.Event(**_valid(given))
    if severity is not None:
        message.severity = event_pb2.Severity.ValueType(_severity(severity))
    if timestamp is not None:
        message.timestamp.FromDatetime(_aware(timestamp))
    return message


def check(message: event_pb2.Event, now: datetime) -> None:
    """``InvalidArgument`` with every fault that the Router would refuse the event for."""
    event, faults = event_from_proto(message, now)
    faults += bounds.faults_of(event)
    if faults:
        raise InvalidArgument.of(faults, Reason.EVENT_INVALID)
    if message.ByteSize() > bounds.MAX_EVENT_BYTES:
        raise _fault("event", f"is over {bounds.MAX_EVENT_BYTES} bytes")


def _severity(given: Severity | str) -> int:
    if isinstance(given, Severity):
        return given.value
    try:
        return Severity.parse(given).value
    except ValueError as error:
        raise _fault("severity", str(error)) from None


def _aware(given: datetime) -> datetime:
    if given.utcoffset() is None:
        raise _fault("timestamp", "has no time zone: use datetime.now(UTC)")
    return given


def _valid(given: Any) -> Any:
    match given:
        case str():
            return given.encode(errors="backslashreplace").decode()
        case Mapping():
            return {_valid(key): _valid(value) for key, value in given.items()}
        case _:
            return [_valid(each) for each in given]


def _fault(path: str, description: str) -> InvalidArgument:
    return InvalidArgument.of([FieldViolation(path, description)], Reason.EVENT_INVALID)

"""An event as points of InfluxDB's line protocol. Pure.

The same event makes the same points on every attempt, so that one that is written twice is one.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Final

from influxdb_client.client.write.point import Point

from ibs_notify.delivery.transports.base import Message
from ibs_notify.delivery.transports.metric_labels import EventLabels

MEASUREMENT: Final = "ibs_event"
TEST_MEASUREMENT: Final = "ibs_test"
LONGEST_FIELD: Final = 64_000
"""Bytes of UTF-8; a server refuses a point with a string of more than 64 KiB."""

_SECOND: Final = 1_000_000_000
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
# What 64 bits of nanoseconds hold, in whole seconds.
_FIRST_SECOND: Final = -9_223_372_036
_LAST_SECOND: Final = 9_223_372_035


def line_of(message: Message, labels: EventLabels) -> bytes:
    """The event's point: tags have few values each, everything else is a field.

    A server that reads line by line, as VictoriaMetrics does, cannot read a text with line breaks
    and drops its line. Such a point is written in two halves, which InfluxDB makes one: the half
    that counts is readable for everybody.
    """
    texts = _texts(message)
    if any("\n" in text for text in texts.values()):
        halves = _point(message, labels, {}), _point(message, labels, texts, count=False)
        return b"\n".join(map(_line, halves))
    return _line(_point(message, labels, texts))


def test_line_of(message: Message) -> bytes:
    """A test's point, in a measurement of its own so that no count is changed by it."""
    return _line(Point(TEST_MEASUREMENT).field("count", 1).time(time_of(message)))


def time_of(message: Message) -> int:
    """Nanoseconds since the epoch: the event's second, and within it the delivery's sequence.

    Events of one second are points of their own in the order in which they came, however many.
    The field ``event_time`` has the fraction that the emitter gave.
    """
    second = (message.event.timestamp - _EPOCH) // timedelta(seconds=1)
    second = min(max(second, _FIRST_SECOND), _LAST_SECOND)
    return second * _SECOND + message.sequence % _SECOND


def _line(point: Point) -> bytes:
    return str(point.to_line_protocol()).encode()


def _point(
    message: Message, labels: EventLabels, texts: dict[str, str], *, count: bool = True
) -> Point:
    point: Point = Point(MEASUREMENT).time(time_of(message))
    for name, value in (
        ("type", labels.type),
        ("severity", labels.severity),
        ("source", labels.source),
        ("datastore", labels.datastore),
    ):
        point.tag(name, value)  # an empty one is left out
    if count:
        point.field("count", 1)
    for name, text in texts.items():
        point.field(name, text)
    return point


def _texts(message: Message) -> dict[str, str]:
    event = message.event
    texts = {
        "event_id": event.event_id,
        "event_type": event.type,
        "event_time": event.timestamp.isoformat(timespec="microseconds"),
        "subject": event.subject,
        "summary": event.summary,
        "actor": event.actor,
        "resource": event.resource,
        "task_id": event.task_id,
        "task_url": event.task_url,
        "labels": json.dumps(dict(event.labels), ensure_ascii=False) if event.labels else "",
    }
    return {name: _storable(text) for name, text in texts.items() if text}


def _storable(text: str) -> str:
    if text.isascii() and len(text) <= LONGEST_FIELD:
        return text
    data = text.encode(errors="replace")
    if len(data) > LONGEST_FIELD:
        data = data[: LONGEST_FIELD - 3] + "…".encode()
    return data.decode(errors="ignore")

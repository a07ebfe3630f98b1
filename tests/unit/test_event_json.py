"""Events as people write them, and between the wire and the domain."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain.errors import InvalidArgument, Reason
from ibs_notify.domain.event import Event
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from ibs_notify.rpc.convert import event_from_proto, event_to_proto
from ibs_notify.rpc.event_json import event_from_json, event_to_document
from ironcore.notification.v1 import event_pb2

NOW = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)

# The product page's standard webhook payload.
PAGE = """
{
  "event_id": "evt-2026-05-21-001",
  "type": "backup.failed",
  "severity": "error",
  "subject": "Backup failed for vm/12345",
  "summary": "Task failed at chunk upload step: connection refused",
  "task_id": "UPID:backup:00C123:6643:abc...",
  "actor": "alice@polystack!backup-job",
  "resource": "ibs-primary:production/vm/12345",
  "timestamp": "2026-05-21T02:14:35Z",
  "task_url": "https://ibs.<your-domain>/#tasks/<task-id>",
  "links": {
    "task_log": "https://ibs.<your-domain>/api2/json/tasks/<task-id>/log"
  }
}
"""

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
maps = st.dictionaries(text, text, max_size=3)
events = st.builds(
    lambda resource, **fields: Event(
        resource=resource, canonical_resource=canonical(resource), **fields
    ),
    resource=text,
    event_id=text,
    type=text,
    severity=st.sampled_from(Severity),
    timestamp=st.datetimes(timezones=st.just(UTC)),
    subject=text,
    summary=text,
    task_id=text,
    actor=text,
    task_url=text,
    links=maps,
    labels=maps,
    groups=st.lists(text, max_size=3).map(tuple),
    dedup_key=text,
)


def faults(message: event_pb2.Event) -> list[str]:
    return [each.path for each in event_from_proto(message, NOW)[1]]


def refused(document: str | bytes) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        event_from_json(document)
    assert caught.value.reason is Reason.EVENT_INVALID
    str(caught.value).encode()
    return caught.value


def test_the_pages_payload_is_read_and_written_as_it_is_printed() -> None:
    message = event_from_json(PAGE)
    assert message.severity == event_pb2.SEVERITY_ERROR
    assert message.resource == "ibs-primary:production/vm/12345"
    assert event_to_document(message) == json.loads(PAGE)


@given(events)
def test_an_event_survives_the_wire(event: Event) -> None:
    wire = event_to_proto(event).SerializeToString()
    assert event_from_proto(event_pb2.Event.FromString(wire), NOW) == (event, [])


@given(events)
def test_an_event_survives_json(event: Event) -> None:
    message = event_to_proto(event)
    assert event_from_json(json.dumps(event_to_document(message))) == message


@pytest.mark.parametrize("word", ["error", "ERROR", " Error ", "SEVERITY_ERROR"])
def test_a_severity_is_a_word_in_any_case(word: str) -> None:
    message = event_from_json(json.dumps({"type": "a.b", "severity": word}))
    assert message.severity == event_pb2.SEVERITY_ERROR


@pytest.mark.parametrize("value", ["fatal", "", "SEVERITY_FATAL", 4, 99, 1.5, [4], True, 1e999])
def test_any_other_severity_is_refused_by_its_name(value: object) -> None:
    error = refused(json.dumps({"type": "a.b", "severity": value}))
    assert [each.path for each in error.violations] == ["severity"]


def test_a_severity_of_null_is_none_given() -> None:
    assert event_from_json('{"type": "a.b", "severity": null}').severity == 0


def test_unknown_fields_are_refused_all_at_once_with_the_known_ones() -> None:
    error = refused('{"type": "a.b", "sumary": "x", "zone": 1, "severity": "fatal"}')
    assert [each.path for each in error.violations] == ["sumary", "zone", "severity"]
    assert "task_id" in error.violations[0].description


@pytest.mark.parametrize(
    "document",
    [
        "",
        "nonsense",
        "[]",
        '"backup.failed"',
        "null",
        b"\xff",
        "[" * 100_000,
        '{"subject": "\\ud800"}',
        '{"\\ud800": "x"}',
        '{"severity": "\\ud800"}',
        '{"labels": {"\\ud800": "x"}}',
        '{"labels": {"a": 1}}',
        '{"labels": [1]}',
        '{"groups": "ops"}',
        '{"groups": [null]}',
        '{"type": NaN}',
        '{"timestamp": 5}',
        '{"timestamp": "yesterday"}',
        '{"timestamp": "2026-05-21T02:14:35"}',
    ],
    ids=lambda document: repr(document)[:40],
)
def test_what_is_no_event_is_refused_with_a_sentence(document: str | bytes) -> None:
    assert refused(document).message


def test_an_unset_severity_is_the_types_default_and_an_unset_time_is_now() -> None:
    event, found = event_from_proto(event_pb2.Event(type="verify.corrupt"), NOW)
    assert (event.severity, event.timestamp, found) == (Severity.CRITICAL, NOW, [])


def test_the_emitters_severity_wins() -> None:
    message = event_pb2.Event(type="verify.corrupt", severity=event_pb2.SEVERITY_INFO)
    assert event_from_proto(message, NOW)[0].severity is Severity.INFO


def test_a_severity_without_a_name_is_a_fault() -> None:
    message = event_pb2.Event(type="a.b")
    message.MergeFromString(b"\x18\x63")  # field 3, the number 99
    assert faults(message) == ["severity"]


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected"),
    [
        (0, 0, []),
        (-62_135_596_800, 0, []),
        (253_402_300_799, 999_999_999, []),
        (-62_135_596_801, 0, ["timestamp"]),
        (253_402_300_800, 0, ["timestamp"]),
        (0, -1, ["timestamp"]),
        (0, 1_000_000_000, ["timestamp"]),
        (2**63 - 1, 0, ["timestamp"]),
    ],
)
def test_a_timestamp_is_between_the_years_1_and_9999(
    seconds: int, nanos: int, expected: list[str]
) -> None:
    message = event_pb2.Event(type="a.b")
    message.timestamp.seconds, message.timestamp.nanos = seconds, nanos
    assert faults(message) == expected


def test_a_time_in_another_zone_is_the_same_moment() -> None:
    message = event_from_json('{"type": "a.b", "timestamp": "2026-05-21T04:14:35.5+02:00"}')
    assert message.timestamp == Timestamp(seconds=int(NOW.timestamp()), nanos=500_000_000)
    assert event_from_proto(message, NOW)[0].timestamp == NOW + timedelta(seconds=0.5)


def test_both_spellings_of_a_resource_are_kept_and_compared_alike() -> None:
    event, _ = event_from_proto(event_pb2.Event(type="a.b", resource="ibs:vm/1"), NOW)
    assert (event.resource, event.canonical_resource) == ("ibs:vm/1", "/datastore/ibs/vm/1")

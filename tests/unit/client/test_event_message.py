"""From what a program says to a message."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ibs_notify.client.message import check, event_message
from ibs_notify.domain.errors import InvalidArgument, Reason
from ibs_notify.domain.severity import Severity
from ironcore.notification.v1 import event_pb2

NOW = datetime(2026, 5, 21, 2, 14, 35, tzinfo=UTC)


def test_every_field_arrives() -> None:
    message = event_message(
        "backup.failed",
        {
            "event_id": "e1",
            "severity": "Error",
            "subject": "s",
            "summary": "t",
            "task_id": "u",
            "actor": "a",
            "resource": "r:x",
            "timestamp": NOW,
            "task_url": "https://t",
            "links": {"wiki": "https://w"},
            "labels": {"site": "vienna"},
            "groups": ("ops",),
            "dedup_key": "d",
        },
    )
    assert {field.name for field, _ in message.ListFields()} == {
        field.name for field in event_pb2.Event.DESCRIPTOR.fields
    }
    assert message.severity == event_pb2.SEVERITY_ERROR
    assert message.timestamp.ToDatetime(UTC) == NOW


def test_a_severity_is_a_word_or_the_domain_s() -> None:
    assert event_message("a.b", {"severity": Severity.INFO}).severity == event_pb2.SEVERITY_INFO
    with pytest.raises(InvalidArgument, match="unknown severity 'bad'") as caught:
        event_message("a.b", {"severity": "bad"})
    assert [each.path for each in caught.value.violations] == ["severity"]


def test_a_timestamp_has_a_zone() -> None:
    with pytest.raises(InvalidArgument, match="no time zone"):
        event_message("a.b", {"timestamp": NOW.replace(tzinfo=None)})


def test_text_that_is_no_unicode_is_written_out_and_never_refused() -> None:
    message = event_message(
        "a.b", {"subject": "file-\udcff", "labels": {"k\udcff": "v\ud800"}, "groups": ["g\udcfe"]}
    )
    assert message.subject == "file-\\udcff"
    assert dict(message.labels) == {"k\\udcff": "v\\ud800"}
    assert list(message.groups) == ["g\\udcfe"]


def test_every_fault_is_named_before_anything_is_sent() -> None:
    with pytest.raises(InvalidArgument) as caught:
        check(event_message("Bad", {"event_id": "a b", "subject": "x" * 1001}), NOW)
    assert caught.value.reason is Reason.EVENT_INVALID
    assert [each.path for each in caught.value.violations] == ["type", "event_id", "subject"]

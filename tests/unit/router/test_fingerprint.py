"""Two events are identical when a reader would say so, whatever clock and task they come from."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain.event import Event
from ibs_notify.domain.severity import Severity
from ibs_notify.router.fingerprint import (
    FINGERPRINT_BYTES,
    PLACEHOLDER,
    SHORT,
    fingerprint,
    normalised,
)

FAILED = Event(
    "e",
    "backup.failed",
    Severity.ERROR,
    datetime(2026, 5, 21, tzinfo=UTC),
    subject="Backup failed for vm/12345",
    summary="Task failed at chunk upload step: connection refused",
    actor="alice@polystack!backup-job",
    resource="ibs-primary:production/vm/12345",
    canonical_resource="/datastore/ibs-primary/production/vm/12345",
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
odd_texts = st.text("a1\0 :s", max_size=6)


@pytest.mark.parametrize(
    "piece",
    [
        "2026-05-21",
        "2026/05/21",
        "2026-05-21 02:14",
        "2026-05-21T02:14:35Z",
        "2026-05-21T02:14:35.123456Z",
        "2026-05-21T02:14:35+02:00",
        "2026-05-21 02:14:35,123 +0200",
        "2026-05-21 02:14:35 UTC",
        "2026-05-21_02-14-35",
        "20260521T021435Z",
        "20260521-021435",
        "02:14:35",
        "2:14:35.5",
        "123:14:35",
        "1h 2m 3s",
        "1h2m3s",
        "2 hours, 3 minutes and 4.5 seconds",
        "12.5 s",
        "12,5 s",
        "1,234 ms",
        "350ms",
        "17 µs",
        "3 days",
        "1 min",
        "9f86d081-884c-4d65-9a2f-eaa0c55ad015",
        "9F86D081-884C-4D65-9A2F-EAA0C55AD015",
        "UPID:backup:00C123:6643:abc:alice@polystack!backup-job",
        "UPID%3Abackup%3A00C123",
        "9f86d081884c",
        "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f",
    ],
)
def test_a_piece_that_varies_from_one_telling_to_the_next_is_left_out(piece: str) -> None:
    assert normalised(piece) == PLACEHOLDER
    assert normalised(f"at {piece} refused") == f"at {PLACEHOLDER} refused"
    assert normalised(f"({piece}, twice)") == f"({PLACEHOLDER}, twice)"
    assert normalised(f'"{piece}"') == f'"{PLACEHOLDER}"'


def test_braces_around_a_uuid_stay_and_only_the_uuid_goes() -> None:
    assert normalised("{9f86d081-884c-4d65-9a2f-eaa0c55ad015}") == f"{{{PLACEHOLDER}}}"


def test_the_time_of_a_snapshot_in_a_path_goes() -> None:
    assert normalised("vm/12345/2026-05-21T02:00:00Z: gone") == f"vm/12345/{PLACEHOLDER}: gone"
    assert normalised("dump-2026-05-21.tar") == f"dump-{PLACEHOLDER}.tar"


@pytest.mark.parametrize(
    "text",
    [
        "3 chunks failed",
        "vm/12345 and ct/100",
        "4 of 10 snapshots, 40 %",
        "12 %",
        "12.5 GiB of 3 TiB",
        "10 MiB/s",
        "version 3.2.1",
        "v3 s",
        "10.0.0.12:8007 refused",
        "fe80::2:14:35 and 2001:db8::12:14:35",
        "aa:02:14:35:10:ff",
        "02:14:35:aa:bb:cc",
        "code 0x80070005",
        "exit code 137",
        "chunk 9f86d08",
        "123456789012345 bytes free",
        "daily at 02:14",
        "config.yml:12:30",
        "pool-3d and node/4m",
        "5 machines, 3 models, 4 säcke",
        "2 hosts 1 disk 7 users",
        "30s-timeout",
        "deadbeefcafe",
        "no digits at all",
        "",
    ],
)
def test_what_may_be_the_news_stays(text: str) -> None:
    assert normalised(text) == text


@given(
    at=st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)),  # noqa: DTZ001  zones are added
    minutes=st.integers(-720, 720),
    took=st.timedeltas(timedelta(0), timedelta(hours=99)),
    identity=st.uuids(),
    chunk=st.binary(min_size=16, max_size=32),
)
def test_two_tellings_of_the_same_are_identical(
    at: datetime, minutes: int, took: timedelta, identity: uuid.UUID, chunk: bytes
) -> None:
    zone = timezone(timedelta(minutes=minutes))
    seconds = took.total_seconds()
    summary = (
        f"at {at.replace(tzinfo=zone).isoformat()} ({at:%Y-%m-%d %H:%M:%S}Z, {at:%H:%M:%S}) after"
        f" {seconds:.1f} s, {int(seconds // 60)}m {int(seconds % 60)}s: chunk f0{chunk.hex()} of"
        f" {identity} in UPID:backup:{at:%H%M%S}:{identity.hex}: gone, 3 of 4"
    )
    assert normalised(summary) == (
        "at <varies> (<varies>, <varies>) after <varies>: chunk <varies> of <varies> in <varies>"
        " gone, 3 of 4"
    )


def test_a_summary_that_is_too_long_to_be_remembered_is_compared_like_any_other() -> None:
    long = "no space left " * SHORT
    first, again, other = (
        fingerprint(replace(FAILED, summary=long + end)) for end in ("2 s", "3 s", "on device")
    )
    assert first == again
    assert first != other


def test_an_identical_event_has_the_same_fingerprint_whatever_its_id_and_time() -> None:
    again = replace(
        FAILED,
        event_id="f",
        timestamp=datetime(2026, 5, 22, tzinfo=UTC),
        task_id="UPID:other",
        resource="/datastore/ibs-primary/production/vm/12345",
        labels={"a": "b"},
    )
    assert fingerprint(again) == fingerprint(FAILED)
    assert len(fingerprint(FAILED)) == FINGERPRINT_BYTES


@pytest.mark.parametrize(
    "other",
    [
        replace(FAILED, type="backup.warning"),
        replace(FAILED, severity=Severity.CRITICAL),
        replace(FAILED, actor="bob@polystack"),
        replace(FAILED, canonical_resource="/datastore/ibs-primary/production/vm/12346"),
        replace(FAILED, subject="Backup failed for vm/12346"),
        replace(FAILED, summary="Task failed at chunk upload step: disk full"),
        replace(FAILED, dedup_key="job-7"),
    ],
    ids=["type", "severity", "actor", "resource", "subject", "summary", "dedup_key"],
)
def test_an_event_that_says_something_else_has_another_fingerprint(other: Event) -> None:
    assert fingerprint(other) != fingerprint(FAILED)


def test_without_a_resource_every_character_of_the_text_counts() -> None:
    def locked(minutes: int, resource: str) -> bytes:
        summary = f"locked for {minutes} minutes"
        return fingerprint(replace(FAILED, summary=summary, canonical_resource=resource))

    assert locked(5, "/datastore/a") == locked(6, "/datastore/a")
    assert locked(5, "") != locked(6, "")


def test_a_dedup_key_takes_the_place_of_everything() -> None:
    keyed = replace(FAILED, dedup_key="job-7")
    other = Event("x", "sync.completed", Severity.INFO, FAILED.timestamp, dedup_key="job-7")
    assert fingerprint(keyed) == fingerprint(other)
    assert fingerprint(keyed) != fingerprint(replace(FAILED, dedup_key="job-8"))


@given(first=st.tuples(*[odd_texts] * 5), second=st.tuples(*[odd_texts] * 5))
def test_no_text_can_pass_for_a_part_of_the_next_one(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    def event(fields: tuple[str, ...]) -> Event:
        kind, actor, resource, subject, summary = fields
        return replace(
            FAILED,
            type=kind,
            actor=actor,
            canonical_resource=resource,
            subject=subject,
            summary=summary,
        )

    def meaning(fields: tuple[str, ...]) -> tuple[str, ...]:
        *head, subject, summary = fields
        return (*head, normalised(subject), normalised(summary)) if head[2] else fields

    same = fingerprint(event(first)) == fingerprint(event(second))
    assert same == (meaning(first) == meaning(second))


@given(first=texts | odd_texts, second=texts | odd_texts)
def test_texts_are_normalised_side_by_side_as_each_alone(first: str, second: str) -> None:
    assert normalised(f"{first}\0{second}") == f"{normalised(first)}\0{normalised(second)}"


def test_a_broken_surrogate_is_no_reason_to_fail() -> None:
    assert fingerprint(replace(FAILED, summary="\ud800 at 02:14:35"))


@pytest.mark.parametrize(
    "bomb",
    ["1s " * 10_922, "1" * 32_768, "0a" * 16_384, "1:1" * 10_922, "1s1" * 10_922, "1-" * 16_384],
)
def test_the_longest_summary_is_normalised_in_50_ms_whatever_is_in_it(bomb: str) -> None:
    begun = time.process_time()
    normalised(bomb + "!")
    assert time.process_time() - begun < 0.05

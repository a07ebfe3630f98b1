"""A digest groups like with like, worst first, and says what is still failing, in bounded size."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from tests.support.reports import CLOSED, OPENED, VM, WINDOW, built, event, hostile, report_of

from ibs_notify.delivery.reports import digest_durations, digest_lines, digest_standing
from ibs_notify.delivery.reports.digest_durations import duration_of_label
from ibs_notify.delivery.reports.digest_lines import LineTally, occurrence_of
from ibs_notify.delivery.reports.digest_report import (
    MOST_FAILING,
    MOST_LINES,
    digest_event,
    from_bytes,
    line_words,
    to_bytes,
)
from ibs_notify.delivery.reports.event_result import Result
from ibs_notify.domain.event import Event

# Like with like


def test_a_line_counts_like_events_and_says_what_they_took() -> None:
    runs = [event("backup.completed", n / 9, labels={"duration": "211"}) for n in range(37)]
    (line,) = report_of(*runs).lines
    assert line_words(line) == "37 × backup.completed on ibs-primary, 2 h 10 min in all"
    assert (line.first_at, line.last_at) == (OPENED, OPENED + timedelta(hours=4))
    assert line.latest.event_id == runs[-1].event_id
    assert line.event_ids == tuple(each.event_id for each in runs[:-6:-1])


def test_of_more_time_than_can_be_added_up_there_is_a_line_all_the_same() -> None:
    run = event("backup.completed", 1)
    line = LineTally(run.severity, run.type, "", run.timestamp, occurrence_of(run, run.timestamp))
    for years in (2_000_000, 2_000_000):
        line.add(run, run.timestamp)
        line.add_duration(timedelta(days=366 * years))
    assert line_words(line.line()).endswith("for 1 of them")


def test_lines_are_told_apart_by_datastore_else_by_resource() -> None:
    report = report_of(
        event("backup.completed", 1, "a:vm/1"),
        event("backup.completed", 2, "a:vm/2"),
        event("backup.completed", 3, "b:vm/1"),
        event("backup.completed", 4, "/host/x"),
        event("backup.completed", 5, ""),
    )
    assert [line_words(each) for each in report.lines] == [
        "2 × backup.completed on a",
        "1 × backup.completed",
        "1 × backup.completed on /host/x",
        "1 × backup.completed on b",
    ]


def test_the_worst_comes_first_and_then_what_came_most_often() -> None:
    report = report_of(
        event("backup.started", 1),
        event("backup.started", 2),
        event("backup.completed", 3),
        event("backup.failed", 4, "a:"),
        event("backup.failed", 5, "b:"),
        event("backup.failed", 6, "b:"),
        event("verify.corrupt", 7),
        event("datastore.pruned", 8),
    )
    assert [(each.severity.label, each.type, each.place) for each in report.lines] == [
        ("critical", "verify.corrupt", "ibs-primary"),
        ("error", "backup.failed", "b"),
        ("error", "backup.failed", "a"),
        ("notice", "datastore.pruned", "ibs-primary"),
        ("info", "backup.completed", "ibs-primary"),
        ("info", "backup.started", "ibs-primary"),
    ]


def test_an_event_that_says_it_comes_from_the_future_happened_when_it_was_received() -> None:
    ahead = event("backup.failed", 1000)
    assert built([replace(ahead, timestamp=CLOSED)]).lines[0].last_at == CLOSED
    never = event("backup.failed", timestamp=datetime(1, 1, 1, tzinfo=UTC))
    assert built([never]).lines[0].first_at.year == 1970


@pytest.mark.parametrize("seed", range(30))
def test_the_order_in_which_events_come_makes_no_difference(seed: int) -> None:
    chance = Random(seed)
    types = ("backup.failed", "backup.completed", "verify.corrupt", "backup.started")
    events = [
        event(
            chance.choice(types),
            chance.randrange(24),
            f"{chance.choice('ab')}:vm/{chance.randrange(4)}",
            event_id=f"e{number}",
        )
        for number in range(30)
    ]
    shuffled = chance.sample(events, len(events))
    assert built(shuffled) == built(events)


# Durations


def test_a_task_took_from_its_start_to_its_end() -> None:
    started = event("backup.started", 1, task_id="t1")
    ended = event("backup.completed", 1.5, task_id="t1")
    other = event("sync.completed", 3, task_id="t1")
    for order in ((started, ended, other), (other, ended, started)):
        lines = {each.type: each for each in report_of(*order).lines}
        assert lines["backup.completed"].duration == timedelta(minutes=30)
        assert lines["backup.started"].timed == lines["sync.completed"].timed == 0


def test_where_only_some_tell_how_long_they_took_the_line_says_of_how_many() -> None:
    told = event("backup.completed", 1, labels={"duration": "90"})
    (line,) = report_of(told, event("backup.completed", 2)).lines
    assert line_words(line) == "2 × backup.completed on ibs-primary, 1 min 30 s for 1 of them"


def test_a_task_that_ended_before_it_began_took_nobody_knows_how_long() -> None:
    report = report_of(
        event("backup.started", 2, task_id="t1"), event("backup.completed", 1, task_id="t1")
    )
    assert {each.timed for each in report.lines} == {0}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("134", 134),
        ("134.5", 134.5),
        ("12 s", 12),
        ("2h 10min", 7800),
        ("2h10m5s", 7805),
        ("1d 4h", 100_800),
        ("02:10:05", 7805),
        ("2:10", 7800),
        (" 5M ", 300),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert duration_of_label(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", " ", "fast", "2h 10", "-5", "1e9", "10:99", "5 weeks", "s"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert duration_of_label(text) is None


# Still failing


def failing(*events: Event) -> list[tuple[str, str, int]]:
    found = report_of(*events).failing
    return [(each.latest.resource, each.type, each.count) for each in found]


def test_what_failed_last_is_still_failing_and_what_was_mended_is_not() -> None:
    assert failing(
        event("backup.failed", 1, "a:vm/1"),
        event("backup.completed", 2, "a:vm/1"),
        event("backup.failed", 3, "a:vm/2"),
        event("backup.failed", 4, "/datastore/a/vm/2"),
        event("backup.started", 5, "a:vm/2"),
    ) == [("/datastore/a/vm/2", "backup.failed", 2)]


def test_a_sound_backup_does_not_mend_a_corrupt_verification() -> None:
    assert failing(event("verify.corrupt", 1), event("backup.completed", 2)) == [
        (VM, "verify.corrupt", 1)
    ]


def test_the_last_word_is_the_one_that_happened_last_not_the_one_that_came_last() -> None:
    late = event("backup.failed", 1)
    assert not failing(event("backup.completed", 2), late)


def test_what_has_no_resource_cannot_be_followed() -> None:
    assert not failing(event("backup.failed", 1, ""))


def test_the_worst_of_what_is_failing_comes_first() -> None:
    assert failing(
        event("backup.warning", 1, "a:1"),
        event("backup.failed", 2, "a:2"),
        event("backup.failed", 3, "a:3"),
        event("backup.failed", 4, "a:3"),
        event("verify.corrupt", 5, "a:4"),
    ) == [
        ("a:4", "verify.corrupt", 1),
        ("a:3", "backup.failed", 2),
        ("a:2", "backup.failed", 1),
        ("a:1", "backup.warning", 1),
    ]


# The whole


def test_the_subject_counts_what_failed_and_the_others() -> None:
    many = [event("backup.completed", n / 20) for n in range(214)]
    bad = [event("backup.failed", n) for n in range(3)]
    told = digest_event(report_of(*many, *bad), "d-1", CLOSED)
    assert told.subject == "Daily digest of compliance: 3 failed, 214 others"
    assert told.type == "notification.digest"
    assert told.timestamp == CLOSED
    assert told.summary == (
        "3 failed, 214 others.\n"
        "\n"
        "- error: 3 × backup.failed on ibs-primary\n"
        "- info: 214 × backup.completed on ibs-primary"
    )


@pytest.mark.parametrize(
    ("types", "headline"),
    [
        ([], "no events"),
        (["backup.completed"], "1 event, no problems"),
        (["backup.warning", "auth.token-created"], "1 warned, 1 other"),
        (["backup.failed"], "1 failed"),
        (["backup.failed", "verify.stale", "backup.started"], "1 failed, 1 warned, 1 other"),
    ],
)
def test_the_headline_says_what_there_was(types: list[str], headline: str) -> None:
    told = digest_event(report_of(*(event(each) for each in types)), "d-1", CLOSED)
    assert told.subject == f"Daily digest of compliance: {headline}"


def test_a_stored_report_is_read_back_as_it_was() -> None:
    report = report_of(
        event("backup.failed", 1, task_url="https://x/1", links={"task_log": "https://x/2"}),
        event("backup.completed", 2, "b:", labels={"duration": "3.25"}),
        event("auth.login-failed", 3, "", subject='Zoë "☃"\n\x00'),
    )
    assert from_bytes(to_bytes(report)) == report


def test_a_report_of_another_release_is_read_as_far_as_it_is_understood() -> None:
    stored = to_bytes(report_of(event("backup.failed", 1)))
    newer = stored.replace(b'"more_lines":0', b'"news":[{"x":1}]')
    assert newer != stored
    assert from_bytes(newer) == from_bytes(stored)


@pytest.mark.parametrize(
    "stored",
    [b"", b"{}", b"[1]", b"\xff", b'{"notification.digest":{}}', b'{"notification.digest":7}'],
)
def test_what_is_no_report_is_refused(stored: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        from_bytes(stored)


# Bounds


@pytest.mark.parametrize("fill", ["&", '"', "\x01", "😀", "a"])
def test_a_report_of_any_texts_is_small(fill: str) -> None:
    report = built(hostile(number, fill) for number in range(400))
    assert len(to_bytes(report)) <= 256 * 1024
    assert report.lines
    assert report.failing
    assert report.total == report.listed + 400 - len(report.lines)
    assert report.failing_count == 400


def test_a_report_lists_so_much_and_counts_the_rest() -> None:
    report = built(event("backup.failed", n / 1000, f"d{n}:vm") for n in range(3000))
    assert len(report.lines) == MOST_LINES
    assert report.more_lines == digest_lines.MOST_KINDS - MOST_LINES
    assert len(report.failing) == MOST_FAILING
    assert report.failing_count == 3000
    assert report.count_of(Result.FAILED) == 3000


def test_what_is_followed_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_standing, "MOST_RESOURCES", 3)
    monkeypatch.setattr(digest_standing, "MOST_NAMED", 2)
    monkeypatch.setattr(digest_durations, "MOST_TASKS", 1)
    tasks = [event("backup.started", n, f"a:{n}", task_id=f"t{n}") for n in range(3)]
    ends = [event("backup.failed", n + 1, f"a:{n}", task_id=f"t{n}") for n in range(5)]
    report = report_of(*tasks, *ends)
    assert (len(report.failing), report.failing_count) == (2, 3)
    assert sum(each.timed for each in report.lines) == 1


def test_room_that_a_mended_one_leaves_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_standing, "MOST_NAMED", 1)
    assert failing(
        event("backup.failed", 1, "a:1"),
        event("backup.completed", 2, "a:1"),
        event("backup.failed", 3, "a:2"),
    ) == [("a:2", "backup.failed", 1)]


def a_busy_day(count: int) -> Iterator[Event]:
    """Tasks that begin and end, most of them well, on thousands of machines."""
    chance = Random(5)
    for number in range(count // 2):
        machine = f"ibs-{chance.randrange(20)}:production/vm/{chance.randrange(20_000)}"
        shared: dict[str, Any] = {"task_id": f"UPID:{number:08x}", "summary": "x" * 200}
        at = chance.random() * 23
        yield event("backup.started", at, machine, event_id=f"s{number}", **shared)
        ended = "backup.failed" if chance.random() < 0.02 else "backup.completed"
        yield event(ended, at + 0.2, machine, event_id=f"e{number}", **shared)


def test_a_hundred_thousand_events_take_seconds_and_a_few_megabytes() -> None:
    events = list(a_busy_day(100_000))
    began = time.process_time()
    report = built(events, WINDOW)
    spent = time.process_time() - began
    assert report.total == 100_000
    assert sum(each.timed for each in report.lines) == 50_000
    # Several times what it takes on a slow machine.
    assert spent < 15

    tracemalloc.start()
    built(events[:20_000], WINDOW)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 1024 * 1024

"""A weekly summary says how the week's work went, where it went wrong, and how messages fared."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser

import pytest
from tests.support.reports import CLOSED, context_of, fits, mail_of, webhook_of

from ibs_notify.delivery.reports.digest_report import ReportWindow
from ibs_notify.delivery.reports.weekly_report import (
    MOST_DATASTORES,
    MOST_OF_A_NAME,
    DeliveryHealth,
    EventCount,
    EventTotals,
    FailingTarget,
    Offender,
    WeeklyReport,
    from_bytes,
    to_bytes,
    weekly_event,
    weekly_report,
)
from ibs_notify.domain.catalogue import default_severity
from ibs_notify.domain.severity import Severity
from ibs_notify.templates.body import compile_body
from ibs_notify.templates.report_shapes import WEEKLY
from ibs_notify.templates.run import MOST_RESULT

WINDOW = ReportWindow(
    "executive-sponsor", "ops-smtp", CLOSED - timedelta(days=7), CLOSED, "Europe/Berlin", "weekly"
)
HEALTH = DeliveryHealth(
    1204,
    17,
    2,
    1,
    timedelta(seconds=0.42),
    timedelta(seconds=4.1),
    (FailingTarget("chat-ops", CLOSED - timedelta(hours=5), "503 busy"),),
)


def count(datastore: str, event_type: str, number: int) -> EventCount:
    return EventCount(datastore, event_type, default_severity(event_type), number)


COUNTS = (
    count("ibs-primary", "backup.completed", 812),
    count("ibs-primary", "backup.started", 820),
    count("ibs-primary", "backup.failed", 8),
    count("ibs-primary", "verify.stale", 3),
    count("ibs-archive", "sync.completed", 168),
    count("", "auth.login-failed", 11),
    count("", "notification.delivery-dead", 9),
)
OFFENDERS = (
    Offender("/datastore/ibs-primary/vm/1", "backup.failed", Severity.ERROR, 6),
    Offender("/x", "notification.target-failing", Severity.ERROR, 5),
)


def report(
    counts: tuple[EventCount, ...] = COUNTS,
    offenders: tuple[Offender, ...] = OFFENDERS,
    health: DeliveryHealth = HEALTH,
    other: int = 0,
) -> WeeklyReport:
    return weekly_report(WINDOW, EventTotals(counts, offenders, other), health)


def test_results_are_added_up_by_datastore_and_source_worst_first() -> None:
    told = [
        (each.name, each.failed, each.warned, each.succeeded, each.other)
        for each in report().datastores
    ]
    assert told == [
        ("ibs-primary", 8, 3, 812, 820),
        ("", 0, 11, 0, 0),
        ("ibs-archive", 0, 0, 168, 0),
    ]
    parts = report().datastores[0].parts
    assert [(each.name, each.failed, each.warned) for each in parts] == [
        ("backup", 8, 0),
        ("verify", 0, 3),
    ]


def test_what_the_system_says_of_itself_is_no_work_of_the_week() -> None:
    assert report().totals.total == sum(each.count for each in COUNTS[:-1])
    assert [each.resource for each in report().offenders] == ["/datastore/ibs-primary/vm/1"]


def test_the_rate_is_of_jobs_and_rounded_down() -> None:
    event = weekly_event(report(), "d-1", CLOSED)
    # Of 812 + 168 that succeeded, 8 that failed and 3 that warned; logins are no jobs.
    assert event.subject == (
        "Weekly summary for executive-sponsor: 98.8 % of 991 jobs succeeded, 8 failed, 14 warned"
    )
    almost = report((count("a", "backup.completed", 9999), count("a", "backup.failed", 1)))
    assert "99.9 % of 10,000 jobs" in weekly_event(almost, "d", CLOSED).subject
    whole = report((count("a", "backup.completed", 9999),))
    assert "100 % of 9,999 jobs succeeded, no problems" in weekly_event(whole, "d", CLOSED).subject
    none = report((count("", "auth.token-created", 2),))
    assert weekly_event(none, "d", CLOSED).subject.endswith(": 2 events, no problems")


def test_the_summary_makes_sense_anywhere() -> None:
    event = weekly_event(report(), "d-1", CLOSED)
    assert event.type == "notification.weekly-summary"
    assert event.summary == (
        "98.8 % of 991 jobs succeeded, 8 failed, 14 warned.\n"
        "\n"
        "- ibs-primary: 8 failed, 3 warned, 812 succeeded, 820 other\n"
        "- Outside of datastores: 11 warned\n"
        "- ibs-archive: 168 succeeded\n"
        "\n"
        "Worst offenders:\n"
        "- /datastore/ibs-primary/vm/1: 6 × backup.failed\n"
        "\n"
        "1,204 notifications delivered, half of them within 0.4 s; 2 given up; "
        "1 target failing now."
    )


def test_a_stored_summary_is_read_back_as_it_was() -> None:
    assert from_bytes(to_bytes(report())) == report()


def test_the_mail_says_all_of_it() -> None:
    mail = mail_of(to_bytes(report()))
    assert mail.subject == f"[IBS] {weekly_event(report(), 'd-1', CLOSED).subject}"
    for part in (
        "Thu 14 May 09:00 – Thu 21 May 2026 09:00 (Europe/Berlin)",
        "  ibs-primary - 98.6 % of 823 jobs\n    backup: 8 failed, 812 succeeded, 820 other\n",
        "  Outside of datastores\n    auth: 11 warned\n",
        "  ERROR  /datastore/ibs-primary/vm/1\n    6 x backup.failed\n",
        "  1204 delivered: half within 0.4 s, 95 of 100 within 4.1 s\n",
        "  17 of them took more than one attempt; given up: 2; cancelled: 1\n",
        "  FAILING  chat-ops since 04:00: 503 busy\n",
    ):
        assert part in mail.text
    for part in ("98.6 %", "Worst offenders", "503 busy", "half within 0.4 s"):
        assert part in (mail.html or "")


def test_a_week_without_anything_is_said_to_be_one() -> None:
    mail = mail_of(to_bytes(report((), (), DeliveryHealth())))
    assert "Nothing happened in this week.\n" in mail.text
    assert "  0 delivered\n" in mail.text


def test_a_webhook_is_told_in_json_what_the_mail_says() -> None:
    body = webhook_of(to_bytes(report(other=4)))
    assert "digest" not in body
    weekly = body["weekly"]
    assert weekly["opened_at"] == "2026-05-14T09:00:00+02:00"
    assert weekly["more_events"] == 4
    assert weekly["datastores"][0]["sources"][0]["failed"] == 8
    assert weekly["delivery"]["p95_seconds"] == 4.1
    assert weekly["delivery"]["failing_targets"] == [
        {
            "name": "chat-ops",
            "since": "2026-05-21T04:00:00+02:00",
            "when": "04:00",
            "reason": "503 busy",
        }
    ]


def test_a_summary_says_exactly_what_its_shape_declares() -> None:
    assert fits(WEEKLY, context_of(to_bytes(report()))["weekly"])


class _Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


def named(text: str) -> WeeklyReport:
    return report(
        (count(f"d{text}", "backup.failed", 1),),
        (Offender(f"r{text}", "backup.failed", Severity.ERROR, 1),),
        DeliveryHealth(failing=(FailingTarget("t", CLOSED, f"why{text}"),)),
    )


@pytest.mark.parametrize(
    "text", ["</td><script>x</script>", '"><img src=x>', "a\r\nBcc: x", "<!--"]
)
def test_no_name_becomes_an_element_a_line_or_a_header(text: str) -> None:
    mail, plain = mail_of(to_bytes(named(text))), mail_of(to_bytes(named("")))
    assert _Elements(mail.html or "").found == _Elements(plain.html or "").found
    assert mail.text.count("\n") == plain.text.count("\n")
    assert len(mail.subject.splitlines()) == 1


@pytest.mark.parametrize("fill", ["&", '"', "\x01", "😀"])
def test_the_worst_summary_is_rendered_within_its_bounds(fill: str) -> None:
    worst = report(
        tuple(
            EventCount(f"{n}{fill * 1000}", f"s{part}.failed", Severity.ERROR, 10**15)
            for n in range(200)
            for part in range(20)
        ),
        tuple(Offender(fill * 1024, "x.failed", Severity.ERROR, n) for n in range(100)),
        DeliveryHealth(
            failing=tuple(FailingTarget("n" * 63, CLOSED, fill * MOST_OF_A_NAME) for _ in range(20))
        ),
    )
    stored = to_bytes(worst)
    mail, body = mail_of(stored), compile_body("").render(context_of(stored))
    sizes = [len(each) for each in (stored, mail.text.encode(), (mail.html or "").encode(), body)]
    assert max(sizes) <= MOST_RESULT
    assert worst.more_datastores == 200 - MOST_DATASTORES

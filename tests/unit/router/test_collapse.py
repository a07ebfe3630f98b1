"""A backlog over its bound collapses its lowest severities, and the summary accounts for each."""

from __future__ import annotations

import re
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import chain

from hypothesis import given, settings
from hypothesis import strategies as st

from ibs_notify.domain.bounds import MAX_SUBJECT, MAX_SUMMARY
from ibs_notify.domain.severity import Severity
from ibs_notify.router.collapse import (
    CollapseReason,
    SummaryRow,
    bound_of,
    collapse,
    summary_of,
)

NIGHT = datetime(2026, 5, 21, 2, 14, tzinfo=UTC)
BELOW_CRITICAL = sorted(set(Severity) - {Severity.CRITICAL})
INFO, WARNING, ERROR, CRITICAL = (
    Severity.INFO,
    Severity.WARNING,
    Severity.ERROR,
    Severity.CRITICAL,
)

rows_of_any_kind = st.builds(
    SummaryRow,
    st.sampled_from(["backup.failed", "verify.stale", "a." + "x" * 62]),
    st.sampled_from(BELOW_CRITICAL),
    st.text(max_size=8) | st.just("ibs-primary:vm/1") | st.text("ab/", min_size=500, max_size=900),
    st.text(max_size=20) | st.just("x" * 1000),
    st.text("abc-", min_size=1, max_size=128),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 3)).map(  # noqa: DTZ001  made UTC here
        lambda moment: moment.replace(tzinfo=UTC)
    ),
)


def row(number: int, **fields: object) -> SummaryRow:
    values: dict[str, object] = {
        "type": "backup.failed",
        "severity": ERROR,
        "resource": f"ibs-primary:vm/{number}",
        "subject": f"Backup failed for vm/{number}",
        "event_id": f"evt-{number}",
        "timestamp": NIGHT + timedelta(minutes=number),
    }
    return SummaryRow(**(values | fields))  # type: ignore[arg-type]  # the test gives fields by name


def test_the_bound_is_what_a_quarter_of_an_hour_releases() -> None:
    assert bound_of(60) == 900
    assert collapse({INFO: 10**9}, bound_of(0)).reason is CollapseReason.WITHIN_BOUND


def test_a_backlog_within_its_bound_is_left_alone() -> None:
    assert collapse({INFO: 900}, 900).counts == {}


def test_the_lowest_severity_gives_first_and_until_half_the_bound_is_left() -> None:
    assert collapse({INFO: 901}, 900).counts == {INFO: 451}
    assert collapse({ERROR: 890, INFO: 11}, 900).counts == {INFO: 11}
    assert collapse({ERROR: 950, WARNING: 20, INFO: 11}, 900).counts == {
        INFO: 11,
        WARNING: 20,
        ERROR: 500,
    }


def test_critical_events_are_never_collapsed() -> None:
    assert collapse({CRITICAL: 5000}, 900).reason is CollapseReason.ONLY_CRITICAL
    assert collapse({CRITICAL: 5000, INFO: 7}, 900).counts == {INFO: 7}


@given(
    waiting=st.dictionaries(st.sampled_from(Severity), st.integers(0, 3000)),
    bound=st.integers(1, 2000),
)
def test_what_collapses_is_needed_and_enough(waiting: dict[Severity, int], bound: int) -> None:
    decision = collapse(waiting, bound)
    total, gone = sum(waiting.values()), sum(decision.counts.values())
    assert (decision.reason is CollapseReason.WITHIN_BOUND) == (total <= bound)
    assert all(0 < count <= waiting[each] for each, count in decision.counts.items())
    assert CRITICAL not in decision.counts
    left = {each: count - decision.counts.get(each, 0) for each, count in waiting.items()}
    assert total - gone <= bound or not any(left.get(each) for each in BELOW_CRITICAL)
    for severity in decision.counts:
        lower = [each for each in Severity if each < severity]
        assert not any(left.get(each) for each in lower)
        assert total - sum(decision.counts.get(each, 0) for each in lower) > bound
    assert not gone or total - gone >= bound // 2


def test_like_is_grouped_with_like_worst_first() -> None:
    rows = [row(number, severity=WARNING, type="verify.stale") for number in range(40)]
    rows += [row(number) for number in range(100, 117)]
    subject, text = summary_of(rows, "evt-summary")
    assert subject == "57 events in one: 17 error, 40 warning"
    assert text.startswith("More events were waiting than the rate limit releases in 15 minutes.")
    assert "of 2026-05-21 02:14 to 2026-05-21 04:10 UTC" in text
    first, second = text.split("\n\n")[1:]
    assert first.startswith("17 × backup.failed (error) on ibs-primary, 03:54–04:10\n")
    assert "latest: Backup failed for vm/116\n" in first
    assert first.endswith("\n  evt-100, evt-101, evt-102, evt-103, evt-104, …")
    assert second.startswith("40 × verify.stale (warning) on ibs-primary, 02:14–02:53\n")


def test_no_subject_can_forge_a_line() -> None:
    _, text = summary_of([row(1, subject="a\n\n99 × backup.failed", resource="b\nc")], "evt-s")
    assert "latest: a  99 × backup.failed" in text
    assert "1 × backup.failed (error) on b c, 02:15" in text


def test_the_command_that_lists_them_all_comes_before_what_a_mail_may_cut() -> None:
    rows = [row(number, resource=f"store-{number % 50}:vm/1") for number in range(5000)]
    _, text = summary_of(rows, "evt-summary")
    opening, first, *others = text.split("\n\n")
    assert opening.endswith(
        "\nironcore-backup notification event list --collapsed-into evt-summary"
    )
    assert len(others) == 49
    assert len(first) < 200


def test_kinds_without_number_are_folded_into_one_line() -> None:
    rows = [row(number, resource=f"{'r' * 190}{number}") for number in range(900)]
    _, text = summary_of(rows, "evt-summary")
    shown = len(re.findall(r"^1 × backup\.failed", text, re.MULTILINE))
    assert 50 < shown < 900
    assert f"{900 - shown} × {900 - shown} other kinds: {900 - shown} error" in text


def test_of_kinds_beyond_all_bounds_each_event_is_counted_and_the_worst_are_named() -> None:
    rows = (row(number, severity=INFO, resource=f"/host/{number}") for number in range(5000))
    worse = (row(number, resource=f"/host/{number}") for number in range(5000, 5003))
    subject, text = summary_of(chain(rows, worse), "evt-summary")
    assert subject == "5,003 events in one: 3 error, 5,000 info"
    assert text.split("\n\n")[1].startswith("1 × backup.failed (error) on /host/5000,")
    named = len(re.findall(r"^1 × backup\.failed", text, re.MULTILINE))
    others = re.search(r"^([\d,]+) × over ([\d,]+) other kinds: [\d,]+ info$", text, re.MULTILINE)
    assert others is not None
    count, kinds = (int(each.replace(",", "")) for each in others.groups())
    assert named + count == 5003
    assert kinds < count
    assert len(text) <= MAX_SUMMARY


def test_the_events_of_a_summary_are_not_held_while_it_is_written() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        summary_of((row(number) for number in range(count)), "evt-summary")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(30_000) < 1.2 * peak(10_000)


@settings(deadline=None)
@given(
    rows=st.lists(rows_of_any_kind, min_size=1, max_size=6).flatmap(
        lambda few: st.integers(1, 300).map(lambda times: few * times)
    )
)
def test_a_summary_fits_and_counts_every_event(rows: list[SummaryRow]) -> None:
    subject, text = summary_of(rows, "e" * 128)
    assert len(subject) <= MAX_SUBJECT
    assert len(text) <= MAX_SUMMARY
    counts = re.findall(r"^([\d,]+) × ", text, re.MULTILINE)
    assert sum(int(each.replace(",", "")) for each in counts) == len(rows)
    latest = len(re.findall(r"^  latest: ", text, re.MULTILINE))
    assert latest <= len(counts)

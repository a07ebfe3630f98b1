"""The checks of the storm find what they are there to find."""

from __future__ import annotations

from dataclasses import replace

from tests.system.checker import Receipt
from tests.system.storm_books import Books, Obligation
from tests.system.storm_checker import (
    PERIOD_MICROS,
    critical_collapsed,
    miscounted,
    most_in_a_minute,
    not_as_released,
    not_routed,
    over_limit,
    overtaken,
    told_twice,
    unaccounted,
)

from ibs_notify.domain.severity import Severity
from ibs_notify.router.dispositions import State

LIMIT = 60
SECOND = 1_000_000
LIFTED_AT = 1000 * SECOND
ROUTE = ("ops", "chat")


def told(event_id: str, at: int, severity: Severity = Severity.INFO) -> Obligation:
    return Obligation(f"{event_id}/0", event_id, severity, *ROUTE, State.HANDED_OFF, released_at=at)


def closed(event_id: str, state: State, pointer: str) -> Obligation:
    return Obligation(f"{event_id}/0", event_id, Severity.INFO, *ROUTE, state, pointer)


def receipt(event_id: str) -> Receipt:
    return Receipt("chat", event_id, f"m-{event_id}")


SUMMARY = replace(told("s", 9 * SECOND, Severity.NOTICE), is_summary=True)
ALL_WELL = [
    told("e1", 1 * SECOND, Severity.CRITICAL),
    closed("e2", State.SUPPRESSED, "e1/0"),
    closed("e3", State.COALESCED, "e1/0"),
    closed("e4", State.COLLAPSED, "s"),
    closed("e5", State.SUPPRESSED, "e4/0"),
    SUMMARY,
]
ARRIVED = [receipt("e1"), receipt("s")]


def books(obligations: list[Obligation], summary: str = "1 events in one: 1 info") -> Books:
    events = {each.event_id: "" for each in obligations}
    return Books(events | {"s": summary}, obligations)


def minute_full(first: int = 0) -> list[Obligation]:
    return [told(f"e{each}", first + each * SECOND // 2) for each in range(LIMIT)]


def test_sixty_in_a_minute_are_within_the_limit() -> None:
    assert over_limit(minute_full(), {"ops": LIMIT}, LIFTED_AT) == []


def test_a_61st_release_within_the_minute_is_found() -> None:
    releases = [*minute_full(), told("one too many", PERIOD_MICROS - 1)]
    assert over_limit(releases, {"ops": LIMIT}, LIFTED_AT) == [
        f"ops at {PERIOD_MICROS - 1}: over 60 within a minute"
    ]
    assert most_in_a_minute(sorted(each.released_at or 0 for each in releases)) == LIMIT + 1


def test_a_minute_is_half_open() -> None:
    releases = [*minute_full(), told("just in time", PERIOD_MICROS)]
    assert over_limit(releases, {"ops": LIMIT}, LIFTED_AT) == []
    assert most_in_a_minute(sorted(each.released_at or 0 for each in releases)) == LIMIT


def test_a_minute_over_the_limit_is_found_wherever_it_begins() -> None:
    releases = [told("long ago", 0), *minute_full(90 * SECOND), told("more", 149 * SECOND)]
    assert len(over_limit(releases, {"ops": LIMIT}, LIFTED_AT)) == 1


def test_the_targets_of_an_event_count_once_and_its_groups_each() -> None:
    releases = minute_full()
    elsewhere = [replace(each, target="board") for each in releases]
    other_group = [replace(each, group="on-call") for each in releases]
    limits = {"ops": LIMIT, "on-call": LIMIT}
    assert over_limit([*releases, *elsewhere, *other_group], limits, LIFTED_AT) == []


def test_an_event_that_is_released_twice_counts_twice() -> None:
    again = replace(minute_full()[0], target="board", released_at=1)
    assert len(over_limit([*minute_full(), again], {"ops": LIMIT}, LIFTED_AT)) == 1


def test_after_it_is_lifted_there_is_no_limit() -> None:
    releases = [*minute_full(), told("free", 50 * SECOND)]
    assert over_limit(releases, {"ops": LIMIT}, 50 * SECOND) == []


def test_a_critical_event_that_an_info_went_before_is_late() -> None:
    releases = [told("info", 5 * SECOND), told("critical", 6 * SECOND, Severity.CRITICAL)]
    assert overtaken(releases, {"info": 0, "critical": 4 * SECOND}) == [
        "ops critical (critical): after 1 less severe"
    ]


def test_a_critical_event_that_was_not_told_while_an_info_was_is_late() -> None:
    waits = replace(told("critical", 0, Severity.CRITICAL), state=State.READY, released_at=None)
    releases = [told("info", 5 * SECOND), waits]
    assert len(overtaken(releases, {"critical": 4 * SECOND})) == 1


def test_what_was_released_before_the_answer_or_together_is_not_late() -> None:
    releases = [
        told("before", 3 * SECOND),
        told("together", 6 * SECOND),
        told("critical", 6 * SECOND, Severity.CRITICAL),
        told("worse", 5 * SECOND, Severity.CRITICAL),
    ]
    assert overtaken(releases, {"critical": 4 * SECOND, "worse": 3 * SECOND}) == []


def test_other_groups_releases_do_not_make_an_event_late() -> None:
    other = replace(told("info", 5 * SECOND), group="on-call")
    critical = told("critical", 6 * SECOND, Severity.CRITICAL)
    assert overtaken([other, critical], {"critical": 4 * SECOND}) == []


def test_an_event_is_accounted_for_by_what_it_points_to() -> None:
    assert unaccounted(ALL_WELL, ARRIVED, drained=True) == []
    assert not_as_released(ALL_WELL, ARRIVED, drained=True) == []
    assert miscounted(books(ALL_WELL)) == []


def test_a_summary_that_did_not_arrive_loses_all_that_it_stands_for() -> None:
    faults = unaccounted(ALL_WELL, ARRIVED[:1], drained=True)
    assert [each.partition(":")[0] for each in faults] == ["e4/0", "e5/0", "s/0"]
    assert not_as_released(ALL_WELL, ARRIVED[:1], drained=True) == ["chat s"]


def test_what_waits_is_accounted_for_until_all_is_drained() -> None:
    waits = Obligation("e6/0", "e6", Severity.INFO, *ROUTE, State.READY)
    assert unaccounted([waits], [], drained=False) == []
    assert unaccounted([waits], [], drained=True) == ["e6/0: e6/0 is ready, not told"]


def test_a_pointer_to_nothing_to_itself_or_to_another_target_is_found() -> None:
    astray = [
        closed("e6", State.COALESCED, "e9/0"),
        closed("e7", State.SUPPRESSED, "e7/0"),
        replace(closed("e8", State.COALESCED, "e1/0"), target="board"),
    ]
    faults = unaccounted([*ALL_WELL, *astray], ARRIVED, drained=False)
    assert [each.partition(":")[0] for each in faults] == ["e6/0", "e7/0", "e8/0"]


def test_an_acknowledged_event_that_is_not_stored_is_lost() -> None:
    assert not_routed(books(ALL_WELL), {"e1": [ROUTE]}) == []
    assert not_routed(books(ALL_WELL), {"e0": [ROUTE]}) == ["e0: {}"]


def test_a_route_that_is_missing_or_there_twice_is_found() -> None:
    assert len(not_routed(books(ALL_WELL), {"e1": [ROUTE, ("ops", "board")]})) == 1
    assert len(not_routed(books([*ALL_WELL, ALL_WELL[0]]), {"e1": [ROUTE]})) == 1


def test_what_arrives_without_a_release_or_twice_is_found() -> None:
    receipts = [*ARRIVED, receipt("e2")]
    assert not_as_released(ALL_WELL, receipts, drained=False) == ["chat e2"]
    assert told_twice([*ARRIVED, receipt("e1")]) == ["chat e1"]
    assert told_twice(ARRIVED) == []


def test_a_summary_that_miscounts_or_is_of_another_target_is_found() -> None:
    assert miscounted(books(ALL_WELL, "2 events in one: 2 info")) == [
        "s: stands for 1, says '2 events in one: 2 info'"
    ]
    elsewhere = replace(SUMMARY, target="board")
    assert miscounted(books([*ALL_WELL[:-1], elsewhere])) == [
        "e4/0: in the summary s of another target"
    ]


def test_a_critical_event_is_never_collapsed() -> None:
    collapsed = replace(closed("e6", State.COLLAPSED, "s"), severity=Severity.CRITICAL)
    assert critical_collapsed(books([*ALL_WELL, collapsed])) == ["e6/0"]

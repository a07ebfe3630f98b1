"""Silences are no gaps, and are named beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ibs_notify.domain.severity import Severity
from ibs_notify.router.coverage_silences import hiding
from ibs_notify.router.silence import Silence

NOW = datetime(2026, 5, 21, 12, tzinfo=UTC)
"""A Thursday."""
HOUR = timedelta(hours=1)
ONE = Silence("sil-1", "*", NOW - HOUR, NOW + HOUR, "", "", "why", "alice", NOW - HOUR)
WEEKLY = replace(ONE, silence_id="sil-2", end=None, weekly="sun 02:00-06:00")


def ids(*silences: Silence) -> list[str]:
    return [each.silence.silence_id for each in hiding(silences, {}, {}, NOW)]


def test_those_in_force_come_first_and_then_those_that_begin_next() -> None:
    later = replace(ONE, silence_id="sil-3", start=NOW + HOUR, end=NOW + 2 * HOUR)
    assert ids(WEEKLY, later, ONE) == ["sil-1", "sil-3", "sil-2"]


def test_one_that_is_over_or_cannot_be_read_or_hides_no_error_is_not_named() -> None:
    over = replace(ONE, end=NOW)
    broken = replace(ONE, rule="severity >")
    routine = replace(ONE, rule="severity < error")
    assert ids(over, broken, routine) == []


def test_a_silence_of_a_part_or_of_an_actor_is_named_though_no_bare_event_matches() -> None:
    part = replace(ONE, rule="resource = /datastore/a/vm/1 and labels.site = vienna")
    assert ids(part) == ["sil-1"]


def test_what_is_critical_comes_first_among_its_types() -> None:
    (found,) = hiding([ONE], {}, {}, NOW)
    assert found.types[:2] == ("sync.integrity-error", "verify.corrupt")
    assert "notification.delivery-dead" not in found.types
    assert "notification.target-failing" in found.types


def test_what_came_graver_than_it_usually_is_counts() -> None:
    routine = replace(ONE, rule="type = backup.warning")
    assert not hiding([routine], {}, {}, NOW)
    (found,) = hiding([routine], {Severity.ERROR: ["backup.warning"]}, {"sil-1": 3}, NOW)
    assert (found.types, found.event_count) == (("backup.warning",), 3)

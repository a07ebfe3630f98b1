"""Rules between browsers and services: places, and values as they are written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.rules import any_text as any_value
from tests.support.rules import events as any_event
from tests.support.rules import few_texts, rules

from ibs_notify.console.wording.durations import read_duration
from ibs_notify.console.wording.rule_text import Units, but_critical, quoted, seen_values
from ibs_notify.domain import event as domain
from ibs_notify.domain.duration import show_duration
from ibs_notify.domain.severity import Severity
from ibs_notify.rules.analyze import analyze
from ibs_notify.rules.ast import Atom, Rule
from ibs_notify.rules.evaluate import matches
from ibs_notify.rules.format import format_rule
from ibs_notify.rules.parse import parse
from ironcore.notification.v1.event_pb2 import Event

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(any_text)
def test_a_place_is_the_same_in_both_counts(text: str) -> None:
    units = Units(text)
    for place in range(len(text) + 1):
        counted = len(text[:place].encode("utf-16-le")) // 2
        assert units.units(place) == counted
        assert units.characters(counted) == place


def test_a_place_outside_is_the_nearest_in_it() -> None:
    assert Units("ab").characters(99) == 2
    assert Units("ab").units(99) == 2
    assert Units("ab").units(-1) == 0


@given(any_text)
def test_a_value_that_is_offered_reads_back_as_itself(value: str) -> None:
    rule = parse(f"subject = {quoted(value)}")
    assert isinstance(rule, Atom)
    assert rule.value == value


@given(rules(any_value) | rules(few_texts), any_event)
def test_without_critical_events_a_rule_matches_the_same(rule: Rule, event: domain.Event) -> None:
    without = parse(but_critical(format_rule(rule)))
    is_left = event.severity is not Severity.CRITICAL
    assert matches(without, event) == (is_left and matches(rule, event))


def test_values_are_offered_once_and_the_newest_first() -> None:
    events = [Event(actor="bob"), Event(actor="alice smith"), Event(actor="bob"), Event()]
    assert [text for text, _ in seen_values(events, "actor", "")] == ["bob", '"alice smith"']
    assert [text for text, _ in seen_values(events, "actor", '"SMI')] == ['"alice smith"']
    assert [text for text, _ in seen_values(events, "actor", "bob")] == []


def test_resources_are_offered_in_the_form_that_rules_compare() -> None:
    seen = ("tank", "tank:vm/1", "/datastore/tank/vm/1/", "tank2:my vm")
    events = [Event(resource=each) for each in seen]

    def offered(written: str) -> list[str]:
        return [text for text, _ in seen_values(events, "resource", written)]

    assert offered("") == ["/datastore/tank/vm/1", '"/datastore/tank2/my vm"']
    assert offered("Tank:vm") == ["/datastore/tank/vm/1"]
    assert offered("/datastore/tank/vm/1") == []
    for text in offered("ta"):
        assert not analyze(f"resource starts-with {text}").warnings


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("2 d", 172_800), ("5 min", 300), ("off", 0), ("0", 0)],
)
def test_spans_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert read_duration(text) == timedelta(seconds=seconds)


@given(st.integers(0, 10**7))
def test_a_span_reads_back_as_itself(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    assert read_duration(show_duration(span)) == span


@pytest.mark.parametrize("text", ["soon", "5", "m5", "-5m", "1.5h", "99999999999d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no span of time"):
        read_duration(text)

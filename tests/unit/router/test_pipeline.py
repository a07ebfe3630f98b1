"""What becomes of an event: every decision has a named reason."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Scope
from ibs_notify.domain.severity import Severity
from ibs_notify.router import pipeline
from ibs_notify.router.dispositions import Decision, Reason, State
from ibs_notify.router.match import Route, RoutedGroup, RoutingTable
from ibs_notify.router.pipeline import decide, route

ERROR = Event("e", "backup.failed", Severity.ERROR, datetime(2026, 5, 21, tzinfo=UTC))


def candidate(target: str, *, matches: bool = True, records: bool = False) -> Route:
    return Route(
        "ops", target, f"u-{target}", f"s-{target}", lambda _: matches, is_metric_server=records
    )


def table(*groups: RoutedGroup) -> RoutingTable:
    return RoutingTable(
        revision=1,
        public_url="",
        everything=tuple(each for each in groups if each.scope is Scope.EVERYTHING),
        particular=tuple(each for each in groups if each.scope is not Scope.EVERYTHING),
        group_names=frozenset(each.name for each in groups),
    )


def silence(_candidate: Route, _event: Event) -> Decision:
    return Decision(State.SILENCED, Reason.RULE_MATCHED, "silence-1")


def pass_on(_candidate: Route, _event: Event) -> None:
    return None


def test_a_matching_route_is_ready() -> None:
    assert decide(candidate("chat"), ERROR) == Decision(State.READY, Reason.RULE_MATCHED)


def test_the_first_stage_that_says_a_word_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_candidate: Route, _event: Event) -> Decision:
        raise AssertionError("a later stage was asked")

    monkeypatch.setattr(pipeline, "STAGES", (pass_on, silence, never))
    assert decide(candidate("chat"), ERROR).pointer == "silence-1"


def test_nothing_keeps_an_event_from_a_metric_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "STAGES", (silence,))
    decision = decide(candidate("influx", records=True), ERROR)
    assert decision == Decision(State.READY, Reason.RECORDED)


def test_an_obligation_is_made_for_each_route_that_matches() -> None:
    group = RoutedGroup(
        "ops",
        Scope.EVERYTHING,
        (),
        (candidate("mail"), candidate("chat", matches=False), candidate("influx", records=True)),
    )
    routing = route(table(group), ERROR)
    assert [each.route.target for each in routing.obligations] == ["mail", "influx"]
    assert [each.decision.reason for each in routing.obligations] == ["RULE_MATCHED", "RECORDED"]


def test_the_rules_of_a_group_out_of_scope_are_not_asked() -> None:
    def never(_event: Event) -> bool:
        raise AssertionError("a rule out of scope was asked")

    asked = Route("picked", "chat", "u", "s", never)
    group = RoutedGroup("picked", Scope.SELECTED, (), (asked,))
    assert route(table(group), ERROR).obligations == ()


def test_an_event_that_nobody_hears_of_is_unmatched_but_its_warnings_stay() -> None:
    event = Event("e", "backup.failed", Severity.ERROR, ERROR.timestamp, groups=("nobody",))
    routing = route(table(), event)
    assert routing.obligations == ()
    assert routing.warnings == ("there is no group 'nobody'; attachments decided instead",)

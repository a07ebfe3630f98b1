"""Which groups hear of an event: the truth table, and how names and attachments combine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain.event import Event
from ibs_notify.domain.group import Scope
from ibs_notify.domain.resource import canonical
from ibs_notify.domain.severity import Severity
from ibs_notify.router.match import Route, RoutedGroup, RoutingTable
from ibs_notify.router.scope import (
    IN_SCOPE,
    Heard,
    ScopeReason,
    is_about,
    scope_reason,
    who_hears,
)
from ibs_notify.rules.ast import Always
from ibs_notify.rules.parse import parse

EVERYTHING, ATTACHED, SELECTED = Scope.EVERYTHING, Scope.ATTACHED, Scope.SELECTED


def event(resource: str = "", groups: tuple[str, ...] = ()) -> Event:
    return Event(
        "e",
        "backup.failed",
        Severity.ERROR,
        datetime(2026, 5, 21, tzinfo=UTC),
        resource=resource,
        canonical_resource=canonical(resource),
        groups=groups,
    )


def table(*groups: RoutedGroup) -> RoutingTable:
    return RoutingTable.of(1, "", groups)


def group(name: str, scope: Scope, *attachments: str) -> RoutedGroup:
    """With one route, which matches every event."""
    route = Route(name, "chat", "u-chat", f"s-{name}", Always())
    return RoutedGroup(name, scope, attachments, (route,))


def names_in(heard: Heard) -> list[str]:
    return [route.group for route in heard.routes]


def heard(groups: RoutingTable, of: Event) -> list[str]:
    return names_in(who_hears(groups, of))


TRUTH = [
    # scope, named, attached, names decide: the reason
    (EVERYTHING, False, False, False, ScopeReason.HEARS_EVERYTHING),
    (EVERYTHING, False, False, True, ScopeReason.HEARS_EVERYTHING),
    (EVERYTHING, True, False, True, ScopeReason.HEARS_EVERYTHING),
    (EVERYTHING, True, True, False, ScopeReason.HEARS_EVERYTHING),
    (ATTACHED, False, False, False, ScopeReason.RESOURCE_NOT_ATTACHED),
    (ATTACHED, False, True, False, ScopeReason.RESOURCE_ATTACHED),
    (ATTACHED, False, True, True, ScopeReason.EVENT_NAMES_OTHER_GROUPS),
    (ATTACHED, False, False, True, ScopeReason.EVENT_NAMES_OTHER_GROUPS),
    (ATTACHED, True, False, True, ScopeReason.NAMED_BY_EVENT),
    (ATTACHED, True, True, True, ScopeReason.NAMED_BY_EVENT),
    (ATTACHED, True, False, False, ScopeReason.NAMED_BY_EVENT),
    (SELECTED, False, False, False, ScopeReason.NOT_NAMED_BY_EVENT),
    (SELECTED, False, False, True, ScopeReason.NOT_NAMED_BY_EVENT),
    (SELECTED, False, True, False, ScopeReason.NOT_NAMED_BY_EVENT),
    (SELECTED, True, False, True, ScopeReason.NAMED_BY_EVENT),
    (SELECTED, True, False, False, ScopeReason.NAMED_BY_EVENT),
]


@pytest.mark.parametrize(("scope", "named", "attached", "names_decide", "reason"), TRUTH)
def test_the_truth_table_of_scopes(
    scope: Scope, named: bool, attached: bool, names_decide: bool, reason: ScopeReason
) -> None:
    ops = group("ops", scope, "/datastore/a" if attached else "/datastore/z")
    names = ("ops",) if named else ("other",) if names_decide else ()
    about = event("a:vm/1", names)
    assert scope_reason(ops, about, names_decide=names_decide) is reason


def test_every_reason_of_the_truth_table_is_in_scope_or_not_by_its_name() -> None:
    of_groups = set(ScopeReason) - {ScopeReason.ABOUT_THIS_TARGET}
    assert {reason for *_, reason in TRUTH} == of_groups
    refused = {each for each in of_groups if "NOT" in each or "OTHER" in each}
    assert of_groups - refused == IN_SCOPE


def test_what_tells_of_a_target_is_heard_by_all_routes_but_those_to_it() -> None:
    routes = [Route("ops", each, each, f"s-{each}", Always()) for each in ("t1", "t2")]
    ops = RoutedGroup("ops", EVERYTHING, (), tuple(routes))
    told = replace(event("x"), type="notification.target-failing", labels={"target_uid": "t1"})
    assert [each.target_uid for each in who_hears(table(ops), told).routes] == ["t2"]
    assert is_about(told, ops.routes[0])
    # Of any other type the label is a label.
    other = replace(told, type="backup.failed")
    assert len(who_hears(table(ops), other).routes) == 2


STORE_A = group("attached-a", ATTACHED, "/datastore/a")
STORE_B = group("attached-b", ATTACHED, "/datastore/b/vm", "/datastore/c")
PICKED = group("selected", SELECTED)
ALL = group("everything", EVERYTHING)
GROUPS = table(STORE_A, STORE_B, PICKED, ALL)


@pytest.mark.parametrize(
    ("resource", "names", "who"),
    [
        ("", (), ["everything"]),
        ("a:vm/1", (), ["everything", "attached-a"]),
        ("/datastore/a", (), ["everything", "attached-a"]),
        ("ab:vm/1", (), ["everything"]),
        ("b:vm/9", (), ["everything", "attached-b"]),
        ("b:ct/9", (), ["everything"]),
        ("c:", (), ["everything", "attached-b"]),
        ("a:vm/1", ("selected",), ["everything", "selected"]),
        ("a:vm/1", ("attached-b",), ["everything", "attached-b"]),
        ("a:vm/1", ("everything",), ["everything"]),
        ("a:vm/1", ("selected", "attached-a"), ["everything", "attached-a", "selected"]),
    ],
)
def test_who_hears_of_what(resource: str, names: tuple[str, ...], who: list[str]) -> None:
    assert heard(GROUPS, event(resource, names)) == who
    assert who_hears(GROUPS, event(resource, names)).warnings == ()


def test_an_unknown_name_falls_back_to_the_attachments_with_a_warning() -> None:
    answer = who_hears(GROUPS, event("a:vm/1", ("nobody",)))
    assert names_in(answer) == ["everything", "attached-a"]
    assert answer.warnings == ("there is no group 'nobody'; attachments decided instead",)


def test_a_known_name_beside_an_unknown_one_still_counts() -> None:
    answer = who_hears(GROUPS, event("a:vm/1", ("nobody", "selected")))
    assert names_in(answer) == ["everything", "attached-a", "selected"]
    assert len(answer.warnings) == 1


names = st.sampled_from(["attached-a", "attached-b", "selected", "everything", "nobody"])


@given(st.sampled_from(["", "a:x", "b:vm/1", "z:y"]), st.lists(names, max_size=4).map(tuple))
def test_naming_never_silences_a_group_that_hears_everything(
    resource: str, chosen: tuple[str, ...]
) -> None:
    who = heard(GROUPS, event(resource, chosen))
    assert who[0] == "everything"
    assert set(chosen) & {each.name for each in (STORE_A, STORE_B, PICKED)} <= set(who)
    assert len(who) == len(set(who))


def test_a_group_whose_last_resource_was_detached_hears_only_what_names_it() -> None:
    groups = table(group("detached", ATTACHED))
    assert heard(groups, event("a:vm/1")) == []
    assert heard(groups, event("a:vm/1", ("detached",))) == ["detached"]


def test_of_a_group_in_scope_those_routes_hear_whose_rule_matches() -> None:
    def route(target: str, rule: str) -> Route:
        return Route("ops", target, f"u-{target}", f"s-{target}", parse(rule))

    routes = (
        route("mail", "severity >= error"),
        route("chat", "severity = info"),
        route("pager", "*"),
    )
    attached = RoutedGroup("ops", ATTACHED, ("/datastore/a",), routes)
    for about in (event("a:vm/1"), event("b:vm/1", ("ops",))):
        answer = who_hears(table(attached), about)
        assert [each.target for each in answer.routes] == ["mail", "pager"]


def test_an_event_that_nobody_hears_of_keeps_its_warnings() -> None:
    answer = who_hears(table(), event(groups=("nobody",)))
    assert answer.routes == ()
    assert answer.warnings == ("there is no group 'nobody'; attachments decided instead",)
